"""Calls about distributions: behaviors in order, with their policies, functions and origins."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    Distribution,
    LegacyCacheSettings,
    Origin,
    OriginRequestPolicy,
    Selection,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.exchange.text import carried
from edgeproxy.inspector.calls import answered
from edgeproxy.inspector.controlled import Controlled

__all__ = ["DistributionCalls"]


class DistributionCalls:
    """What the definition declares, as it is served."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """``/api/distributions``."""
        return [web.get("/api/distributions", self._all)]

    async def _all(self, request: web.Request) -> web.Response:
        endpoints: Any = self._controlled.endpoints()["distributions"]
        documents = [
            _distribution(each, endpoints.get(each.logical_id, {}), self._controlled.mapped_to)
            for each in self._controlled.distributions
        ]
        return answered({"distributions": carried(documents)})


def _distribution(
    distribution: Distribution,
    endpoint: dict[str, str | None],
    mapped_to: Callable[[Origin], str | None],
) -> dict[str, object]:
    return {
        "id": distribution.id,
        "logical_id": distribution.logical_id,
        "domain_name": distribution.domain_name,
        "url": endpoint.get("url"),
        "https_url": endpoint.get("https_url"),
        "aliases": list(distribution.aliases),
        "enabled": distribution.enabled,
        "staging": distribution.staging,
        "http_version": distribution.http_version,
        "default_root_object": distribution.default_root_object or None,
        # In the order in which they are tried: the default one takes what no other does.
        "behaviors": [
            *(_behavior(each, is_default=False) for each in distribution.behaviors),
            _behavior(distribution.default_behavior, is_default=True),
        ],
        "origins": [
            {
                "id": origin.id,
                "domain_name": origin.domain_name,
                "path": origin.origin_path,
                "mapped_to": mapped_to(origin),
                "kind": "s3" if origin.is_s3 else "custom",
                "shield": origin.origin_shield_region or None,
            }
            for origin in distribution.origins.values()
        ],
        "origin_groups": [
            {
                "id": group.id,
                "members": [group.primary, group.secondary],
                "status_codes": sorted(group.status_codes),
            }
            for group in distribution.origin_groups.values()
        ],
        "error_pages": [
            {
                "error_code": page.error_code,
                "response_code": page.response_code,
                "response_page_path": page.response_page_path or None,
                "error_caching_min_ttl_s": page.error_caching_min_ttl_s,
            }
            for page in distribution.custom_error_responses.values()
        ],
    }


def _behavior(behavior: Behavior, *, is_default: bool) -> dict[str, object]:
    cache = behavior.cache
    return {
        "path_pattern": behavior.path_pattern,
        "default": is_default,
        "origin": behavior.target_origin_id,
        "cache_policy": _cache_policy(cache) if isinstance(cache, CachePolicy) else None,
        "legacy_cache_settings": _legacy(cache) if isinstance(cache, LegacyCacheSettings) else None,
        "origin_request_policy": _origin_request_policy(behavior.origin_request_policy),
        "response_headers_policy": _response_headers_policy(behavior.response_headers_policy),
        "viewer_protocol_policy": behavior.viewer_protocol_policy,
        "allowed_methods": list(behavior.allowed_methods),
        "cached_methods": list(behavior.cached_methods),
        "compress": behavior.compress,
        "signed": bool(behavior.trusted_key_groups),
        "functions": [
            {
                "event_type": association.event_type,
                "name": association.function,
                "qualifier": association.qualifier,
                "kind": association.kind,
                "include_body": association.include_body,
            }
            for association in behavior.functions
        ],
    }


def _cache_policy(policy: CachePolicy) -> dict[str, object]:
    return {
        "id": policy.id,
        "name": policy.name,
        **_lifetimes(policy),
        "headers": _selection(policy.headers),
        "cookies": _selection(policy.cookies),
        "query_strings": _selection(policy.query_strings),
        "gzip": policy.enable_accept_encoding_gzip,
        "brotli": policy.enable_accept_encoding_brotli,
    }


def _legacy(settings: LegacyCacheSettings) -> dict[str, object]:
    return {
        **_lifetimes(settings),
        "headers": _selection(settings.headers),
        "cookies": _selection(settings.cookies),
        "query_string": settings.query_string,
        "query_string_cache_keys": list(settings.query_string_cache_keys),
    }


def _lifetimes(settings: CachePolicy | LegacyCacheSettings) -> dict[str, object]:
    return {
        "min_ttl_s": settings.min_ttl_s,
        "default_ttl_s": settings.default_ttl_s,
        "max_ttl_s": settings.max_ttl_s,
    }


def _origin_request_policy(policy: OriginRequestPolicy | None) -> dict[str, object] | None:
    if policy is None:
        return None
    return {
        "id": policy.id,
        "name": policy.name,
        "headers": _selection(policy.headers),
        "cookies": _selection(policy.cookies),
        "query_strings": _selection(policy.query_strings),
    }


def _response_headers_policy(policy: ResponseHeadersPolicy | None) -> dict[str, object] | None:
    if policy is None:
        return None
    headers = [each.name for each in (*policy.security_headers, *policy.custom_headers)]
    return {
        "id": policy.id,
        "name": policy.name,
        "cors": policy.cors is not None,
        "sets": headers,
        "removes": list(policy.remove_headers),
        "server_timing": policy.server_timing.enabled,
    }


def _selection(selection: Selection) -> dict[str, object]:
    return {"kind": selection.kind, "names": list(selection.names)}
