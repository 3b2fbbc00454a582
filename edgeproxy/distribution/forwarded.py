"""What a behavior takes from a request: into the cache key, and to the origin.

Everything in the key also goes to the origin (CDN-KEY-03); an origin request policy adds to that
(CDN-ORP-02). Legacy settings do both jobs alone. The answers are worked out once per behavior.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, Protocol, TypeAlias

from edgeproxy.distribution.managed import (
    ALL_VIEWER_EXCEPT_HOST_HEADER_ID,
    CLOUDFRONT_HEADERS_2022_06,
)
from edgeproxy.distribution.matching import wildcard
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    LegacyCacheSettings,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.signed_requests import SIGNING_COOKIES, SIGNING_PARAMETERS
from edgeproxy.distribution.viewer_headers import CANONICAL_NAMES, GENERATED_NAMES
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request
from edgeproxy.http.query import format_query, parse_query

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "NameSet",
    "Names",
    "Part",
    "Plan",
    "accept_encoding",
    "forwards_cookies",
    "plan_of",
    "taken_by",
    "taken_cookies",
    "taken_query",
]


Part: TypeAlias = Literal["headers", "cookies", "query strings"]


class NameSet(Protocol):
    """Which names are taken."""

    def __contains__(self, name: object) -> bool: ...

    @property
    def is_empty(self) -> bool: ...

    def without(self, names: frozenset[str]) -> "NameSet": ...


@dataclass(frozen=True, slots=True)
class Names:
    """The names listed, or with ``is_block_list`` all names but those."""

    listed: frozenset[str] = frozenset()
    is_block_list: bool = False

    def __contains__(self, name: object) -> bool:
        return (name in self.listed) is not self.is_block_list

    @property
    def is_empty(self) -> bool:
        return not (self.listed or self.is_block_list)

    def without(self, names: frozenset[str]) -> "Names":
        """These names except ``names``."""
        if self.is_block_list:
            return Names(self.listed | names, is_block_list=True)
        return Names(self.listed - names)

    def union(self, other: "Names") -> "Names":
        """What goes to the origin when one policy takes these and the other those (CDN-ORP-04)."""
        if EVERYTHING in (self, other):
            return EVERYTHING
        if self.is_block_list and other.is_block_list:
            # A name in either block list stays out.
            return Names(self.listed | other.listed, is_block_list=True)
        if self.is_block_list:
            return Names(self.listed - other.listed, is_block_list=True)
        if other.is_block_list:
            return other.union(self)
        return Names(self.listed | other.listed)


NOTHING: Final = Names()
EVERYTHING: Final = Names(is_block_list=True)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Cookie names of legacy settings, which may hold ``*`` and ``?`` (CDN-KEY-35)."""

    expressions: tuple[re.Pattern[str], ...]
    excluded: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return (
            isinstance(name, str)
            and name not in self.excluded
            and any(expression.fullmatch(name) for expression in self.expressions)
        )

    @property
    def is_empty(self) -> bool:
        return not self.expressions

    def without(self, names: frozenset[str]) -> "_Patterns":
        return _Patterns(self.expressions, self.excluded | names)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one behavior takes. Header names are lower-case; other names keep their case.

    ``key_headers`` is sorted and leaves ``accept-encoding`` out, which :func:`accept_encoding`
    answers for; ``generated`` holds CloudFront's own headers for the origin, as they are spelled.
    """

    is_legacy: bool
    key_headers: tuple[str, ...]
    key_cookies: NameSet
    key_query: NameSet
    headers: Names
    """The viewer's headers that the settings name for the origin."""
    generated: tuple[str, ...]
    cookies: NameSet
    query: NameSet
    codings: tuple[str, ...]
    """The codings ``Accept-Encoding`` is reduced to; none when it is an ordinary header."""
    keys_on_encoding: bool
    """``Accept-Encoding``, reduced or ordinary, is in the key."""


@PreparedOnce
def plan_of(behavior: Behavior) -> Plan:
    """The plan of ``behavior``."""
    settings = behavior.cache
    if isinstance(settings, LegacyCacheSettings):
        plan = _legacy_plan(settings, behavior.compress)
    else:
        plan = _policies_plan(settings, behavior.origin_request_policy)
    return _without_signatures(plan) if behavior.trusted_key_groups else plan


def _policies_plan(cache: CachePolicy, origin_request: OriginRequestPolicy | None) -> Plan:
    more = origin_request or OriginRequestPolicy("")
    keyed = _header_names(cache.headers)
    # Authorization cannot be listed by name in an origin request policy (CDN-ORP-07).
    added = _header_names(more.headers)
    if not added.is_block_list:
        added = added.without(frozenset({"authorization"}))
    key_cookies, key_query = _names(cache.cookies), _names(cache.query_strings)
    flags = {
        "br": cache.enable_accept_encoding_brotli,
        "gzip": cache.enable_accept_encoding_gzip,
    }
    codings = tuple(coding for coding, is_on in flags.items() if is_on)
    cloudfront = [*cache.headers.names]
    if more.headers.kind is not SelectionKind.ALL_EXCEPT:
        cloudfront += more.headers.names
    if more.id == ALL_VIEWER_EXCEPT_HOST_HEADER_ID:
        cloudfront += CLOUDFRONT_HEADERS_2022_06
    return Plan(
        is_legacy=False,
        key_headers=_key_headers(keyed),
        key_cookies=key_cookies,
        key_query=key_query,
        headers=keyed.union(added),
        generated=_generated(cloudfront),
        cookies=key_cookies.union(_names(more.cookies)),
        query=key_query.union(_names(more.query_strings)),
        codings=codings,
        keys_on_encoding=bool(codings) or "accept-encoding" in keyed,
    )


def _legacy_plan(settings: LegacyCacheSettings, compress: bool) -> Plan:
    headers = _header_names(settings.headers)
    # A listed Accept-Encoding is a header like any other (CDN-KEY-31).
    is_ordinary = "accept-encoding" in headers
    cookies: NameSet = _names(settings.cookies)
    if settings.cookies.kind is SelectionKind.WHITELIST:
        cookies = _Patterns(tuple(wildcard(name) for name in settings.cookies.names))
    query = key_query = EVERYTHING if settings.query_string else NOTHING
    if settings.query_string and settings.query_string_cache_keys:
        key_query = Names(frozenset(settings.query_string_cache_keys))
    return Plan(
        is_legacy=True,
        # With * nothing is cached (CDN-KEY-30), so the key needs no header.
        key_headers=_key_headers(headers),
        key_cookies=cookies,
        key_query=key_query,
        headers=headers,
        generated=_generated(settings.headers.names),
        cookies=cookies,
        query=query,
        codings=() if is_ordinary else ("gzip",),
        keys_on_encoding=compress or is_ordinary,
    )


def _without_signatures(plan: Plan) -> Plan:
    """Signatures neither split the cache nor reach the origin (CDN-KEY-15, CDN-SGN-05)."""
    return replace(
        plan,
        key_cookies=plan.key_cookies.without(SIGNING_COOKIES),
        key_query=plan.key_query.without(SIGNING_PARAMETERS),
        cookies=plan.cookies.without(SIGNING_COOKIES),
        query=plan.query.without(SIGNING_PARAMETERS),
    )


def _names(selection: Selection) -> Names:
    match selection.kind:
        case SelectionKind.NONE:
            return NOTHING
        case SelectionKind.WHITELIST:
            return Names(frozenset(selection.names))
        case SelectionKind.ALL_EXCEPT:
            return Names(frozenset(selection.names), is_block_list=True)
        case (
            SelectionKind.ALL
            | SelectionKind.ALL_VIEWER
            | SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT
        ):
            return EVERYTHING


def _header_names(selection: Selection) -> Names:
    return _names(Selection(selection.kind, tuple(name.lower() for name in selection.names)))


def _key_headers(keyed: Names) -> tuple[str, ...]:
    if keyed.is_block_list:
        return ()
    return tuple(sorted(keyed.listed - {"accept-encoding"}))


def _generated(names: Iterable[str]) -> tuple[str, ...]:
    asked = {name.lower() for name in names} & GENERATED_NAMES
    return tuple(CANONICAL_NAMES[name] for name in sorted(asked))


def taken_by(behavior: Behavior, part: Part, name: str) -> str:
    """The setting that takes ``name`` to the origin, as the definition calls it; else empty."""
    plan, settings = plan_of(behavior), behavior.cache
    keyed: Container[str]
    taken: Container[str]
    match part:
        case "headers":
            name = name.lower()
            keyed, taken = plan.key_headers, plan.headers
            if CANONICAL_NAMES.get(name) in plan.generated:
                taken = (name,)
        case "cookies":
            keyed, taken = plan.key_cookies, plan.cookies
        case "query strings":
            keyed, taken = plan.key_query, plan.query
    if name not in taken:
        return ""
    if isinstance(settings, LegacyCacheSettings):
        return f"ForwardedValues: {part}"
    policy = settings if name in keyed else behavior.origin_request_policy or settings
    selections = {
        "headers": policy.headers,
        "cookies": policy.cookies,
        "query strings": policy.query_strings,
    }
    return f"{policy.name}: {part} {selections[part].kind}"


def forwards_cookies(behavior: Behavior) -> bool:
    """Whether any cookie may reach the origin (CDN-VAL-02, CDN-COL-04, CDN-RSP-04)."""
    return not plan_of(behavior).cookies.is_empty


def taken_cookies(names: NameSet, request: Request) -> list[tuple[str, str]]:
    """The request's cookies among ``names``, ordered by name (CDN-KEY-14)."""
    if names.is_empty:
        return []
    cookies = parse_cookies(request.headers.get_all("Cookie"))
    return sorted((cookie for cookie in cookies if cookie[0] in names), key=lambda c: c[0])


def taken_query(names: NameSet, query: str | None) -> str | None:
    """The parameters of ``query`` among ``names``, in the order sent; None when none is left."""
    if query is None or names is EVERYTHING:
        return query
    if names.is_empty:
        return None
    kept = [pair for pair in parse_query(query) if pair[0] in names]
    return format_query(kept) if kept else None


def accept_encoding(behavior: Behavior, request: Request) -> tuple[str | None, str | None]:
    """``Accept-Encoding`` as it stands in the key, and as the origin gets it.

    None means absent. Reduced to the codings the settings care about (CDN-KEY-20 to 33), or an
    ordinary header where they care about none. HTTP/1.0 viewers have none (CDN-CMP-06).
    """
    plan = plan_of(behavior)
    value = request.headers.joined("Accept-Encoding")
    if value is None or request.version == "1.0":
        return None, None
    if plan.codings:
        reduced = _reduced(value, plan.codings)
        to_origin = reduced if reduced or plan.is_legacy else "identity"
    else:
        reduced = value
        to_origin = value if "accept-encoding" in plan.headers else None
    return (reduced if plan.keys_on_encoding else None), to_origin


@lru_cache(maxsize=512)
def _reduced(value: str, codings: tuple[str, ...]) -> str | None:
    """Those of ``codings`` that a header accepts."""
    accepted = _accepted(value)
    return ",".join(coding for coding in codings if coding in accepted) or None


def _accepted(value: str) -> frozenset[str]:
    """The codings a header names and does not refuse with ``q=0`` (CDN-KEY-27, U)."""
    codings = set()
    for element in value.split(","):
        coding, *parameters = (part.strip(" \t").lower() for part in element.split(";"))
        if not any(_is_zero(parameter) for parameter in parameters):
            codings.add(coding)
    return frozenset(codings)


def _is_zero(parameter: str) -> bool:
    """``q=0``, ``q=0.0`` and so on."""
    return re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter) is not None
