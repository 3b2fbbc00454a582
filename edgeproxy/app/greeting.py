"""The first lines on the console: every URL, what is in force, and what is not honoured."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

from edgeproxy.app.network import told_to_network
from edgeproxy.distribution.matching import local_name
from edgeproxy.distribution.model import CachePolicy, Distribution, ViewerProtocolPolicy
from edgeproxy.distribution.mutual_tls import ViewerMtlsMode
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.project.report import Severity
from edgeproxy.settings import Settings

__all__ = ["greeting", "refused"]


def greeting(
    loaded: Loaded,
    endpoints: dict[str, Any],
    settings: Settings,
    authority: Path | None = None,
    keys: str = "",
) -> str:
    """What a person reads first.

    ``authority`` is the certificate that HTTPS viewers must trust, ``keys`` what can be pressed.
    """
    project = loaded.project
    lines = ["edgeproxy is ready"]
    public = project.public_distributions
    if len(public) > 1:
        host = local_name(next(iter(public.values())))
        lines.append(f"{endpoints['viewer']}  the distribution that the Host header names,")
        lines.append(f"    for example: curl -H 'Host: {host}' {endpoints['viewer']}/")
        if endpoints["https_viewer"]:
            lines.append(f"    over HTTPS: {endpoints['https_viewer']}")
    for logical_id, distribution in project.distributions.items():
        url = endpoints["distributions"][logical_id]["url"]
        lines.append(f"{url or _STAGING}  {_title(distribution)}")
        lines.append(f"    {_policies(distribution)}")
        lines += [f"    {line}" for line in _functions(distribution)]
        if https_url := endpoints["distributions"][logical_id]["https_url"]:
            lines.append(f"    over HTTPS: {https_url}")
        elif url:
            lines += _without_https(distribution)
        lines += _mutual_tls(distribution)
        lines += _signed(distribution)
    for logical_id, function_url in endpoints["function_urls"].items():
        name = function_url["function"]
        lines.append(f"{function_url['url']}  function URL {logical_id} of {name}")
        if function_url["https_url"]:
            lines.append(f"    over HTTPS: {function_url['https_url']}")
    for logical_id, balancer in endpoints["load_balancers"].items():
        for listener in balancer["listeners"]:
            lines.append(f"{listener['url']}  load balancer {logical_id}, port {listener['port']}")
    lines += told_to_network(settings.host, endpoints["viewer"])
    if authority is not None:
        lines.append(f"viewers must trust the local authority: curl --cacert '{authority}'")
        lines.append("    browsers: `edgeproxy trust` says how, and does it")
    lines.append(f"{endpoints['control']}  inspector (and JSON API, metrics)")
    if keys:
        lines.append(f"    {keys}")
    lines += _report(loaded, verbose=settings.verbose)
    lines += refused(loaded)
    return "\n".join(lines)


_STAGING: Final = "behind its primary distribution:"


def _title(distribution: Distribution) -> str:
    if distribution.tenant is not None:
        return f"distribution tenant {distribution.logical_id} ({', '.join(distribution.aliases)})"
    return f"distribution {distribution.logical_id} ({distribution.domain_name})"


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


def _without_https(distribution: Distribution) -> list[str]:
    """What cannot be reached as long as viewers are served over HTTP only."""
    patterns = [
        behavior.path_pattern
        for behavior in distribution.all_behaviors
        if behavior.viewer_protocol_policy is not ViewerProtocolPolicy.ALLOW_ALL
    ]
    if not patterns:
        return []
    return [
        f"    these behaviors want HTTPS: {', '.join(patterns)}",
        "    -> give --https-port PORT; 0 takes a free one",
    ]


def _mutual_tls(distribution: Distribution) -> list[str]:
    """Who has to show a certificate, and what is missing for that."""
    mtls = distribution.viewer_mtls
    if mtls is None:
        return []
    line = f"    mutual TLS, client certificates {mtls.mode}"
    if distribution.connection_function:
        line += f", connection function {distribution.connection_function}"
    if mtls.mode is ViewerMtlsMode.PASSTHROUGH:
        return [line, "    viewers are not asked for certificates that nobody checks"]
    if not mtls.trust_store.ca_bundle:
        store = mtls.trust_store.id or "ID"
        return [
            line,
            "    the authorities' certificates are not here, so every certificate is refused",
            f"    -> give --trust-store {store}=PEM_FILE",
        ]
    return [line]


def _signed(distribution: Distribution) -> list[str]:
    """Who has to come with a signature, and the signers whose keys are not here."""
    patterns = [
        behavior.path_pattern
        for behavior in distribution.all_behaviors
        if behavior.trusted_key_groups
    ]
    if not patterns:
        return []
    lines = [f"    signed URLs or cookies only: {', '.join(patterns)}"]
    keyless = [name for name, keys in distribution.key_groups.items() if not keys]
    if keyless:
        lines += [
            f"    no public key is known of {', '.join(keyless)}: what they sign is refused",
            "    -> give --public-key KEY_PAIR_ID=PEM_FILE",
        ]
    return lines


def _functions(distribution: Distribution) -> list[str]:
    lines = []
    for behavior in distribution.all_behaviors:
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


def refused(loaded: Loaded) -> list[str]:
    """That AWS would not take the definition, which runs here all the same."""
    count = len({each for each in loaded.findings if each.severity is Severity.ERROR})
    if not count:
        return []
    many = "" if count == 1 else "s"
    return [f"AWS would refuse this definition: {count} error{many} (`edgeproxy check` lists them)"]
