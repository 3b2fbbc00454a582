"""How CodeDeploy moves the traffic of an alias to a new version: how much of it, and when.

CodeDeploy has presets (``CodeDeployDefault.Lambda…``), which SAM knows by the end of their names,
and routings of one's own (LI-290 to LI-294).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["PRESETS", "DeploymentPreference", "Routing", "TrafficRouting", "routing_named"]


class Routing(StrEnum):
    """``TrafficRoutingConfig.Type``."""

    ALL_AT_ONCE = "AllAtOnce"
    CANARY = "TimeBasedCanary"
    LINEAR = "TimeBasedLinear"


@dataclass(frozen=True, slots=True)
class TrafficRouting:
    """A part of the traffic at once; the rest after an interval, or as much with each interval."""

    type: Routing = Routing.ALL_AT_ONCE
    percent: int = 100
    interval_min: int = 0

    def steps(self) -> Iterator[tuple[float, float]]:
        """When, in seconds from the start, and the new version's share from then on, up to 1."""
        match self.type:
            case Routing.ALL_AT_ONCE:
                yield 0, 1
            case Routing.CANARY:
                yield 0, self.percent / 100
                yield self.interval_min * 60, 1
            case Routing.LINEAR:
                percents = range(self.percent, 100 + self.percent, self.percent)
                for number, percent in enumerate(percents):
                    yield number * self.interval_min * 60, min(percent, 100) / 100


@dataclass(frozen=True, slots=True)
class DeploymentPreference:
    """What happens when the code behind an alias changes. Hooks are functions' names or ARNs."""

    alias: str
    config: str
    """The name of the deployment configuration."""
    routing: TrafficRouting
    before: str = ""
    """``BeforeAllowTraffic``, SAM's ``PreTraffic``."""
    after: str = ""
    """``AfterAllowTraffic``, SAM's ``PostTraffic``."""
    alarms: tuple[str, ...] = ()
    all_properties: bool = False
    """A change of the configuration alone makes a new version as well."""


_PREFIX: Final = "CodeDeployDefault.Lambda"
PRESETS: Final[Mapping[str, TrafficRouting]] = {
    "AllAtOnce": TrafficRouting(),
    **{
        f"Canary10Percent{minutes}Minutes": TrafficRouting(Routing.CANARY, 10, minutes)
        for minutes in (5, 10, 15, 30)
    },
    **{
        f"Linear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}": TrafficRouting(
            Routing.LINEAR, 10, minutes
        )
        for minutes in (1, 2, 3, 10)
    },
}
"""By SAM's names."""


def routing_named(name: str) -> TrafficRouting | None:
    """A preset, by CodeDeploy's name or SAM's; None when there is no such one."""
    return PRESETS.get(name.removeprefix(_PREFIX))
