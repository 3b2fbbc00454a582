"""What becomes of an asynchronous event after an attempt (LI-151 to LI-154).

A function that fails is tried again a minute later, and once more two minutes after that. An event
that did not reach its function, since that was throttled or something of ours broke, goes back to
the queue for a delay that doubles from a second to five minutes, and none of its attempts is used
up. An event is given up as soon as its next attempt could not begin before it is too old.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from edgeproxy.awslambda.model import EventInvokeConfig, FunctionDefinition
from edgeproxy.awslambda.routing import LATEST

__all__ = [
    "INTERRUPTED_DELAY_S",
    "LONGEST_DELAY_S",
    "Again",
    "Condition",
    "GivenUp",
    "after_failure",
    "after_setback",
    "config_of",
]

_RETRY_DELAYS_S: Final = (60, 120)
LONGEST_DELAY_S: Final = 300
INTERRUPTED_DELAY_S: Final = 1
"""The first delay of an event that did not reach its function, or did not return from it."""


class Condition(StrEnum):
    """How an event ended, in the words of its record (LI-192)."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True)
class Again:
    """There will be another attempt, at this time on the edge's clock."""

    due_s: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """There will be no other attempt."""

    condition: Condition


Next: TypeAlias = Again | GivenUp


def config_of(definition: FunctionDefinition | None, qualifier: str) -> EventInvokeConfig:
    """What holds for an event: the configuration of the qualifier it came by (LI-155)."""
    configs = definition.event_invoke if definition is not None else {}
    return configs.get(qualifier or LATEST, EventInvokeConfig())


def after_failure(failures: int, accepted_s: float, now: float, config: EventInvokeConfig) -> Next:
    """The function has failed for the ``failures``-th time (LI-151)."""
    if failures > config.retries:
        return GivenUp(Condition.RETRIES_EXHAUSTED)
    return _at(now + _RETRY_DELAYS_S[failures - 1], accepted_s, config)


def after_setback(setbacks: int, accepted_s: float, now: float, config: EventInvokeConfig) -> Next:
    """The event did not reach its function for the ``setbacks``-th time (LI-152)."""
    delay_s = min(INTERRUPTED_DELAY_S * 2 ** min(setbacks - 1, 16), LONGEST_DELAY_S)
    return _at(now + delay_s, accepted_s, config)


def _at(due_s: float, accepted_s: float, config: EventInvokeConfig) -> Next:
    if due_s - accepted_s >= config.max_age_s:
        return GivenUp(Condition.EVENT_AGE_EXCEEDED)
    return Again(due_s)
