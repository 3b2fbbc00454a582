"""Which requests share an object, through a whole edge."""

import pytest

from tests.support.delivery import ALL_VIEWER, CORS, cache_policy, legacy
from tests.support.origin import Answer

FRESH = Answer(headers={"Cache-Control": "max-age=60"})
NONE: dict[str, str] = {}


def keyed(**selections):
    return {"cache": cache_policy(**selections)}


LEGACY_COOKIES = legacy(cookies={"Forward": "whitelist", "WhitelistedNames": ["a*"]})
GZIP_BROTLI = keyed(gzip=True, brotli=True)
GZIP = keyed(gzip=True)


@pytest.mark.parametrize(
    ("behavior", "one", "other", "outcome"),
    [
        # Query strings
        pytest.param(keyed(), ("/p?a=1", NONE), ("/p?a=2", NONE), "Hit", id="query none",
                     marks=pytest.mark.rule("CDN-KEY-01", "CDN-KEY-04")),
        pytest.param(keyed(query="all"), ("/p?a=1&b=2", NONE), ("/p?b=2&a=1", NONE), "Miss",
                     id="query order", marks=pytest.mark.rule("CDN-KEY-04", "CDN-KEY-07")),
        pytest.param(keyed(query="all"), ("/p?a=x", NONE), ("/p?a=X", NONE), "Miss",
                     id="query case", marks=pytest.mark.rule("CDN-KEY-07")),
        pytest.param(keyed(query="whitelist a"), ("/p?a=1&b=1", NONE), ("/p?b=2&a=1", NONE), "Hit",
                     id="query allow list", marks=pytest.mark.rule("CDN-KEY-04", "CDN-KEY-08")),
        pytest.param(keyed(query="whitelist a"), ("/p?a=1", NONE), ("/p?A=1", NONE), "Miss",
                     id="query name case", marks=pytest.mark.rule("CDN-KEY-07")),
        pytest.param(keyed(query="allExcept utm"), ("/p?a=1&utm=x", NONE), ("/p?a=1&utm=y", NONE),
                     "Hit", id="query block list", marks=pytest.mark.rule("CDN-KEY-04")),
        pytest.param(keyed(query="allExcept utm"), ("/p?a=1", NONE), ("/p?a=2", NONE), "Miss",
                     id="query not blocked", marks=pytest.mark.rule("CDN-KEY-04")),
        pytest.param(keyed(query="whitelist a"), ("/p?a=1;b=1", NONE), ("/p?a=1;b=2", NONE), "Miss",
                     id="query semicolon", marks=pytest.mark.rule("CDN-KEY-09")),
        pytest.param(keyed(query="whitelist *"), ("/p?a=1", NONE), ("/p?a=2", NONE), "Hit",
                     id="query star", marks=pytest.mark.rule("CDN-KEY-10")),
        # Headers
        pytest.param(keyed(), ("/p", {"Accept": "a"}), ("/p", {"Accept": "b"}), "Hit",
                     id="header none", marks=pytest.mark.rule("CDN-KEY-03")),
        pytest.param(keyed(headers="whitelist X-A"), ("/p", {"x-a": "1"}), ("/p", {"X-A": "1"}),
                     "Hit", id="header name case", marks=pytest.mark.rule("CDN-KEY-05")),
        pytest.param(keyed(headers="whitelist X-A"), ("/p", {"X-A": "v"}), ("/p", {"X-A": "V"}),
                     "Miss", id="header value case", marks=pytest.mark.rule("CDN-KEY-05")),
        pytest.param(keyed(headers="whitelist X-A X-B"), ("/p", {"X-A": "1", "X-B": "2"}),
                     ("/p", {"X-B": "2", "X-A": "1"}), "Hit", id="header order",
                     marks=pytest.mark.rule("CDN-KEY-05")),
        pytest.param(keyed(headers="whitelist X-A"), ("/p", NONE), ("/p", {"X-A": ""}), "Miss",
                     id="header empty", marks=pytest.mark.rule("CDN-KEY-11")),
        pytest.param(keyed(), ("/p", {"Host": "a.example"}), ("/p", {"Host": "b.example"}), "Hit",
                     id="host", marks=pytest.mark.rule("CDN-KEY-02")),
        pytest.param(keyed(headers="whitelist Host"), ("/p", {"Host": "a.example"}),
                     ("/p", {"Host": "b.example"}), "Miss", id="host listed",
                     marks=pytest.mark.rule("CDN-KEY-02", "CDN-KEY-03")),
        pytest.param(keyed(headers="whitelist CloudFront-Viewer-Country"),
                     ("/p", {"x-edgeproxy-viewer-country": "DE"}),
                     ("/p", {"x-edgeproxy-viewer-country": "FR"}), "Miss", id="country",
                     marks=pytest.mark.rule("CDN-KEY-17", "CDN-CFH-04")),
        pytest.param(keyed(headers="whitelist CloudFront-Is-Mobile-Viewer"),
                     ("/p", {"User-Agent": "A iPhone Mobile"}), ("/p", {"User-Agent": "B Mobi"}),
                     "Hit", id="device class", marks=pytest.mark.rule("CDN-KEY-17", "CDN-CFH-01")),
        # Cookies
        pytest.param(keyed(), ("/p", {"Cookie": "a=1"}), ("/p", {"Cookie": "a=2"}), "Hit",
                     id="cookie none", marks=pytest.mark.rule("CDN-KEY-04")),
        pytest.param(keyed(cookies="whitelist a"), ("/p", {"Cookie": "a=1; b=1"}),
                     ("/p", {"Cookie": "b=2; a=1"}), "Hit", id="cookie allow list",
                     marks=pytest.mark.rule("CDN-KEY-04")),
        pytest.param(keyed(cookies="all"), ("/p", {"Cookie": "b=2; a=1"}),
                     ("/p", {"Cookie": "a=1; b=2"}), "Hit", id="cookie order",
                     marks=pytest.mark.rule("CDN-KEY-14")),
        pytest.param(keyed(cookies="whitelist a"), ("/p", {"Cookie": "a=1"}),
                     ("/p", {"Cookie": "A=1"}), "Miss", id="cookie name case",
                     marks=pytest.mark.rule("CDN-KEY-06")),
        pytest.param(keyed(cookies="all"), ("/p", {"Cookie": "a=1"}),
                     ("/p", {"Cookie": "a=1; $v=2; novalue"}), "Hit", id="cookie odd",
                     marks=pytest.mark.rule("CDN-KEY-13")),
        pytest.param(keyed(cookies="allExcept a"), ("/p", {"Cookie": "a=1; b=1"}),
                     ("/p", {"Cookie": "a=2; b=1"}), "Hit", id="cookie block list",
                     marks=pytest.mark.rule("CDN-KEY-04")),
        # Accept-Encoding
        pytest.param(GZIP_BROTLI, ("/p", {"Accept-Encoding": "gzip, deflate, br"}),
                     ("/p", {"Accept-Encoding": "br;q=0.5, gzip"}), "Hit", id="encodings alike",
                     marks=pytest.mark.rule("CDN-KEY-20", "CDN-KEY-21")),
        pytest.param(GZIP_BROTLI, ("/p", {"Accept-Encoding": "gzip"}),
                     ("/p", {"Accept-Encoding": "br"}), "Miss", id="encodings unlike",
                     marks=pytest.mark.rule("CDN-KEY-20", "CDN-KEY-21")),
        pytest.param(GZIP, ("/p", {"Accept-Encoding": "gzip, br"}),
                     ("/p", {"Accept-Encoding": "gzip"}), "Hit", id="one encoding",
                     marks=pytest.mark.rule("CDN-KEY-22")),
        pytest.param(GZIP, ("/p", {"Accept-Encoding": "deflate"}), ("/p", NONE), "Hit",
                     id="no encoding", marks=pytest.mark.rule("CDN-KEY-23", "CDN-KEY-24")),
        pytest.param(GZIP, ("/p", {"Accept-Encoding": "gzip"}),
                     ("/p", {"Accept-Encoding": "gzip;q=0"}), "Miss", id="encoding refused",
                     marks=pytest.mark.rule("CDN-KEY-27")),
        pytest.param(keyed(), ("/p", {"Accept-Encoding": "gzip"}), ("/p", NONE), "Hit",
                     id="encodings off", marks=pytest.mark.rule("CDN-KEY-25")),
        # An origin request policy has no part in it
        pytest.param({**keyed(), "forward": ALL_VIEWER}, ("/p?a=1", {"X-A": "1", "Cookie": "a=1"}),
                     ("/p?a=2", {"X-A": "2", "Cookie": "a=2"}), "Hit", id="origin request policy",
                     marks=pytest.mark.rule("CDN-ORP-02")),
        # Legacy settings
        pytest.param(legacy(), ("/p?a=1", NONE), ("/p?a=2", NONE), "Hit", id="legacy query off",
                     marks=pytest.mark.rule("CDN-KEY-34")),
        pytest.param(legacy(query=True), ("/p?a=1", NONE), ("/p?a=2", NONE), "Miss",
                     id="legacy query on", marks=pytest.mark.rule("CDN-KEY-34")),
        pytest.param(legacy(query=True, query_keys=["a"]), ("/p?a=1&b=1", NONE),
                     ("/p?a=1&b=2", NONE), "Hit", id="legacy query keys",
                     marks=pytest.mark.rule("CDN-KEY-34")),
        pytest.param(legacy(["X-A"]), ("/p", {"X-A": "1"}), ("/p", {"X-A": "2"}), "Miss",
                     id="legacy header", marks=pytest.mark.rule("CDN-KEY-31")),
        pytest.param(legacy(), ("/p", {"X-A": "1"}), ("/p", {"X-A": "2"}), "Hit",
                     id="legacy header not listed", marks=pytest.mark.rule("CDN-KEY-37")),
        pytest.param(LEGACY_COOKIES, ("/p", {"Cookie": "a1=1"}), ("/p", {"Cookie": "a1=2"}), "Miss",
                     id="legacy cookie", marks=pytest.mark.rule("CDN-KEY-35")),
        pytest.param(LEGACY_COOKIES, ("/p", {"Cookie": "b=1"}), ("/p", {"Cookie": "b=2"}), "Hit",
                     id="legacy cookie not listed", marks=pytest.mark.rule("CDN-KEY-35")),
        pytest.param(legacy(["*"]), ("/p", NONE), ("/p", NONE), "Miss", id="legacy all headers",
                     marks=pytest.mark.rule("CDN-KEY-30")),
        pytest.param(legacy(Compress=True), ("/p", {"Accept-Encoding": "gzip, br"}),
                     ("/p", {"Accept-Encoding": "br"}), "Miss", id="legacy gzip",
                     marks=pytest.mark.rule("CDN-KEY-33")),
    ],
)  # fmt: skip
def test_whether_two_requests_share_an_object(deliver, origin, behavior, one, other, outcome):
    origin.answer = FRESH
    site = deliver(behavior)
    for (path, headers), expected in ((one, "Miss"), (other, outcome)):
        response = site.get(path, headers=headers)
        assert response.x_cache == f"{expected} from cloudfront"


# Cache poisoning: what a viewer sends and the key does not know must not change what others get.

REFLECTING = ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL",
              "X-HTTP-Method-Override", "X-Host", "Forwarded", "Referer", "User-Agent",
              "Accept-Language", "X-Edge-Evil", "X-Real-IP", "CloudFront-Viewer-Country",
              "Cookie"]  # fmt: skip


@pytest.mark.rule("CDN-HDR-02", "CDN-HDR-03", "CDN-HDR-13", "CDN-HDR-19", "CDN-HDR-20")
@pytest.mark.parametrize("name", REFLECTING)
def test_a_header_that_is_not_keyed_does_not_reach_the_origin(deliver, origin, name):
    def reflect(got):
        return Answer(headers=FRESH.headers, body=(got.header(name) or "clean").encode())

    origin.answer = reflect
    site = deliver({})
    site.get("/p", headers={name: "evil=1"})
    assert "evil" not in site.get("/p").text


@pytest.mark.rule("CDN-KEY-01", "CDN-BEH-20")
@pytest.mark.parametrize(
    "path", ["/P", "/%70", "/p/", "/./p", "//p", "/p%00", "/p%3Fa", "/p;x", "/p%20", "/x/../p"]
)
def test_another_spelling_of_a_path_poisons_nothing(deliver, origin, path):
    origin.answer = lambda got: Answer(headers=FRESH.headers, body=got.target.encode())
    site = deliver({})
    assert site.get(path).body == path.encode()
    assert site.get("/p").body == b"/p"


@pytest.mark.rule("CDN-KEY-04", "CDN-KEY-07", "CDN-ORP-01")
@pytest.mark.parametrize("query", ["q=2&q=1", "q=1&q=2", "q=1&%71=2", "q=1;q=2", "q[]=1&q=1"])
def test_doubled_parameters_are_keyed_as_they_are_forwarded(deliver, origin, query):
    origin.answer = lambda got: Answer(headers=FRESH.headers, body=got.target.encode())
    site = deliver(keyed(query="whitelist q"))
    first = site.get(f"/p?{query}")
    assert site.get("/p?q=1").text == "/p?q=1"
    assert site.get(f"/p?{query}").body == first.body
    for pair in first.text.partition("?")[2].split("&"):
        assert pair in query.split("&")
        assert pair.startswith("q=")


@pytest.mark.rule("CDN-RHP-10", "CDN-RHP-25", "CDN-MP-01")
def test_cors_headers_of_a_policy_are_not_stored(deliver, origin):
    origin.answer = FRESH
    site = deliver({"respond": CORS})
    allowed = site.get("/p", headers={"Origin": "https://a.example"}).headers
    assert allowed.get("Access-Control-Allow-Origin") == "*"
    assert "Access-Control-Allow-Origin" not in site.get("/p").headers


@pytest.mark.rule("CDN-ERR-04", "CDN-ERR-15")
@pytest.mark.parametrize("status", [400, 413, 431])
def test_an_error_that_one_viewer_provokes_is_not_kept_for_others(deliver, origin, status):
    def picky(got):
        return Answer(status if got.header("X-Oversized") else 200, body=b"fine")

    origin.answer = picky
    site = deliver({"forward": ALL_VIEWER})
    assert site.get("/p", headers={"X-Oversized": "x" * 8000}).status == status
    assert site.get("/p").status == 200


@pytest.mark.rule("CDN-MTH-05", "CDN-MTH-07")
def test_the_method_override_header_does_not_turn_a_get_into_something_else(deliver, origin):
    origin.answer = lambda got: Answer(
        headers=FRESH.headers, body=(got.header("X-HTTP-Method-Override") or got.method).encode()
    )
    behaviors = {"/legacy": legacy(), "/keyed": keyed(headers="whitelist X-HTTP-Method-Override")}
    site = deliver({}, behaviors)
    override = {"X-HTTP-Method-Override": "DELETE"}
    for path, seen in (("/p", "GET"), ("/legacy", "GET"), ("/keyed", "DELETE")):
        assert site.get(path, headers=override).text == seen
        assert site.get(path).text == "GET"


AT = "x-edgeproxy-viewer-"
HERE = {f"{AT}country": "US", f"{AT}metro-code": "505"}
GENERATED = {
    "Viewer-Country": ({f"{AT}country": "US"}, {f"{AT}country": "DE"}),
    "Viewer-Country-Name": ({f"{AT}country": "US"}, {f"{AT}country": "DE"}),
    "Viewer-Metro-Code": (HERE, {**HERE, f"{AT}metro-code": "506"}),
    **{
        f"Viewer-{name.title()}": ({f"{AT}{name}": "1"}, {f"{AT}{name}": "2"})
        for name in ("country-region", "country-region-name", "city", "postal-code")
    },
    "Viewer-Latitude": ({f"{AT}latitude": "1.5"}, {f"{AT}latitude": "2.5"}),
    "Viewer-Longitude": ({f"{AT}longitude": "1.5"}, {f"{AT}longitude": "2.5"}),
    "Viewer-Time-Zone": ({f"{AT}time-zone": "Asia/Tokyo"}, {f"{AT}time-zone": "Asia/Seoul"}),
    "Viewer-Header-Order": ({"X-A": "1", "X-B": "1"}, {"X-B": "1", "X-A": "1"}),
    "Viewer-Header-Count": (NONE, {"X-A": "1"}),
    **{
        f"Is-{device}-Viewer": ({"User-Agent": "Windows"}, {"User-Agent": agent})
        for device, agent in {
            "Android": "Android Mobile",
            "Desktop": "iPhone Mobile",
            "IOS": "iPhone Mobile",
            "Mobile": "iPhone Mobile",
            "SmartTV": "SmartTV",
            "Tablet": "iPad",
        }.items()
    },
}


@pytest.mark.rule("CDN-KEY-03", "CDN-KEY-17", "CDN-HDR-20")
def test_every_generated_header_splits_the_cache_where_it_is_listed(deliver, origin):
    """Two viewers who differ in it alone, and a third who asserts the other's value in vain."""
    origin.answer = FRESH
    names = {f"/{each}": f"CloudFront-{each}" for each in GENERATED}
    site = deliver({}, {path: keyed(headers=f"whitelist {name}") for path, name in names.items()})
    for (path, name), viewers in zip(names.items(), GENERATED.values(), strict=True):
        outcomes = [site.get(path, headers=viewer).x_cache for viewer in (*viewers, *viewers)]
        assert [outcome.split()[0] for outcome in outcomes] == ["Miss", "Miss", "Hit", "Hit"], name
        first, second = (got.header(name) for got in origin.got[-2:])
        assert first
        assert second
        assert first != second, name
        if "-Header-" not in name:  # Those tell of a header that the third one sends in addition.
            third = site.get(path, headers={**viewers[0], name: second})
            assert third.x_cache.startswith("Hit"), name
            assert len(origin.got) % 2 == 0
