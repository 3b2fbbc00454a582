"""The cache key: what makes two requests ask for the same object (CDN-KEY).

Always in it are the distribution and the raw path; the behavior's settings add headers, cookies
and query strings. The key reads the request as the viewer-request function left it (LE-ORDER-03).
Its parts are for people and say which setting put them there; the digest is for the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol

from edgeproxy.cache.invalidation import Keyed
from edgeproxy.distribution.forwarded import accept_encoding, plan_of, taken_cookies, taken_query
from edgeproxy.distribution.model import Behavior, CachePolicy, Distribution, LegacyCacheSettings
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.viewer_headers import CANONICAL_NAMES
from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query

__all__ = ["CacheKey", "KeyPart", "Variant", "cache_key", "restored_key", "variant_of"]

_DIGEST_BYTES: Final = 16
_ENCODING: Final = "header accept-encoding"
_ALWAYS: Final = ("distribution", "path")


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One value of a key: ``header origin``, ``cookie ab``, ``path``; and the setting behind it."""

    label: str
    value: str
    because: str


@dataclass(frozen=True, slots=True)
class _Reasons:
    """The settings of one behavior, in words."""

    encoding: str = ""
    headers: str = ""
    cookies: str = ""
    query: str = ""

    def of(self, label: str) -> str:
        """What puts a part of that label into the key."""
        match label.partition(" ")[0]:
            case "header":
                return self.encoding if label == _ENCODING else self.headers
            case "cookie":
                return self.cookies
            case "method":
                return "answers to OPTIONS are apart from those to GET"
            case _:
                return "always in the key"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Keys are equal when their digests are.

    ``query`` is the query string as far as it is in the key, else None; invalidation compares it.
    ``values`` are labels and values of what else is in it.
    """

    digest: bytes
    distribution_id: str = field(compare=False)
    path: str = field(compare=False)
    query: str | None = field(compare=False)
    values: tuple[tuple[str, str], ...] = field(compare=False)
    reasons: _Reasons = field(default=_Reasons(), compare=False)

    @property
    def parts(self) -> tuple[KeyPart, ...]:
        """All that is in the key, and why; built only when somebody asks."""
        parts = [KeyPart(label, value, self.reasons.of(label)) for label, value in self.values]
        parts += [
            KeyPart(f"query string {name}", value or "", self.reasons.query)
            for name, value in parse_query(self.query or "")
        ]
        return tuple(parts)


def cache_key(
    distribution: Distribution,
    behavior: Behavior,
    request: Request,
    generated: Mapping[str, str],
) -> CacheKey:
    """The key of ``request``; ``generated`` holds CloudFront's own headers for its viewer.

    What is missing from the request has no part, so it differs from an empty value (CDN-KEY-11).
    """
    plan = plan_of(behavior)
    values = [("distribution", distribution.domain_name)]
    if distribution.tenant is not None:
        # Tenants share the domain name of their connection group, but no objects.
        values.append(("distribution tenant", distribution.id))
    values.append(("path", request.path))
    if request.method == "OPTIONS":
        values.append(("method", "OPTIONS"))
    if plan.keys_on_encoding:
        encoding, _ = accept_encoding(behavior, request)
        if encoding is not None:
            values.append((_ENCODING, encoding))
    for name in plan.key_headers:
        canonical = CANONICAL_NAMES.get(name)
        value = generated.get(canonical) if canonical else request.headers.joined(name)
        if value is not None:
            values.append((f"header {name}", value))
    values += [
        (f"cookie {name}", value) for name, value in taken_cookies(plan.key_cookies, request)
    ]
    query = taken_query(plan.key_query, request) or None
    # Each text is preceded by its length: no value can pass for a part of its own.
    identity = "".join([f"{len(label)}:{label}{len(value)}:{value}" for label, value in values])
    if query is not None:
        identity += f"?{query}"
    digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
    return CacheKey(digest, distribution.id, request.path, query, tuple(values), _reasons(behavior))


class Variant(Keyed, Protocol):
    """What a stored object still has of its key."""

    @property
    def variant(self) -> str: ...


def variant_of(key: CacheKey) -> str:
    """What is in the key beside distribution, path and query, in one text for a stored object."""
    return _packed(key.values)


@lru_cache(1024)  # Most objects share theirs with many others.
def _packed(values: tuple[tuple[str, str], ...]) -> str:
    # No header or cookie can hold a NUL.
    return "\0".join([text for pair in values if pair[0] not in _ALWAYS for text in pair])


def restored_key(
    distribution: Distribution, behavior: Behavior, digest: bytes, stored: Variant
) -> CacheKey:
    """The key of a stored object, with the settings as they are now behind its parts."""
    texts = stored.variant.split("\0") if stored.variant else []
    values = [("distribution", distribution.domain_name), ("path", stored.path)]
    values += zip(texts[::2], texts[1::2], strict=True)
    return CacheKey(
        digest, distribution.id, stored.path, stored.query, tuple(values), _reasons(behavior)
    )


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
