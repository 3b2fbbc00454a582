"""Where every origin's bytes come from: the options win over the definition."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeproxy.app.aws_services import s3_endpoint
from edgeproxy.distribution.aws_names import is_function_url
from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.errors import UsageError
from edgeproxy.http.messages import Delivered, Handler, Request, Response
from edgeproxy.origins.destinations import Destinations, parse_mapping
from edgeproxy.origins.signing import UNSIGNED_PAYLOAD
from edgeproxy.origins.tls import check_certificate
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.entrypoints.function_url import FunctionUrlDoor

__all__ = ["destinations_of"]


def destinations_of(
    loaded: Loaded,
    settings: Settings,
    inner_door: Callable[[str], Handler | None],
    tell: Callable[[str], None],
) -> Destinations:
    """The destinations of what was loaded.

    ``inner_door`` gives the door of the same project that a target like ``function-url:ApiUrl``
    names, None for other targets; ``tell`` hears of an ``--origin`` or ``--origin-host`` that names
    nothing.
    """
    declared = [
        origin
        for distribution in loaded.project.distributions.values()
        for origin in distribution.origins.values()
    ]
    mapping = dict(loaded.origins)
    for option in settings.origin:
        name, target = parse_mapping(option)
        hosts = [host for host, logical_id in loaded.stand_ins.items() if logical_id == name]
        mapping |= dict.fromkeys([name, *hosts], target)
        _tell_unknown(name, declared, loaded, tell)
    for name in settings.origin_host:
        _tell_unknown(name, declared, loaded, tell)
    handlers: dict[str, Handler] = {}
    for name, target in list(mapping.items()):
        door = inner_door(target)
        if door is not None:
            handlers[name] = _as_origin(name, door)
            del mapping[name]
    return Destinations(
        mapping,
        handlers=handlers,
        origin_hosts=frozenset(settings.origin_host),
        declared=declared,
        s3_endpoint=s3_endpoint(settings, os.environ),
        certificates=_certificates(settings, declared, tell),
    )


def _certificates(
    settings: Settings, declared: list[Origin], tell: Callable[[str], None]
) -> dict[str, Path]:
    """What is shown to origins with mutual TLS, by ARN or origin ID (CDN-CFG-076)."""
    wanted = {
        name
        for origin in declared
        if isinstance(origin.config, CustomOrigin) and origin.config.client_certificate_arn
        for name in (origin.id, origin.config.client_certificate_arn)
    }
    given: dict[str, Path] = {}
    for text in settings.origin_certificate:
        name, _, file = text.partition("=")
        if not (name and file):
            raise UsageError(f"--origin-certificate {text!r} is not of the form ARN_OR_ID=PEM_FILE")
        check_certificate(f"--origin-certificate {name}", Path(file))
        if name not in wanted:
            tell(f"no origin with OriginMtlsConfig has the ID or certificate {name!r}")
        given[name] = Path(file)
    return given


def _tell_unknown(
    name: str, declared: list[Origin], loaded: Loaded, tell: Callable[[str], None]
) -> None:
    """Tell when an option names no origin that is declared.

    A domain name or address is left alone: a function may send requests there (LE-ORG-02), or
    a load balancer.
    """
    groups = {
        group.logical_id
        for balancer in loaded.project.load_balancers.values()
        for group in balancer.target_groups.values()
        if not group.function
    }
    ids = {origin.id for origin in declared} | set(loaded.stand_ins.values()) | groups
    domains = {origin.domain_name.lower() for origin in declared}
    may_be_host = "." in name or ":" in name
    if not may_be_host and name not in ids and name.lower() not in domains:
        there = ", ".join(sorted(ids | domains)) or "none"
        tell(f"no origin has the ID or domain name {name!r} (there is {there})")


def _as_origin(name: str, door: Handler) -> Handler:
    """A door of the project as an origin: its own record ends when the edge has its answer."""
    from edgeproxy.entrypoints.function_url import FunctionUrlDoor

    async def ask(request: Request) -> Response:
        if isinstance(door, FunctionUrlDoor) and (why := _refused(name, door, request)):
            return replace(door.refuse(403), why=why)
        response = await door(request)
        if response.on_delivered is not None:
            response.on_delivered(Delivered(response.body.length or 0))
        return replace(response, on_delivered=None, repeat=None)

    return ask


def _refused(name: str, door: "FunctionUrlDoor", request: Request) -> str:
    """Why Lambda does not let a distribution's request through to a function; empty if it does."""
    if is_function_url(name) and request.host.lower() != name.lower():
        return f"a function URL answers to its own name, not to Host {request.host} (CDN-S3-16)"
    is_unsigned = request.headers.get("X-Amz-Content-SHA256") == UNSIGNED_PAYLOAD
    if door.url.auth_type == "AWS_IAM" and is_unsigned:
        return "a body needs its hash in the viewer's x-amz-content-sha256 (CDN-S3-15)"
    return ""
