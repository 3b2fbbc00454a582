"""Application Load Balancers, their listeners, rules and target groups as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "AlbCondition",
    "AlbFixedResponse",
    "AlbForward",
    "AlbListener",
    "AlbRedirect",
    "AlbRule",
    "LoadBalancer",
    "TargetGroup",
]


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


@dataclass(frozen=True, slots=True)
class AlbCondition:
    """One condition of a listener rule.

    ``field`` is ``path-pattern``, ``host-header``, ``http-header``, ``http-request-method``,
    ``query-string`` or ``source-ip``; query-string values are ``key=value`` or ``=value``.
    """

    field: str
    values: tuple[str, ...]
    header_name: str = ""


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
class AlbRule:
    """A listener rule; the default rule has no conditions and the highest priority number."""

    priority: int
    conditions: tuple[AlbCondition, ...]
    action: AlbForward | AlbFixedResponse | AlbRedirect


@dataclass(frozen=True, slots=True)
class AlbListener:
    """A listener; ``rules`` are in order of priority, the default rule last."""

    port: int
    protocol: str
    rules: tuple[AlbRule, ...]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    logical_id: str
    dns_name: str
    listeners: tuple[AlbListener, ...]
    target_groups: Mapping[str, TargetGroup] = field(default_factory=dict)
