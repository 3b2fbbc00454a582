"""Which origin, or which two, a request goes to: the behavior's target, or a function's choice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from edgeproxy.cache.fetched import Fetched
from edgeproxy.distribution.aws_names import bucket_of
from edgeproxy.distribution.model import (
    Behavior,
    CustomOrigin,
    Distribution,
    Origin,
    OriginAccessControl,
    S3Origin,
    SigningBehavior,
)
from edgeproxy.edge.outcomes import Scene
from edgeproxy.exchange.model import Decision, Finding
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailureKind
from edgeproxy.origins.failover import failover_status, may_fail_over
from edgeproxy.origins.forwarding import own_host
from edgeproxy.runtimes.cloudfront_js.origin import (
    AccessControl,
    OriginChange,
    OriginGroupChange,
    SelectOrigin,
    UpdateOrigin,
)

__all__ = ["Choice", "Target", "ask_in_order", "choose", "judge_change"]

_ORIGIN_FAILURES: Final = frozenset(OriginFailureKind)


@dataclass(frozen=True, slots=True)
class Target:
    """An origin, and the Host it gets when a function's change says which (CFF-ORG-08)."""

    origin: Origin
    host: str | None = None
    gives_way_on: frozenset[int] = frozenset()
    """The statuses of its answer for which another origin is asked instead."""

    def gives_way(self, fetched: Fetched) -> bool:
        """Whether another origin is asked because of what came from this one.

        What a function made, or its failure, is no answer of an origin (LE-ERR-13).
        """
        if fetched.is_edge_made and fetched.detail not in _ORIGIN_FAILURES:
            return False
        return failover_status(fetched.response.status, fetched.detail) in self.gives_way_on


@dataclass(frozen=True, slots=True)
class Choice:
    """The primary, and for an origin group the secondary with the statuses that lead to it."""

    primary: Target
    secondary: Target | None = None
    status_codes: frozenset[int] = frozenset()


def choose(
    distribution: Distribution,
    behavior: Behavior,
    change: OriginChange | None = None,
    viewer_scheme: str = "http",
) -> Choice:
    """The behavior's origin or origin group, as changed by a CloudFront Function (CFF-ORG)."""
    origins = distribution.origins
    match change:
        case SelectOrigin():
            return Choice(_selected(distribution, change))
        case OriginGroupChange(members=(first, second), status_codes=codes):
            return Choice(_selected(distribution, first), _selected(distribution, second), codes)
        case UpdateOrigin() | None:
            pass
    group = distribution.origin_groups.get(behavior.target_origin_id)
    if group is None:
        choice = Choice(Target(origins[behavior.target_origin_id]))
    else:
        choice = Choice(
            Target(origins[group.primary]), Target(origins[group.secondary]), group.status_codes
        )
    if change is None:
        return choice
    return replace(choice, primary=_updated(choice.primary.origin, change, viewer_scheme))


def judge_change(
    distribution: Distribution, behavior: Behavior, change: OriginChange
) -> Finding | None:
    """Why CloudFront refuses a change for the sake of the origins that it is about, or None."""
    match change:
        case UpdateOrigin():
            return _judge_update(distribution, choose(distribution, behavior).primary, change)
        case SelectOrigin():
            return _judge_selection(distribution, change)
        case OriginGroupChange(members=(first, second)):
            return _judge_selection(distribution, first) or _judge_selection(distribution, second)


def _judge_selection(distribution: Distribution, change: SelectOrigin) -> Finding | None:
    if not _client_certificate(distribution.origins[change.origin_id]):
        return None
    return Finding(
        "CFF-ORG-19",
        f"The origin rewrite is invalid. A function cannot select {change.origin_id}, nor put it "
        "into a group: it has mutual TLS.",
        "Use updateRequestOrigin() between origins with the same client certificate.",
    )


def _judge_update(
    distribution: Distribution, assigned: Target, change: UpdateOrigin
) -> Finding | None:
    origin = assigned.origin
    if isinstance(origin.config, CustomOrigin) and origin.config.is_vpc:
        return Finding(
            "CFF-ORG-13",
            f"The origin rewrite is invalid. {origin.id} is a VPC origin, which "
            "updateRequestOrigin cannot change.",
            "Choose another origin of the distribution with selectRequestOriginById().",
        )
    certificate = "" if change.is_mtls_off else _client_certificate(origin)
    domain = (change.domain_name or "").lower()
    for other in distribution.origins.values():
        if other.domain_name.lower() == domain and _client_certificate(other) != certificate:
            return Finding(
                "CFF-ORG-19",
                f"The origin rewrite is invalid. {origin.id} and {other.id} do not have the same "
                "client certificate.",
                "Give both the same one, or set mTLSConfig to 'off' for an origin without any.",
            )
    return None


async def ask_in_order(
    choice: Choice, request: Request, scene: Scene, ask: Callable[[Target], Awaitable[Fetched]]
) -> Fetched:
    """The answer of the primary or, for a configured code, of the secondary (CDN-OG).

    The secondary's answer is final, whatever it is.
    """
    primary, secondary = choice.primary, choice.secondary
    if secondary is None or not may_fail_over(request, scene.behavior.cached_methods):
        return await ask(primary)
    primary = replace(primary, gives_way_on=choice.status_codes)
    fetched = await ask(primary)
    if not primary.gives_way(fetched):
        return fetched
    await fetched.response.body.close()
    status = failover_status(fetched.response.status, fetched.detail)
    why = fetched.response.why or f"{primary.origin.id} answered"
    with scene.exchange.step("failover", before=request) as step:
        step.decision = Decision(
            "failover", f"{why}: on to {secondary.origin.id}", {"status": status}
        )
    return await ask(secondary)


def _selected(distribution: Distribution, change: SelectOrigin) -> Target:
    origin = _with_names(distribution.origins[change.origin_id], change)
    return Target(origin, change.host_header)


def _with_names(origin: Origin, change: SelectOrigin | UpdateOrigin) -> Origin:
    """The TLS names of the change (CFF-ORG-09)."""
    if origin.is_s3 or (change.sni is None and change.allowed_certificate_names is None):
        return origin
    return replace(
        origin,
        server_name=change.sni or "",
        allowed_certificate_names=change.allowed_certificate_names or (),
    )


def _updated(origin: Origin, change: UpdateOrigin, viewer_scheme: str) -> Target:
    """What the change names is replaced, the rest stays (CFF-ORG-02)."""
    config = origin.config
    custom = change.custom_origin
    is_bucket = origin.is_s3 if change.domain_name is None else bool(bucket_of(change.domain_name))
    if custom is not None and not is_bucket:  # CFF-ORG-11
        is_https = custom.protocol == "https"
        if isinstance(config, S3Origin):
            config = CustomOrigin(read_timeout_s=config.read_timeout_s)
        config = replace(
            config,
            protocol_policy="https-only" if is_https else "http-only",
            http_port=config.http_port if is_https else custom.port,
            https_port=custom.port if is_https else config.https_port,
            ssl_protocols=custom.ssl_protocols,
        )
    if change.read_timeout_s is not None:
        config = replace(config, read_timeout_s=change.read_timeout_s)
    if isinstance(config, CustomOrigin) and change.keepalive_timeout_s is not None:
        config = replace(config, keepalive_timeout_s=change.keepalive_timeout_s)
    if isinstance(config, CustomOrigin) and change.is_mtls_off:
        config = replace(config, client_certificate_arn="")
    headers = origin.custom_headers
    if change.custom_headers is not None:
        headers = Headers(change.custom_headers.items())
    updated = replace(
        origin,
        domain_name=_or(change.domain_name, origin.domain_name),
        config=config,
        origin_path=_or(change.origin_path, origin.origin_path),
        custom_headers=headers,
        connection_attempts=change.connection_attempts or origin.connection_attempts,
        connection_timeout_s=change.connection_timeout_s or origin.connection_timeout_s,
        response_completion_timeout_s=(
            change.response_completion_timeout_s or origin.response_completion_timeout_s
        ),
        access_control=_access_control(origin, change.access_control),
        origin_shield_region=_or(change.origin_shield_region, origin.origin_shield_region),
    )
    host = change.host_header
    if host is None and change.domain_name is not None:
        host = own_host(updated, viewer_scheme)
    return Target(_with_names(updated, change), host)


def _client_certificate(origin: Origin) -> str:
    config = origin.config
    return config.client_certificate_arn if isinstance(config, CustomOrigin) else ""


def _access_control(origin: Origin, change: AccessControl | None) -> OriginAccessControl | None:
    """Who signs for the changed origin: as the change says, else as before (CFF-ORG-10)."""
    if change is None:
        return origin.access_control
    if not change.enabled:
        return None
    behavior = SigningBehavior(change.signing_behavior)
    return OriginAccessControl("", change.origin_type, behavior, change.signing_protocol)


def _or(changed: str | None, kept: str) -> str:
    return kept if changed is None else changed
