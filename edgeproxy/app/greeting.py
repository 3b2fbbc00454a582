"""The first lines on the console: every URL, what is in force, and what is not honoured."""

from collections import Counter
from typing import Any

from edgeproxy.distribution.matching import local_name
from edgeproxy.distribution.model import CachePolicy, Distribution, ViewerProtocolPolicy
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.settings import Settings

__all__ = ["greeting"]


def greeting(loaded: Loaded, endpoints: dict[str, Any], settings: Settings) -> str:
    """What a person reads first."""
    project = loaded.project
    lines = ["edgeproxy is ready"]
    if len(project.distributions) > 1:
        host = local_name(next(iter(project.distributions.values())))
        lines.append(f"{endpoints['viewer']}  the distribution that the Host header names,")
        lines.append(f"    for example: curl -H 'Host: {host}' {endpoints['viewer']}/")
    for logical_id, distribution in project.distributions.items():
        url = endpoints["distributions"][logical_id]["url"]
        lines.append(f"{url}  distribution {logical_id} ({distribution.domain_name})")
        lines.append(f"    {_policies(distribution)}")
        lines += [f"    {line}" for line in _functions(distribution)]
        lines += _without_http(distribution)
        lines += _unprotected(distribution)
    for logical_id, function_url in endpoints["function_urls"].items():
        name = function_url["function"]
        lines.append(f"{function_url['url']}  function URL {logical_id} of {name}")
    for logical_id, balancer in endpoints["load_balancers"].items():
        for listener in balancer["listeners"]:
            lines.append(f"{listener['url']}  load balancer {logical_id}, port {listener['port']}")
    lines.append(f"{endpoints['control']}  control (JSON API, metrics)")
    lines += _report(loaded, verbose=settings.verbose)
    return "\n".join(lines)


def _policies(distribution: Distribution) -> str:
    behavior = distribution.default_behavior
    cache = behavior.cache
    parts = [
        f"cache policy {cache.name}" if isinstance(cache, CachePolicy) else "legacy cache settings"
    ]
    if behavior.origin_request_policy is not None:
        parts.append(f"origin request policy {behavior.origin_request_policy.name}")
    if behavior.response_headers_policy is not None:
        parts.append(f"response headers policy {behavior.response_headers_policy.name}")
    return ", ".join(parts)


def _without_http(distribution: Distribution) -> list[str]:
    """What cannot be reached, since viewers are served over HTTP only."""
    patterns = [
        behavior.path_pattern
        for behavior in (*distribution.behaviors, distribution.default_behavior)
        if behavior.viewer_protocol_policy is not ViewerProtocolPolicy.ALLOW_ALL
    ]
    if not patterns:
        return []
    return [
        f"    HTTPS is not served yet, and these behaviors want it: {', '.join(patterns)}",
        "    -> set their ViewerProtocolPolicy to allow-all while you work here",
    ]


def _unprotected(distribution: Distribution) -> list[str]:
    """What AWS would protect and this edge serves to everybody."""
    patterns = [
        behavior.path_pattern
        for behavior in (*distribution.behaviors, distribution.default_behavior)
        if behavior.trusted_key_groups
    ]
    if not patterns:
        return []
    return [
        f"    signed URLs and cookies are not checked yet: {', '.join(patterns)} serve everybody"
    ]


def _functions(distribution: Distribution) -> list[str]:
    lines = []
    for behavior in (distribution.default_behavior, *distribution.behaviors):
        names = [f"{f.event_type} {f.function}" for f in behavior.functions]
        if names:
            lines.append(f"{behavior.path_pattern}: {', '.join(names)}")
    return lines


def _report(loaded: Loaded, *, verbose: bool) -> list[str]:
    """What the definition says and the edge does not do as AWS does."""
    lines = loaded.project.report.lines
    counts = Counter(line.treatment for line in lines)
    notable = [line for line in lines if line.treatment is not Treatment.HONOURED]
    if not notable:
        return []
    total = (
        f"{counts[Treatment.HONOURED]} properties honoured, "
        f"{counts[Treatment.APPROXIMATED]} approximated, {counts[Treatment.IGNORED]} ignored"
    )
    if not verbose:
        return [f"{total} (--verbose or `edgeproxy check` lists them)"]
    return [
        total,
        *(f"    {line.treatment}: {line.place}: {line.why}" for line in notable),
    ]
