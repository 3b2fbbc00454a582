"""Response headers policies: the rules CDN-RHP and CDN-ST."""

from dataclasses import replace

import pytest

from edgeproxy.chance import Chance
from edgeproxy.distribution.response_headers import (
    CorsConfig,
    PolicyHeader,
    ResponseHeadersPolicy,
    ServerTiming,
)
from edgeproxy.edge.response_headers import ServerTimingFacts, UpstreamTimes, apply_policy
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

Lines = list[tuple[str, str]]

ORIGIN = ("Origin", "https://app.example.org")
PREFLIGHT = [ORIGIN, ("Access-Control-Request-Method", "PUT")]
CORS = CorsConfig(
    allow_origins=("https://app.example.org",),
    allow_headers=("X-One", "X-Two"),
    allow_methods=("GET", "PUT"),
    allow_credentials=True,
    origin_override=True,
    expose_headers=("X-Shown", "X-Too"),
    max_age_s=600,
)


def sent(
    policy: ResponseHeadersPolicy,
    response: Lines,
    request: Lines | None = None,
    *,
    method: str = "GET",
    status: int = 200,
    timing: ServerTimingFacts | None = None,
    chance: Chance | None = None,
) -> Headers:
    """The header lines that the viewer gets."""
    asked = Request(method, "/a", headers=Headers(request or []))
    answered = Response(status, Headers(response), BytesBody(b"hello"))
    got = apply_policy(policy, asked, answered, timing=timing, chance=chance or Chance(1))
    assert (got.status, got.body) == (status, answered.body)
    assert answered.headers == Headers(response), "the stored response stays as it is"
    return got.headers


def with_cors(**changes: object) -> ResponseHeadersPolicy:
    return ResponseHeadersPolicy("p", cors=replace(CORS, **changes))  # type: ignore[arg-type]


def cors_lines(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers if name.startswith("Access-Control-")}


@pytest.mark.rule("CDN-RHP-01")
@pytest.mark.parametrize("status", [200, 301, 404, 503])
def test_it_applies_to_every_status_and_changes_no_stored_response(status: int) -> None:
    policy = ResponseHeadersPolicy("p", custom_headers=(PolicyHeader("X-A", "1", True),))
    assert sent(policy, [("X-A", "0")], status=status) == Headers([("X-A", "1")])


@pytest.mark.rule("CDN-RHP-02")
def test_removal_comes_first() -> None:
    policy = ResponseHeadersPolicy(
        "p",
        cors=replace(CORS, origin_override=False),
        custom_headers=(PolicyHeader("X-A", "1", False),),
        security_headers=(PolicyHeader("X-Frame-Options", "DENY", False),),
        remove_headers=("x-a", "X-B", "X-Frame-Options", "Access-Control-Max-Age"),
    )
    origin = [
        ("X-A", "0"),
        ("X-B", "0"),
        ("X-B", "1"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Access-Control-Max-Age", "1"),
        ("X-C", "0"),
    ]
    headers = sent(policy, origin, [ORIGIN])
    assert headers.get("X-A") == "1"
    assert "X-B" not in headers
    assert headers.get("X-C") == "0"
    assert headers.get("X-Frame-Options") == "DENY"
    assert headers.get("Access-Control-Allow-Origin") == ORIGIN[1]


@pytest.mark.rule("CDN-RHP-03")
@pytest.mark.parametrize("kind", ["security_headers", "custom_headers"])
def test_override(kind: str) -> None:
    headers = (PolicyHeader("X-A", "policy", True), PolicyHeader("X-B", "policy", False))
    policy = replace(ResponseHeadersPolicy("p"), **{kind: headers})
    assert sent(policy, [("x-a", "origin"), ("x-b", "origin")]) == Headers(
        [("X-A", "policy"), ("x-b", "origin")]
    )
    assert sent(policy, []) == Headers([("X-A", "policy"), ("X-B", "policy")])


@pytest.mark.rule("CDN-RHP-04")
@pytest.mark.parametrize(
    "name",
    ["Access-Control-Allow-Methods", "access-control-max-age", "Access-Control-Allow-Origin"],
)
def test_without_override_any_cors_header_of_the_origin_keeps_the_policys_out(name: str) -> None:
    policy = with_cors(origin_override=False, max_age_s=None)
    assert sent(policy, [(name, "x")], PREFLIGHT, method="OPTIONS") == Headers([(name, "x")])
    assert "Access-Control-Allow-Origin" in sent(policy, [("X-A", "x")], PREFLIGHT)


@pytest.mark.rule("CDN-RHP-05")
def test_with_override_each_header_replaces_its_own_name_only() -> None:
    origin = [("access-control-allow-origin", "*"), ("Access-Control-Max-Age", "1")]
    headers = sent(with_cors(max_age_s=None), origin, PREFLIGHT, method="OPTIONS")
    assert headers.get_all("Access-Control-Allow-Origin") == [ORIGIN[1]]
    assert headers.get("Access-Control-Max-Age") == "1"


@pytest.mark.rule("CDN-RHP-06", "CDN-RHP-07")
def test_a_request_without_origin_gets_no_cors_headers() -> None:
    assert sent(with_cors(allow_origins=("*",)), []) == Headers()
    assert "Access-Control-Allow-Origin" in sent(with_cors(allow_origins=("*",)), [], [ORIGIN])


@pytest.mark.rule("CDN-RHP-08")
@pytest.mark.parametrize(
    ("method", "request_lines", "is_preflight"),
    [
        ("OPTIONS", PREFLIGHT, True),
        ("OPTIONS", [ORIGIN], False),
        ("GET", PREFLIGHT, False),
        ("GET", [ORIGIN], False),
    ],
)
def test_what_only_preflights_get(method: str, request_lines: Lines, is_preflight: bool) -> None:
    expected = {
        "Access-Control-Allow-Origin": ORIGIN[1],
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-Shown, X-Too",
    }
    if is_preflight:
        expected |= {
            "Access-Control-Allow-Methods": "GET, PUT",
            "Access-Control-Allow-Headers": "X-One, X-Two",
            "Access-Control-Max-Age": "600",
        }
    assert cors_lines(sent(with_cors(), [], request_lines, method=method)) == expected


@pytest.mark.rule("CDN-RHP-09")
@pytest.mark.parametrize("status", [204, 403, 405])
def test_a_preflight_keeps_the_origins_status(status: int) -> None:
    sent(with_cors(), [], PREFLIGHT, method="OPTIONS", status=status)


@pytest.mark.rule("CDN-RHP-10", "CDN-RHP-14")
@pytest.mark.parametrize(
    ("entries", "allowed", "vary"),
    [
        (("https://other.example", "*"), "*", None),
        (("https://other.example", "app.example.org"), ORIGIN[1], "Origin"),
        (("https://other.example",), None, None),
        ((), None, None),
    ],
)
def test_the_allowed_origin(
    entries: tuple[str, ...], allowed: str | None, vary: str | None
) -> None:
    headers = sent(with_cors(allow_origins=entries), [], [ORIGIN])
    assert headers.joined("Access-Control-Allow-Origin") == allowed
    assert bool(cors_lines(headers)) is (allowed is not None)
    assert headers.joined("Vary") == vary


@pytest.mark.rule("CDN-RHP-14")
@pytest.mark.parametrize(
    ("vary", "expected"),
    [("Accept", "Accept, Origin"), ("Accept, origin", "Accept, origin"), ("*", "*")],
)
def test_vary_names_origin_once(vary: str, expected: str) -> None:
    assert sent(with_cors(), [("Vary", vary)], [ORIGIN]).joined("Vary") == expected


@pytest.mark.rule("CDN-RHP-11", "CDN-RHP-12", "CDN-RHP-13")
@pytest.mark.parametrize(
    ("entry", "matching", "others"),
    [
        (
            "http://*.example.org",
            ["http://www.example.org", "http://test.example.org"],
            ["https://www.example.org", "http://test.example.org:123", "http://example.org"],
        ),
        (
            "*.example.org",
            [
                "http://test.example.org",
                "https://test.test.example.org",
                "https://test.example.org:123",
            ],
            ["http://.example.org", "https://example.org", "https://test.example.org.evil"],
        ),
        (
            "example.org",
            ["http://example.org", "https://example.org", "https://EXAMPLE.org:8443"],
            ["http://www.example.org", "http://badexample.org"],
        ),
        (
            "http://example.org",
            ["http://example.org"],
            ["https://example.org", "http://example.org:123"],
        ),
        (
            "http://example.org:*",
            ["http://example.org:123", "http://example.org"],
            ["https://example.org:123"],
        ),
        (
            "http://example.org:1*3",
            ["http://example.org:123", "http://example.org:1893", "http://example.org:13"],
            ["http://example.org:124", "http://example.org"],
        ),
        (
            "*.example.org:1*",
            ["https://test.example.org:123"],
            ["https://test.example.org:23", "https://test.example.org"],
        ),
        ("https://example.org:443", ["https://example.org"], ["http://example.org"]),
        ("example.org", [], ["null", "", "example.org", "ftp://example.org"]),
        ("", [], ["https://example.org"]),
    ],
)
def test_entries_for_allowed_origins(entry: str, matching: list[str], others: list[str]) -> None:
    policy = with_cors(allow_origins=(entry,))
    for origin in matching:
        headers = sent(policy, [], [("Origin", origin)])
        assert headers.get("Access-Control-Allow-Origin") == origin
    for origin in others:
        assert cors_lines(sent(policy, [], [("Origin", origin)])) == {}, origin


@pytest.mark.rule("CDN-RHP-15")
@pytest.mark.parametrize(
    ("entries", "asked", "allowed"),
    [
        (("*",), "x-a, authorization", "*"),
        (("*", "Authorization"), "x-a, authorization", "*, Authorization"),
        (("X-One",), "x-other", "X-One"),
        (("x-amz-*",), "X-Amz-Test, x-other, x-amz-", "X-Amz-Test"),
        (("X-One", "x-*"), "X-One, x-two", "X-One, x-two"),
        (("x-amz-*",), "x-other", None),
        (("x.a*",), "xxab", None),
    ],
)
def test_allowed_headers(entries: tuple[str, ...], asked: str, allowed: str | None) -> None:
    request = [*PREFLIGHT, ("Access-Control-Request-Headers", asked)]
    headers = sent(with_cors(allow_headers=entries), [], request, method="OPTIONS")
    assert headers.joined("Access-Control-Allow-Headers") == allowed


@pytest.mark.rule("CDN-RHP-16")
def test_all_methods() -> None:
    headers = sent(with_cors(allow_methods=("ALL",)), [], PREFLIGHT, method="OPTIONS")
    expected = "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT"
    assert headers.get("Access-Control-Allow-Methods") == expected


@pytest.mark.rule("CDN-RHP-17")
def test_credentials_that_are_not_allowed_are_not_mentioned() -> None:
    headers = sent(with_cors(allow_credentials=False), [], [ORIGIN])
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.rule("CDN-RHP-21")
def test_a_custom_header_may_be_empty() -> None:
    policy = ResponseHeadersPolicy("p", custom_headers=(PolicyHeader("X-A", "", True),))
    assert sent(policy, []).get_all("X-A") == [""]


@pytest.mark.rule("CDN-RHP-22")
def test_an_override_replaces_all_lines_of_a_name() -> None:
    policy = ResponseHeadersPolicy("p", custom_headers=(PolicyHeader("Set-Cookie", "c=1", True),))
    origin = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=1")]
    assert sent(policy, origin).get_all("Set-Cookie") == ["c=1"]


@pytest.mark.rule("CDN-RHP-24")
def test_server_and_date_cannot_be_without() -> None:
    policy = ResponseHeadersPolicy("p", remove_headers=("server", "Date"))
    headers = sent(policy, [("Server", "nginx"), ("Date", "Sat, 21 Nov 2026 03:50:32 GMT")])
    assert headers == Headers([("Server", "CloudFront")])


# Server-Timing -----------------------------------------------------------------------------------

HIT = ServerTimingFacts("Hit", "SEA19-C1", "abc==", 3)
MISS = ServerTimingFacts("Miss", "SEA19-C1", "abc==", 40, UpstreamTimes(0, 5, 30))
REFRESH = ServerTimingFacts("RefreshHit", "SEA19-C1", "abc==", 40, UpstreamTimes(1, 0, 30))


def timed(
    timing: ServerTimingFacts | None,
    *,
    rate: float = 100,
    enabled: bool = True,
    origin: Lines | None = None,
    request: Lines | None = None,
    chance: Chance | None = None,
) -> list[str]:
    policy = ResponseHeadersPolicy("p", server_timing=ServerTiming(enabled, rate))
    headers = sent(policy, origin or [], request, timing=timing, chance=chance)
    return headers.get_all("Server-Timing")


def metrics(*names: str) -> list[str]:
    """One header line of these metrics, without a space between them."""
    return [",".join(names)]


@pytest.mark.rule("CDN-ST-01")
@pytest.mark.parametrize(("rate", "share"), [(0, 0), (100, 1), (25, 0.25), (0.5, 0.005)])
def test_the_sampling_rate_is_in_percent(rate: float, share: float) -> None:
    chance = Chance(7)
    given = sum(bool(timed(HIT, rate=rate, chance=chance)) for _ in range(4000))
    assert given / 4000 == pytest.approx(share, abs=0.02 if 0 < share < 1 else 0)


@pytest.mark.rule("CDN-ST-02")
def test_pragma_asks_for_it() -> None:
    asks = [("Pragma", "Server-Timing")]
    assert timed(HIT, rate=0, request=asks)
    assert not timed(HIT, rate=100, enabled=False, request=asks)
    assert not timed(HIT, rate=0, request=[("Pragma", "no-cache")])
    assert not timed(None, request=asks)


@pytest.mark.rule("CDN-ST-03", "CDN-ST-04", "CDN-ST-05", "CDN-ST-06", "CDN-ST-07", "CDN-ST-09")
def test_a_hit() -> None:
    assert timed(HIT, origin=[("Server-Timing", "db;dur=5")]) == metrics(
        "cdn-cache-hit",
        'cdn-pop;desc="SEA19-C1"',
        'cdn-rid;desc="abc=="',
        'cdn-hit-layer;desc="EDGE"',
        "cdn-downstream-fbl;dur=3",
    )


@pytest.mark.rule("CDN-ST-03", "CDN-ST-04", "CDN-ST-05", "CDN-ST-06", "CDN-ST-07", "CDN-ST-08")
def test_a_miss_is_merged_with_the_origins_own() -> None:
    origin = [("Server-Timing", "db;dur=5"), ("Server-Timing", "app")]
    assert timed(MISS, origin=origin) == metrics(
        "db;dur=5",
        "app",
        'cdn-upstream-layer;desc="EDGE"',
        "cdn-upstream-dns;dur=0",
        "cdn-upstream-connect;dur=5",
        "cdn-upstream-fbl;dur=30",
        "cdn-cache-miss",
        'cdn-pop;desc="SEA19-C1"',
        'cdn-rid;desc="abc=="',
        "cdn-downstream-fbl;dur=40",
    )


@pytest.mark.rule("CDN-ST-05", "CDN-ST-08")
def test_a_revalidation() -> None:
    assert timed(REFRESH) == metrics(
        "cdn-upstream-dns;dur=1",
        "cdn-upstream-connect;dur=0",
        "cdn-upstream-fbl;dur=30",
        "cdn-cache-refresh",
        'cdn-pop;desc="SEA19-C1"',
        'cdn-rid;desc="abc=="',
        "cdn-downstream-fbl;dur=40",
    )


@pytest.mark.rule("CDN-ST-07")
def test_the_layer_is_named() -> None:
    assert 'cdn-hit-layer;desc="REC"' in timed(replace(HIT, layer="REC"))[0]
