"""The cache key: what makes two requests ask for the same object (CDN-KEY).

Always in it are the distribution and the raw path; the behavior's settings add headers, cookies
and query strings. The key reads the request as the viewer-request function left it (LE-ORDER-03).
Its parts are for people and say which setting put them there; the digest is for the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from edgeproxy.distribution.forwarded import accept_encoding, plan_of, taken_cookies, taken_query
from edgeproxy.distribution.model import Behavior, CachePolicy, Distribution, LegacyCacheSettings
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.viewer_headers import CANONICAL_NAMES
from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query

__all__ = ["CacheKey", "KeyPart", "cache_key"]

_DIGEST_BYTES: Final = 16
_ALWAYS: Final = "always in the key"


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One value of a key: ``header origin``, ``cookie ab``, ``path``; and the setting behind it."""

    label: str
    value: str
    because: str


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Keys are equal when their digests are.

    ``query`` is the query string as far as it is in the key, else None; invalidation compares it.
    """

    digest: bytes
    distribution_id: str = field(compare=False)
    path: str = field(compare=False)
    query: str | None = field(compare=False)
    parts: tuple[KeyPart, ...] = field(compare=False)


def cache_key(
    distribution: Distribution,
    behavior: Behavior,
    request: Request,
    generated: Mapping[str, str],
) -> CacheKey:
    """The key of ``request``; ``generated`` holds CloudFront's own headers for its viewer.

    What is missing from the request has no part, so it differs from an empty value (CDN-KEY-11).
    """
    plan, because = plan_of(behavior), _reasons(behavior)
    parts = [
        KeyPart("distribution", distribution.domain_name, _ALWAYS),
        *_tenant(distribution),
        KeyPart("path", request.path, _ALWAYS),
    ]
    if request.method == "OPTIONS":
        parts.append(KeyPart("method", "OPTIONS", "answers to OPTIONS are apart from those to GET"))
    if plan.keys_on_encoding:
        encoding, _ = accept_encoding(behavior, request)
        if encoding is not None:
            parts.append(KeyPart("header accept-encoding", encoding, because.encoding))
    for name in plan.key_headers:
        canonical = CANONICAL_NAMES.get(name)
        value = generated.get(canonical) if canonical else request.headers.joined(name)
        if value is not None:
            parts.append(KeyPart(f"header {name}", value, because.headers))
    parts += [
        KeyPart(f"cookie {name}", value, because.cookies)
        for name, value in taken_cookies(plan.key_cookies, request)
    ]
    query = taken_query(plan.key_query, request) or None
    # Each text is preceded by its length: no value can pass for a part of its own.
    identity = "".join(
        [f"{len(part.label)}:{part.label}{len(part.value)}:{part.value}" for part in parts]
    )
    if query is not None:
        identity += f"?{query}"
        parts += [
            KeyPart(f"query string {name}", value or "", because.query)
            for name, value in parse_query(query)
        ]
    digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
    return CacheKey(digest, distribution.id, request.path, query, tuple(parts))


def _tenant(distribution: Distribution) -> list[KeyPart]:
    """Tenants share the domain name of their connection group, but no objects."""
    if distribution.tenant is None:
        return []
    return [KeyPart("distribution tenant", distribution.id, _ALWAYS)]


@dataclass(frozen=True, slots=True)
class _Reasons:
    """The settings of one behavior, in words."""

    encoding: str
    headers: str
    cookies: str
    query: str


@PreparedOnce
def _reasons(behavior: Behavior) -> _Reasons:
    match behavior.cache:
        case LegacyCacheSettings() as legacy:
            query = "QueryString true"
            if legacy.query_string_cache_keys:
                query = "QueryStringCacheKeys"
            return _Reasons(
                "ForwardedValues: Compress and Accept-Encoding",
                f"ForwardedValues: headers {legacy.headers.kind}",
                f"ForwardedValues: cookies {legacy.cookies.kind}",
                f"ForwardedValues: {query}",
            )
        case CachePolicy() as policy:
            flags = {
                "EnableAcceptEncodingGzip": policy.enable_accept_encoding_gzip,
                "EnableAcceptEncodingBrotli": policy.enable_accept_encoding_brotli,
            }
            headers = f"headers {policy.headers.kind}"
            return _Reasons(
                f"{policy.name}: {', '.join(f for f, is_on in flags.items() if is_on) or headers}",
                f"{policy.name}: {headers}",
                f"{policy.name}: cookies {policy.cookies.kind}",
                f"{policy.name}: query strings {policy.query_strings.kind}",
            )
