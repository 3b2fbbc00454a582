"""Cache poisoning and cache deception: what one viewer sends, and what the next one gets.

Each row is a shape of attack, with settings under which CloudFront is safe from it, or is not: a
stand-in that protects where CloudFront does not would hide the hole until production. Poisoned
means that the victim gets something else than without the attack.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.delivery import (
    ALL_VIEWER,
    CACHING_DISABLED,
    cache_policy,
    legacy,
    origin_request_policy,
)
from tests.support.origin import Answer, Got, Origin

Deliver: TypeAlias = Callable[..., Site]

FRESH = {"Cache-Control": "max-age=60"}
WITH_COOKIES = {"forward": origin_request_policy(cookies="all")}


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str = "/p"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    def of(self, site: Site) -> SiteResponse:
        return site.request(self.method, self.path, headers=self.headers, body=self.body)


def reflect(*names: str) -> Callable[[Got], Answer]:
    """An origin whose page holds these request headers."""
    return lambda got: Answer(200, FRESH, repr([got.header(name) for name in names]).encode())


def refuse(status: int, name: str, control: str = "") -> Callable[[Got], Answer]:
    """An origin that answers with an error when it sees a header."""
    headers = {"Cache-Control": control} if control else {}
    return lambda got: Answer(status, headers) if got.header(name) else Answer(200, FRESH)


def by_target(got: Got) -> Answer:
    """An origin whose page is about the path and the query string."""
    return Answer(200, FRESH, got.target.encode())


def splits_at_semicolons(got: Got) -> Answer:
    """An origin for which ``;`` separates parameters, and the last one of a name counts."""
    pairs = [p.partition("=") for p in got.target.partition("?")[2].replace(";", "&").split("&")]
    return Answer(200, FRESH, {name: value for name, _, value in pairs}.get("q", "").encode())


def decodes_paths(got: Got) -> Answer:
    """An origin that decodes and resolves a path before it looks for the page."""
    path = got.target.replace("%2f", "/").replace("%2e", ".").replace("\\", "/")
    return Answer(200, FRESH, b"secret of the victim" if "/../account" in path else b"asset")


def by_condition(status: int, name: str, **headers: str) -> Callable[[Got], Answer]:
    """An origin that heeds a condition or a range of the viewer."""
    lines = {key.replace("_", "-"): value for key, value in headers.items()}
    whole = Answer(200, {**FRESH, "ETag": '"1"'}, b"0123456789")
    body = b"" if status == 304 else b"012"
    return lambda got: Answer(status, lines, body) if got.header(name) else whole


def by_encoding(got: Got) -> Answer:
    if "gzip" in (got.header("Accept-Encoding") or ""):
        return Answer(200, {**FRESH, "Content-Encoding": "gzip"}, gzip.compress(b"x", mtime=0))
    return Answer(200, FRESH, b"x")


def by_language(vary: str) -> Callable[[Got], Answer]:
    return lambda got: Answer(
        200, {**FRESH, "Vary": vary}, (got.header("Accept-Language") or "").encode()
    )


def with_session(control: str = "max-age=60") -> Callable[[Got], Answer]:
    """An origin that gives whoever has none a session; the attacker asks for one by name."""
    return lambda got: Answer(
        200, {"Cache-Control": control, "Set-Cookie": f"s={got.header('Cookie') or 'new'}"}
    )


def row(name: str, rules: str, outcome: str, settings: Any, origin: Any, attack: Asked,
        victim: Asked = Asked()) -> Any:  # fmt: skip
    marks = pytest.mark.rule(*rules.split())
    return pytest.param(
        outcome == "poisoned", settings, origin, attack, victim, id=name, marks=marks
    )


HOST = "X-Forwarded-Host"
EVIL_HOST = Asked(headers={HOST: "evil.example"})
LISTED = {"forward": origin_request_policy(headers=f"whitelist {HOST}")}
VIEWER = {"forward": ALL_VIEWER}
OVERRIDE = Asked(headers={"X-HTTP-Method-Override": "PUT"})
LONG = Asked(headers={"X-Long": "x" * 9_000})
GZIP = Asked(headers={"Accept-Encoding": "gzip"})
GERMAN = Asked(headers={"Accept-Language": "de"})
LOGGED_IN = Asked(headers={"Authorization": "Basic dmljdGlt"})
SESSION = Asked(headers={"Cookie": "evil"})

SHAPES = [
    # Headers that the key does not know
    row("unkeyed header, not forwarded", "CDN-HDR-02", "safe", {}, reflect(HOST), EVIL_HOST),
    row("unkeyed header, forwarded by a policy", "CDN-ORP-02", "poisoned", LISTED, reflect(HOST),
        EVIL_HOST),
    row("unkeyed header, all viewer headers forwarded", "CDN-ORP-02", "poisoned", VIEWER,
        reflect(HOST), EVIL_HOST),
    row("header in the key", "CDN-KEY-03", "safe",
        {"cache": cache_policy(headers=f"whitelist {HOST}")}, reflect(HOST), EVIL_HOST),
    row("legacy settings send unknown headers on", "CDN-HDR-02 CDN-KEY-37", "poisoned", legacy(),
        reflect(HOST), EVIL_HOST),
    row("X-Forwarded-Proto is never sent", "CDN-HDR-13", "safe", VIEWER,
        reflect("X-Forwarded-Proto"), Asked(headers={"X-Forwarded-Proto": "http"})),
    row("X-Forwarded-For is always sent, the viewer's value in front", "CDN-HDR-06", "poisoned",
        {}, reflect("X-Forwarded-For"), Asked(headers={"X-Forwarded-For": "evil"})),
    row("Origin is always sent", "CDN-HDR-03", "poisoned", {}, reflect("Origin"),
        Asked(headers={"Origin": "https://evil.example"})),
    row("Referer is removed", "CDN-HDR-11", "safe", {}, reflect("Referer"),
        Asked(headers={"Referer": "https://evil.example/"})),
    row("a forged CloudFront header", "CDN-HDR-20", "safe",
        {"cache": cache_policy(headers="whitelist CloudFront-Viewer-Country")},
        reflect("CloudFront-Viewer-Country"), Asked(headers={"CloudFront-Viewer-Country": "XX"})),
    row("Authorization of a GET is removed", "CDN-HDR-30", "safe", {}, reflect("Authorization"),
        LOGGED_IN),
    row("Authorization forwarded and not in the key", "CDN-TTL-31 CDN-ORP-07", "poisoned", VIEWER,
        reflect("Authorization"), LOGGED_IN),
    # Host
    row("Host is replaced", "CDN-HDR-10 CDN-KEY-02", "safe", {}, reflect("Host"),
        Asked(headers={"Host": "evil.example"})),
    row("Host forwarded and not in the key", "CDN-ORP-06 CDN-KEY-02", "poisoned", VIEWER,
        reflect("Host"), Asked(headers={"Host": "evil.example"})),
    row("Host with a port forwarded", "CDN-ORP-06 CDN-KEY-02", "poisoned", VIEWER, reflect("Host"),
        Asked(headers={"Host": "site.example:1337"}), Asked(headers={"Host": "site.example"})),
    row("Host in the key", "CDN-KEY-03", "safe", {"cache": cache_policy(headers="whitelist Host")},
        reflect("Host"), Asked(headers={"Host": "evil.example"})),
    # Methods
    row("method override not forwarded", "CDN-HDR-02", "safe", {},
        refuse(404, "X-HTTP-Method-Override"), OVERRIDE),
    row("method override removed under legacy settings", "CDN-HDR-01", "safe", legacy(),
        refuse(404, "X-HTTP-Method-Override"), OVERRIDE),
    row("method override forwarded", "CDN-ORP-02 CDN-ERR-03", "poisoned", VIEWER,
        refuse(501, "X-HTTP-Method-Override"), OVERRIDE),
    row("HEAD before GET", "CDN-MTH-08", "safe", {},
        lambda got: Answer(200, FRESH, got.method.encode()), Asked(method="HEAD")),
    row("POST before GET", "CDN-MTH-03", "safe", {},
        lambda got: Answer(200, FRESH, got.method.encode()), Asked(method="POST", body=b"evil")),
    row("cached OPTIONS before GET", "CDN-MTH-05", "safe",
        {"CachedMethods": ["GET", "HEAD", "OPTIONS"]},
        lambda got: Answer(200, FRESH, got.method.encode()), Asked(method="OPTIONS")),
    row("a GET with a body", "CDN-REQ-06", "safe", {},
        lambda got: Answer(200, FRESH, got.body), Asked(body=b"evil")),
    # Paths
    row("case of the path", "CDN-KEY-01", "safe", {}, by_target, Asked("/P")),
    row("doubled slash", "CDN-BEH-20", "safe", {}, by_target, Asked("//p")),
    row("dot segments", "CDN-BEH-20", "safe", {}, by_target, Asked("/x/../p")),
    row("encoded letter", "CDN-BEH-20", "safe", {}, by_target, Asked("/%70")),
    row("encoded dots and slash", "CDN-BEH-20", "safe", {}, by_target, Asked("/x/%2e%2e%2fp")),
    row("path parameter", "CDN-BEH-20", "safe", {}, by_target, Asked("/p;evil")),
    row("encoded question mark", "CDN-BEH-20", "safe", {}, by_target, Asked("/p%3Fevil=1")),
    row("backslash", "CDN-BEH-20", "safe", {}, by_target, Asked("/x\\..\\p")),
    # Query strings
    row("query string not forwarded", "CDN-ORP-01", "safe", {}, by_target, Asked("/p?q=evil")),
    row("query string forwarded and not in the key", "CDN-ORP-02", "poisoned",
        {"forward": origin_request_policy(query="all")}, by_target, Asked("/p?q=evil")),
    row("unlisted parameter", "CDN-KEY-04", "safe", {"cache": cache_policy(query="whitelist q")},
        by_target, Asked("/p?q=1&utm=evil"), Asked("/p?q=1")),
    row("doubled parameter", "CDN-KEY-04 CDN-KEY-08", "safe",
        {"cache": cache_policy(query="whitelist q")}, by_target, Asked("/p?q=1&q=evil"),
        Asked("/p?q=1")),
    row("encoded name of a parameter", "CDN-KEY-04", "safe",
        {"cache": cache_policy(query="whitelist q")}, by_target, Asked("/p?q=1&%71=evil"),
        Asked("/p?q=1")),
    row("encoded ampersand", "CDN-KEY-09", "safe", {"cache": cache_policy(query="whitelist q")},
        by_target, Asked("/p?q=1%26q=evil"), Asked("/p?q=1")),
    row("semicolon in a parameter that stays out", "CDN-KEY-09", "safe",
        {"cache": cache_policy(query="allExcept utm")}, splits_at_semicolons,
        Asked("/p?q=1&utm=x;q=evil"), Asked("/p?q=1")),
    row("semicolon in a parameter that is only forwarded", "CDN-KEY-09 CDN-ORP-02", "poisoned",
        {"cache": cache_policy(query="whitelist q"), "forward": origin_request_policy(query="all")},
        splits_at_semicolons, Asked("/p?q=1&utm=x;q=evil"), Asked("/p?q=1")),
    # Conditions, ranges, encodings, Vary
    row("a range of the viewer", "CDN-RNG-11", "safe", {},
        by_condition(206, "Range", Content_Range="bytes 0-2/10", ETag='"1"', **{
            "Cache-Control": "max-age=60"}), Asked(headers={"Range": "bytes=0-2"})),
    row("a range that the origin refuses", "CDN-RNG-07", "safe", {},
        by_condition(416, "Range", Cache_Control="max-age=60"),
        Asked(headers={"Range": "bytes=99-"})),
    row("a condition that the origin finds true", "CDN-VAL-16", "safe", {},
        by_condition(304, "If-None-Match", Cache_Control="max-age=60", ETag='"1"'),
        Asked(headers={"If-None-Match": '"1"'})),
    row("a failed precondition", "CDN-VAL-17 CDN-ERR-04", "safe", {}, by_condition(412, "If-Match"),
        Asked(headers={"If-Match": '"evil"'})),
    row("a failed precondition with max-age", "CDN-ERR-04 CDN-ERR-05", "poisoned", {},
        by_condition(412, "If-Match", Cache_Control="max-age=60"),
        Asked(headers={"If-Match": '"evil"'})),
    row("encodings in the key", "CDN-KEY-20", "safe", {"cache": cache_policy(gzip=True)},
        by_encoding, GZIP),
    row("encodings forwarded and not in the key", "CDN-KEY-25", "poisoned",
        {"cache": cache_policy(), **VIEWER}, by_encoding, GZIP),
    row("Vary does not split the cache", "CDN-TTL-27", "poisoned",
        {"cache": cache_policy(), **VIEWER}, by_language("Accept-Language"), GERMAN),
    row("Vary: * with MinTTL 0", "CDN-TTL-25", "safe", {"cache": cache_policy(), **VIEWER},
        by_language("*"), GERMAN),
    # Cookies
    row("Set-Cookie when no cookies are forwarded", "CDN-RSP-04 CDN-HDR-12", "safe", {},
        with_session(), SESSION),
    row("Set-Cookie is stored and replayed", "CDN-RSP-04", "poisoned", WITH_COOKIES,
        with_session(), Asked(headers={"Cookie": "a=evil"})),
    row('Set-Cookie under no-cache="Set-Cookie"', "CDN-TTL-11", "safe", WITH_COOKIES,
        lambda got: Answer(200, {"Cache-Control": 'max-age=60, no-cache="Set-Cookie"',
                                 "Set-Cookie": "s=evil"} if got.header("Cookie") else FRESH),
        Asked(headers={"Cookie": "a=evil"})),
    # Errors that one viewer provokes
    row("more than the edge takes", "CDN-REQ-01", "safe", VIEWER,
        refuse(400, "X-Long", "max-age=9"), Asked(headers={"X-Long": "x" * 40_000})),
    row("400 for a long header", "CDN-ERR-04", "safe", VIEWER, refuse(400, "X-Long"), LONG),
    row("400 for a long header, with max-age", "CDN-ERR-04", "poisoned", VIEWER,
        refuse(400, "X-Long", "max-age=60"), LONG),
    row("431 with max-age", "CDN-ERR-15", "safe", VIEWER,
        refuse(431, "X-Long", "max-age=60"), LONG),
    row("403 without max-age", "CDN-ERR-04", "safe", VIEWER, refuse(403, "X-Long"), LONG),
    row("404", "CDN-ERR-03", "poisoned", VIEWER, refuse(404, "X-Original-URL"),
        Asked(headers={"X-Original-URL": "/none"})),
    row("404 with no-store", "CDN-ERR-07", "safe", VIEWER,
        refuse(404, "X-Original-URL", "no-store"), Asked(headers={"X-Original-URL": "/none"})),
    row("503 with no-store", "CDN-ERR-08", "poisoned", VIEWER, refuse(503, "X-Long", "no-store"),
        LONG),
]  # fmt: skip


@pytest.mark.parametrize(("is_poisoned", "settings", "says", "attack", "victim"), SHAPES)
def test_what_the_next_viewer_gets(
    deliver: Deliver,
    origin: Origin,
    is_poisoned: bool,
    settings: dict[str, Any],
    says: Callable[[Got], Answer],
    attack: Asked,
    victim: Asked,
) -> None:
    origin.answer = says
    site = deliver(settings)
    unharmed = _seen(victim.of(site))
    site.invalidate("/*")
    attack.of(site)
    assert (_seen(victim.of(site)) != unharmed) == is_poisoned


def _seen(response: SiteResponse) -> tuple[object, ...]:
    names = ("Set-Cookie", "Content-Encoding", "Location")
    return response.status, response.body, *map(response.headers.get, names)


@pytest.mark.rule("CDN-BEH-18", "CDN-BEH-21")
@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        ("/static/../account", False),  # matched as /account, which is not cached
        ("/static/./../account", False),
        ("/static//../account", False),
        ("/static/..%2faccount", True),  # nothing is decoded for matching
        ("/static/%2e%2e/account", True),
        ("/static\\..\\account", False),  # a backslash is no slash: not below /static/
    ],
)
def test_whether_a_private_page_is_kept_under_the_path_of_an_asset(
    deliver: Deliver, origin: Origin, path: str, is_kept: bool
) -> None:
    origin.answer = decodes_paths
    site = deliver({"cache": CACHING_DISABLED}, {"/static/*": {}})
    assert site.get(path).text == "secret of the victim"
    origin.answer = Answer(body=b"for the attacker")
    assert (site.get(path).text == "secret of the victim") == is_kept


@pytest.mark.rule("CDN-ERR-01", "CDN-ERR-06", "CDN-ERR-14")
@pytest.mark.parametrize(("control", "kept_s"), [("", 10), ("max-age=5", 10), ("max-age=30", 30)])
def test_a_provoked_error_is_gone_after_its_time(
    deliver: Deliver, origin: Origin, shared: Edge, control: str, kept_s: int
) -> None:
    origin.answer = refuse(404, "X-Evil", control)
    site = deliver(VIEWER)
    site.get("/p", headers={"X-Evil": "1"})
    shared.clock.advance(seconds=kept_s - 1.5)
    assert (site.get("/p").status, site.get("/p").x_cache) == (404, "Error from cloudfront")
    shared.clock.advance(seconds=1.6)
    assert site.get("/p").status == 200
