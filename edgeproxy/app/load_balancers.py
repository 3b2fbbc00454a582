"""Load balancers of a running program: their doors, their targets, and the targets' health."""

import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from edgeproxy.app.doors import Doors
from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.exchange.model import Recorder
from edgeproxy.http.messages import Handler, Request, Response
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import parse_mapping
from edgeproxy.project.model import Project
from edgeproxy.server.limits import Limits
from edgeproxy.server.listener import Refuse
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.app.secure_doors import SecureDoors
    from edgeproxy.entrypoints.alb import AlbDoor
    from edgeproxy.entrypoints.alb_health import HealthChecks
    from edgeproxy.loadbalancing.model import AlbListener, LoadBalancer, TargetGroup

__all__ = ["LoadBalancers", "with_local_targets"]

_KB: Final = 1024
_CONNECT_S: Final = 10


def with_local_targets(project: Project, settings: Settings) -> Project:
    """``project`` in which ``--origin TARGET_GROUP=URL`` is the one target of that group.

    It is found under the group's logical ID, which is then its host name.
    """
    mapped = {parse_mapping(option)[0] for option in settings.origin}

    def local(name: str, group: "TargetGroup") -> "TargetGroup":
        is_mapped = name in mapped and not group.function
        return replace(group, targets=(f"{name}:80",)) if is_mapped else group

    balancers = {}
    for logical_id, balancer in project.load_balancers.items():
        groups = {name: local(name, group) for name, group in balancer.target_groups.items()}
        balancers[logical_id] = replace(balancer, target_groups=groups)
    return replace(project, load_balancers=balancers)


class LoadBalancers:
    """Makes the doors of listeners and checks the targets behind them. Has to be closed.

    ``recorder`` gets every exchange; ``tell`` hears of targets whose health changes.
    """

    def __init__(
        self,
        settings: Settings,
        lambdas: LambdaService,
        origins: OriginClient,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        tell: Callable[[str], None],
        access: Access,
    ) -> None:
        self._access = access
        self._settings = settings
        self._lambdas = lambdas
        self._origins = origins
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._tell = tell
        self._balancers: Mapping[str, LoadBalancer] = {}

    @cached_property
    def _health(self) -> "HealthChecks":
        from edgeproxy.entrypoints.alb_health import HealthChecks

        return HealthChecks(self._lambdas, partial(self._target, 60), self._tell)

    def apply(self, balancers: "Mapping[str, LoadBalancer]") -> None:
        """Check the targets of ``balancers`` from now on."""
        if balancers or self._balancers:
            self._health.apply(balancers.values())
        self._balancers = balancers

    def door(self, balancer: "LoadBalancer", listener: "AlbListener") -> "AlbDoor":
        from edgeproxy.entrypoints.alb import AlbDoor

        return AlbDoor(
            balancer,
            listener,
            self._lambdas,
            self._clock,
            self._chance,
            self._recorder,
            target=partial(self._target, balancer.attributes.idle_timeout_s),
            usable=self._health.usable,
            why_denied=lambda group: self._access.refused_to_balancer(
                group.function, group.qualifier, group.arn
            ),
            strict=not self._settings.lenient,
        )

    async def open(
        self,
        doors: Doors,
        balancers: "Iterable[LoadBalancer]",
        refusals: Callable[[Callable[[int], Response]], Refuse],
        secure: "SecureDoors | None",
    ) -> dict[str, str]:
        """The URLs of all listeners by the doors' keys; ``secure`` serves HTTPS where it is."""
        urls = {}
        for balancer in balancers:
            for index, listener in enumerate(balancer.listeners):
                key = f"load-balancer {balancer.logical_id} {index}"
                door = self.door(balancer, listener)
                tls: ssl.SSLContext | None = None
                if secure is not None and listener.protocol == "HTTPS":
                    tls = secure.context(key)
                urls[key] = await doors.open(
                    key,
                    door,
                    f"{balancer.logical_id} port {listener.port}",
                    refuse=refusals(door.refuse),
                    tls=tls,
                    limits=_limits(balancer),
                )
        return urls

    def target_health(self) -> dict[str, object]:
        """By load balancer and target group, what DescribeTargetHealth would tell (AL-124)."""
        return {
            logical_id: {
                name: {target: asdict(each) for target, each in self._health.health(group).items()}
                for name, group in balancer.target_groups.items()
            }
            for logical_id, balancer in self._balancers.items()
        }

    async def close(self) -> None:
        """End all health checks."""
        if "_health" in vars(self):
            await self._health.close()

    def _target(self, idle_timeout_s: float, address: str) -> Handler:
        """A plain HTTP target, ``host:port``, asked as an origin is, once."""
        host, _, port = address.rpartition(":")
        config = CustomOrigin(http_port=int(port), read_timeout_s=idle_timeout_s)
        origin = Origin(
            address, host, config, connection_attempts=1, connection_timeout_s=_CONNECT_S
        )

        def ask(request: Request) -> Awaitable[Response]:
            return self._origins.fetch(request, origin)

        return ask


def _limits(balancer: "LoadBalancer") -> Limits:
    """What the listeners of a load balancer let clients do (AL-102, AL-191)."""
    attributes = balancer.attributes
    return Limits(
        head_timeout_s=attributes.idle_timeout_s,
        keep_alive_s=attributes.idle_timeout_s,
        read_stall_s=attributes.idle_timeout_s,
        write_stall_s=attributes.idle_timeout_s,
        tells_of_waiting=True,
        lifetime_s=attributes.keep_alive_s,
        # 16 KB for the request line as a whole.
        max_url_bytes=16 * _KB - len("GET  HTTP/1.1\r\n"),
        max_field_bytes=16 * _KB,
        max_head_bytes=64 * _KB,
    )
