"""Application Load Balancers, their listeners, rules and target groups as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "AlbAttributes",
    "AlbCondition",
    "AlbFixedResponse",
    "AlbForward",
    "AlbListener",
    "AlbRedirect",
    "AlbRewrite",
    "AlbRule",
    "HealthCheck",
    "LoadBalancer",
    "TargetGroup",
]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How targets are checked; the defaults are those of a Lambda target (AL-122)."""

    path: str = "/"
    interval_s: float = 35
    timeout_s: float = 30
    healthy_count: int = 5
    unhealthy_count: int = 2
    matcher: tuple[tuple[int, int], ...] = ((200, 200),)
    """The statuses of a healthy target, as first and last of each range."""
    port: int | None = None
    """Of HTTP targets; None for the port of their traffic."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group: a Lambda function, or addresses of plain HTTP targets."""

    logical_id: str
    arn: str
    function: str = ""
    qualifier: str = ""
    multi_value_headers: bool = False
    targets: tuple[str, ...] = ()
    """``host:port`` of HTTP targets."""
    health_check: HealthCheck | None = None


@dataclass(frozen=True, slots=True)
class AlbCondition:
    """One condition of a listener rule.

    ``field`` is ``path-pattern``, ``host-header``, ``http-header``, ``http-request-method``,
    ``query-string`` or ``source-ip``; query-string values are ``key=value`` or ``=value``.
    """

    field: str
    values: tuple[str, ...]
    header_name: str = ""
    regexes: tuple[str, ...] = ()
    """Regular expressions that do as well as a value (AL-151)."""


@dataclass(frozen=True, slots=True)
class AlbForward:
    """Forward to one of several target groups by weight; groups are named by logical ID."""

    target_groups: tuple[tuple[str, int], ...]
    stickiness_s: int | None = None


@dataclass(frozen=True, slots=True)
class AlbFixedResponse:
    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True, slots=True)
class AlbRedirect:
    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True, slots=True)
class AlbRewrite:
    """What a rule changes before the target sees the request (AL-152).

    ``subject`` is ``host-header-rewrite`` or ``url-rewrite``; ``$1`` in ``replacement`` is a group.
    """

    subject: str
    regex: str
    replacement: str


@dataclass(frozen=True, slots=True)
class AlbRule:
    """A listener rule; the default rule has no conditions and the highest priority number."""

    priority: int
    conditions: tuple[AlbCondition, ...]
    action: AlbForward | AlbFixedResponse | AlbRedirect
    rewrites: tuple[AlbRewrite, ...] = ()


@dataclass(frozen=True, slots=True)
class AlbListener:
    """A listener; ``rules`` are in order of priority, the default rule last."""

    port: int
    protocol: str
    rules: tuple[AlbRule, ...]
    response_headers: tuple[tuple[str, str], ...] = ()
    """Set on every answer (AL-086)."""
    names_server: bool = True
    """Whether answers get ``Server: awselb/2.0`` (AL-081)."""


@dataclass(frozen=True, slots=True)
class AlbAttributes:
    """A load balancer's own attributes, as far as they matter to requests; times in seconds."""

    forwarded_for: str = "append"
    """``append``, ``preserve`` or ``remove`` (AL-050)."""
    names_client_port: bool = False
    """Whether ``X-Forwarded-For`` gets the client's port as well (AL-051)."""
    tells_tls: bool = False
    """Whether targets get ``X-Amzn-Tls-…`` (AL-055)."""
    drops_invalid_headers: bool = False
    """AL-057."""
    idle_timeout_s: float = 60
    keep_alive_s: float = 3600
    """AL-191."""


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    logical_id: str
    dns_name: str
    listeners: tuple[AlbListener, ...]
    target_groups: Mapping[str, TargetGroup] = field(default_factory=dict)
    attributes: AlbAttributes = AlbAttributes()
