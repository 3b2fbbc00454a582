"""Which distribution and which behavior a request gets (CDN-BEH)."""

import pytest

from edgeproxy.cache.key import cache_key
from edgeproxy.distribution.matching import match_behavior, match_host, path_pattern_problem
from edgeproxy.distribution.model import Behavior, CachePolicy, CustomOrigin, Distribution, Origin
from edgeproxy.http.messages import Request
from edgeproxy.origins.forwarding import origin_request

rule = pytest.mark.rule
CACHE = CachePolicy("p", 0, 0, 0)


def site(*patterns: str, name: str = "site", **settings: object) -> Distribution:
    default = Behavior("*", "o", CACHE)
    behaviors = tuple(Behavior(pattern, "o", CACHE) for pattern in patterns)
    domain = f"d{name}.cloudfront.net"
    return Distribution(name, f"E{name}", domain, {}, default, behaviors, **settings)  # type: ignore[arg-type]


def pattern_for(distribution: Distribution, path: str) -> str:
    return match_behavior(distribution, path).path_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        pytest.param("/a*b", "/a/x/b", True, marks=rule("CDN-BEH-11")),
        pytest.param("/a*b", "/ab", True, marks=rule("CDN-BEH-11")),
        pytest.param("/a?c", "/abc", True, marks=rule("CDN-BEH-11")),
        pytest.param("/a?c", "/ac", False, marks=rule("CDN-BEH-11")),
        pytest.param("/a?c", "/abbc", False, marks=rule("CDN-BEH-11")),
        pytest.param("/a.c", "/abc", False, marks=rule("CDN-BEH-11")),
        pytest.param("/a+", "/aa", False, marks=rule("CDN-BEH-11")),
        pytest.param("/a+$", "/a+$", True, marks=rule("CDN-BEH-11")),
        pytest.param("images/*.jpg", "/images/a.jpg", True, marks=rule("CDN-BEH-12")),
        pytest.param("images/*.jpg", "/images/a.jpg/x", False, marks=rule("CDN-BEH-12")),
        pytest.param("images/*.jpg", "/x/images/a.jpg", False, marks=rule("CDN-BEH-12")),
        pytest.param("*.jpg", "/LOGO.JPG", False, marks=rule("CDN-BEH-13")),
        pytest.param("*.jpg", "/LOGO.jpg", True, marks=rule("CDN-BEH-13")),
        pytest.param("images/*", "/images/a", True, marks=rule("CDN-BEH-14")),
        pytest.param("/images/*", "/images/a", True, marks=rule("CDN-BEH-14")),
        pytest.param("a*.jpg", "/apple.jpg", True, marks=rule("CDN-BEH-15")),
        pytest.param("a*.jpg", "/appalachian_trail/x.jpg", True, marks=rule("CDN-BEH-15")),
        pytest.param("a*.jpg", "/abra/cadabra/magic.jpg", True, marks=rule("CDN-BEH-15")),
        pytest.param("/a*", "/a/b/..", True, marks=rule("CDN-BEH-18")),
        pytest.param("/a/b*", "/a/b/..", False, marks=rule("CDN-BEH-18")),
        pytest.param("/a/b", "//a///b", True, marks=rule("CDN-BEH-18")),
        pytest.param("/a/b", "/a/./x/../b", True, marks=rule("CDN-BEH-18")),
        pytest.param("/a/b", "/a%2Fb", False, marks=rule("CDN-BEH-21")),
        pytest.param("/a/b", "/a/%62", False, marks=rule("CDN-BEH-21")),
        pytest.param("/a?b", "/a%2fb", False, marks=rule("CDN-BEH-21")),
        pytest.param("/a?2Fb", "/a%2fb", True, marks=rule("CDN-BEH-21")),
    ],
)
def test_pattern(pattern: str, path: str, matches: bool) -> None:
    assert pattern_for(site(pattern), path) == (pattern if matches else "*")


@rule("CDN-BEH-10", "CDN-BEH-22")
def test_the_first_pattern_that_matches_wins() -> None:
    distribution = site("/api/*", "/api/v2/*", "*.js")
    assert pattern_for(distribution, "/api/v2/x.js") == "/api/*"
    assert pattern_for(distribution, "/x.js") == "*.js"
    assert pattern_for(distribution, "/x.css") == "*"


@rule("CDN-BEH-16")
def test_the_query_string_takes_no_part() -> None:
    request = Request("GET", "/page", "x=.jpg")
    assert pattern_for(site("*.jpg"), request.path) == "*"


@pytest.mark.parametrize("pattern", ["x" * 256, "/a b", "/a[1]", "/a(b)", "/ä"])
@rule("CDN-BEH-17")
def test_patterns_that_are_refused(pattern: str) -> None:
    assert path_pattern_problem(pattern)


@rule("CDN-BEH-17")
def test_patterns_that_are_taken() -> None:
    assert not path_pattern_problem("/Az09_-.*$/~\"'@:+?&")
    assert not path_pattern_problem("x" * 255)


@rule("CDN-BEH-19")
def test_the_origin_gets_the_raw_path() -> None:
    sent = origin_request(
        Request("GET", "/a//b/../%2f"),
        Behavior("*", "o", CACHE),
        Origin("o", "origin.example", CustomOrigin()),
        generated={},
        request_id="id",
        via="v",
    )
    assert sent.path == "/a//b/../%2f"


@rule("CDN-BEH-20")
def test_the_key_holds_the_raw_path() -> None:
    distribution = site()
    one, other = (
        cache_key(distribution, distribution.default_behavior, Request("GET", path), {})
        for path in ("/a//b", "/a/b")
    )
    assert one != other


MANY = [
    site(name="plain", aliases=("example.org",)),
    site(name="wide", aliases=("*.example.org",)),
    site(name="narrow", aliases=("*.img.example.org",)),
    site(name="exact", aliases=("a.img.example.org",)),
    site(name="literal", aliases=("f*o.example.net",)),
    site(name="off", aliases=("off.example.org", "off.example.com"), enabled=False),
]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        pytest.param("dwide.cloudfront.net", "wide", marks=rule("CDN-BEH-01")),
        pytest.param("example.org", "plain", marks=rule("CDN-BEH-01", "CDN-BEH-02")),
        pytest.param("www.example.org", "wide", marks=rule("CDN-BEH-02")),
        pytest.param("x.y.z.example.org", "wide", marks=rule("CDN-BEH-02")),
        pytest.param("x.y.img.example.org", "narrow", marks=rule("CDN-BEH-02")),
        pytest.param("img.example.org", "wide", marks=rule("CDN-BEH-02")),
        pytest.param("a.img.example.org", "exact", marks=rule("CDN-BEH-02")),
        pytest.param("WWW.Example.ORG", "wide", marks=rule("CDN-BEH-03")),
        pytest.param("foo.example.net", None, marks=rule("CDN-BEH-03")),
        pytest.param("www.example.com", None, marks=rule("CDN-BEH-01")),
        pytest.param("doff.cloudfront.net", None, marks=rule("CDN-BEH-05")),
        pytest.param("off.example.com", None, marks=rule("CDN-BEH-05")),
    ],
)
def test_host(host: str, name: str | None) -> None:
    found = match_host(MANY, host)
    assert (found.logical_id if found else None) == name
