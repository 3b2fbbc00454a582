"""What is compressed for whom, and what comes with it: through a whole edge over real sockets."""

import socket
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import brotli
import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.delivery import (
    CACHING_DISABLED,
    cache_policy,
    error_page,
    legacy,
    origin_request_policy,
)
from tests.support.origin import Answer, Got, Origin
from tests.support.templates import distribution_template

Deliver = Callable[..., Site]

TEXT = b"All that is gold does not glitter. " * 100
COMPRESS: dict[str, Any] = {"Compress": True}
BOTH = {**COMPRESS, "cache": cache_policy(gzip=True, brotli=True)}
GZIP_ONLY = {**COMPRESS, "cache": cache_policy(gzip=True)}
BROTLI_ONLY = {**COMPRESS, "cache": cache_policy(brotli=True)}
NEITHER = {**COMPRESS, "cache": cache_policy()}


def says(body: bytes = TEXT, status: int = 200, chunked: bool = False, **headers: str) -> Answer:
    """An answer of the origin, plain text unless ``content_type`` says otherwise."""
    lines = {"content_type": "text/plain", "cache_control": "max-age=60", **headers}
    named = {name.replace("_", "-").title(): value for name, value in lines.items()}
    return Answer(status, named, body, chunked)


def get(site: Site, accepted: str | None = "gzip, br", path: str = "/a", **more: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if accepted is not None:
        headers["Accept-Encoding"] = accepted
    return site.get(path, headers=headers)


def coding(response: SiteResponse) -> str:
    return response.headers.get("Content-Encoding")


def unpacked(response: SiteResponse) -> bytes:
    match coding(response):
        case "br":
            return bytes(brotli.decompress(response.body))
        case "gzip":
            return zlib.decompress(response.body, wbits=31)
        case _:
            return response.body


@pytest.fixture(autouse=True)
def _text(origin: Origin) -> None:
    origin.answer = says()


# Who gets which coding


@pytest.mark.rule("CDN-CMP-01", "CDN-CMP-02", "CDN-KEY-21", "CDN-KEY-22", "CDN-KEY-23")
@pytest.mark.parametrize(
    ("behavior", "accepted", "to_origin", "used"),
    [
        (BOTH, "gzip, br", "br,gzip", "br"),
        (BOTH, "gzip, deflate, br;q=0.1, zstd", "br,gzip", "br"),
        (BOTH, "GZIP", "gzip", "gzip"),
        (BOTH, "br", "br", "br"),
        (BOTH, "deflate", "identity", ""),
        (GZIP_ONLY, "gzip, br", "gzip", "gzip"),
        (GZIP_ONLY, "br", "identity", ""),
        (BROTLI_ONLY, "gzip, br", "br", "br"),
        (BROTLI_ONLY, "gzip", "identity", ""),
    ],
)
def test_the_best_coding_that_both_sides_know(
    deliver: Deliver, origin: Origin, behavior: object, accepted: str, to_origin: str, used: str
) -> None:
    response = get(deliver(behavior), accepted)
    assert (coding(response), unpacked(response)) == (used, TEXT)
    assert origin.got[0].header("Accept-Encoding") == to_origin


@pytest.mark.rule("CDN-CMP-01", "CDN-KEY-24")
def test_without_accept_encoding_there_is_none(deliver: Deliver, origin: Origin) -> None:
    response = get(deliver(BOTH), None)
    assert (coding(response), response.body) == ("", TEXT)
    assert origin.got[0].header("Accept-Encoding") is None


@pytest.mark.rule("CDN-KEY-27")
@pytest.mark.parametrize(
    ("accepted", "used"), [("gzip, br;q=0", "gzip"), ("gzip;q=0.000", ""), ("*", "")]
)
def test_a_coding_must_be_named_and_not_refused(deliver: Deliver, accepted: str, used: str) -> None:
    assert coding(get(deliver(BOTH), accepted)) == used


@pytest.mark.rule("CDN-CMP-01")
def test_a_behavior_must_ask_for_it(deliver: Deliver) -> None:
    site = deliver({"cache": cache_policy(gzip=True, brotli=True)})
    assert (coding(get(site)), get(site).body) == ("", TEXT)


@pytest.mark.rule("CDN-CMP-01", "CDN-KEY-25")
@pytest.mark.parametrize(
    ("behavior", "to_origin"),
    [
        (NEITHER, None),
        ({**COMPRESS, "cache": cache_policy(headers="whitelist Accept-Encoding")}, "gzip, br"),
        ({**NEITHER, "forward": origin_request_policy("whitelist Accept-Encoding")}, "gzip, br"),
    ],
)
def test_without_flags_it_is_a_header_like_any_other(
    deliver: Deliver, origin: Origin, behavior: object, to_origin: str | None
) -> None:
    assert coding(get(deliver(behavior))) == ""
    assert origin.got[0].header("Accept-Encoding") == to_origin


@pytest.mark.rule("CDN-KEY-26")
def test_an_origin_request_policy_cannot_ask_for_more(deliver: Deliver, origin: Origin) -> None:
    site = deliver({**GZIP_ONLY, "forward": origin_request_policy("whitelist Accept-Encoding")})
    for accepted in ("gzip, br", "br"):
        get(site, accepted)
    assert [got.header("Accept-Encoding") for got in origin.got] == ["gzip", "identity"]


@pytest.mark.rule("CDN-CMP-01", "CDN-TTL-19")
def test_nothing_is_compressed_where_caching_is_off(deliver: Deliver) -> None:
    assert coding(get(deliver({**COMPRESS, "cache": CACHING_DISABLED}))) == ""
    off = legacy(MinTTL=0, DefaultTTL=0, MaxTTL=0)
    assert coding(get(deliver({**COMPRESS, **off}))) == ""


@pytest.mark.rule("CDN-CMP-01", "CDN-KEY-33")
def test_legacy_settings_know_gzip_alone(deliver: Deliver, origin: Origin) -> None:
    site = deliver({**COMPRESS, **legacy()})
    assert (coding(get(site)), coding(get(site, "br"))) == ("gzip", "")
    assert [got.header("Accept-Encoding") for got in origin.got] == ["gzip", None]
    assert coding(get(deliver(legacy()))) == ""


@pytest.mark.rule("CDN-CMP-06", "CDN-VER-04")
def test_an_http_1_0_viewer_gets_it_as_it_is(deliver: Deliver, origin: Origin) -> None:
    site = deliver(BOTH)
    door = urlsplit(site.url)
    with socket.create_connection((door.hostname, door.port or 0), timeout=10) as viewer:
        viewer.sendall(b"GET /a HTTP/1.0\r\nAccept-Encoding: gzip, br\r\n\r\n")
        answer = b"".join(iter(lambda: viewer.recv(65_536), b""))
    assert answer.endswith(b"\r\n\r\n" + TEXT)
    assert origin.got[0].header("Accept-Encoding") is None


# Which answers


@pytest.mark.rule("CDN-CMP-03", "CDN-QUO-04")
@pytest.mark.parametrize(
    ("length", "used"), [(999, ""), (1_000, "br"), (10_000_000, "br"), (10_000_001, "")]
)
def test_the_length_decides(deliver: Deliver, origin: Origin, length: int, used: str) -> None:
    origin.answer = says(b"a" * length)
    response = get(deliver(BOTH))
    assert (coding(response), len(unpacked(response))) == (used, length)


@pytest.mark.rule("CDN-CMP-03")
def test_a_body_of_unknown_length_is_left_alone(deliver: Deliver, origin: Origin) -> None:
    origin.answer = says(chunked=True)
    response = get(deliver(BOTH))
    assert (coding(response), response.body) == ("", TEXT)


@pytest.mark.rule("CDN-CMP-04", "CDN-CMP-19")
@pytest.mark.parametrize(
    ("status", "used"),
    [(200, "br"), (203, ""), (301, ""), (400, ""), (403, "br"), (404, "br"), (410, ""), (500, "")],
)
def test_only_three_statuses(deliver: Deliver, origin: Origin, status: int, used: str) -> None:
    origin.answer = says(status=status)
    response = get(deliver(BOTH))
    assert (response.status, coding(response), unpacked(response)) == (status, used, TEXT)


@pytest.mark.rule("CDN-CMP-19")
def test_a_custom_error_page_is_compressed(deliver: Deliver, origin: Origin) -> None:
    origin.answer = lambda got: says() if got.target == "/oops.txt" else says(b"no", 500)
    site = deliver(BOTH, CustomErrorResponses=[error_page(500, "/oops.txt")])
    response = get(site)
    assert (response.status, coding(response), unpacked(response)) == (500, "br", TEXT)


@pytest.mark.rule("CDN-CMP-05")
@pytest.mark.parametrize("encoding", ["gzip", "identity", "zstd"])
def test_what_has_an_encoding_keeps_it(deliver: Deliver, origin: Origin, encoding: str) -> None:
    origin.answer = says(content_encoding=encoding, etag='"1"')
    site = deliver(BOTH)
    for outcome in ("Miss", "Hit"):
        response = get(site)
        assert response.x_cache == f"{outcome} from cloudfront"
        assert (coding(response), response.body) == (encoding, TEXT)
        assert response.headers.get("ETag") == '"1"'


@pytest.mark.rule("CDN-CMP-14", "CDN-CMP-15", "CDN-CMP-16")
@pytest.mark.parametrize(
    ("media_type", "used"),
    [
        ("text/html; charset=utf-8", "br"),
        ("Text/HTML ;charset=utf-8", "br"),
        ("application/json", "br"),
        ("application/wasm", "br"),
        ("application/pdf", "br"),
        ("image/svg+xml", "br"),
        ("font/ttf", "br"),
        ("font/woff2", ""),
        ("application/ld+json", ""),
        ("text/event-stream", ""),
        ("image/png", ""),
        ("", ""),
    ],
)
def test_the_media_type_decides(
    deliver: Deliver, origin: Origin, media_type: str, used: str
) -> None:
    origin.answer = says(content_type=media_type)
    assert coding(get(deliver(BOTH))) == used


@pytest.mark.rule("CDN-CMP-17")
@pytest.mark.parametrize(
    ("method", "used"), [("POST", ""), ("PUT", ""), ("DELETE", ""), ("OPTIONS", "br")]
)
def test_only_cached_methods(deliver: Deliver, method: str, used: str) -> None:
    site = deliver({**BOTH, "CachedMethods": ["GET", "HEAD", "OPTIONS"]})
    response = site.request(method, "/a", headers={"Accept-Encoding": "br"})
    assert (coding(response), unpacked(response)) == (used, TEXT)


def test_the_answer_to_head_is_left_alone(deliver: Deliver) -> None:
    response = deliver(BOTH).request("HEAD", "/a", headers={"Accept-Encoding": "br"})
    assert (coding(response), response.body) == ("", b"")
    assert response.headers.get("Content-Length") == str(len(TEXT))


# What comes with it


@pytest.mark.rule("CDN-CMP-10")
def test_the_length_is_told_only_by_a_hit(deliver: Deliver) -> None:
    site = deliver(BOTH)
    miss, hit = get(site), get(site)
    assert "Content-Length" not in miss.headers
    assert miss.headers.get("Transfer-Encoding") == "chunked"
    assert hit.headers.get_all("Content-Length") == [str(len(hit.body))]
    assert miss.body == hit.body


@pytest.mark.rule("CDN-CMP-11")
@pytest.mark.parametrize(
    ("sent", "vary"),
    [
        ({}, "Accept-Encoding"),
        ({"vary": "Cookie"}, "Cookie, Accept-Encoding"),
        ({"vary": "accept-encoding"}, "accept-encoding"),
    ],
)
def test_it_says_that_it_varies(
    deliver: Deliver, origin: Origin, sent: dict[str, str], vary: str
) -> None:
    origin.answer = says(**sent)
    site = deliver(BOTH)
    for _ in ("Miss", "Hit"):
        assert get(site).headers.get_all("Vary") == [vary]


@pytest.mark.rule("CDN-CMP-12", "CDN-CMP-13")
@pytest.mark.parametrize(
    ("etag", "weak"), [('"x"', 'W/"x"'), ('W/"x"', 'W/"x"'), ("x", None), ('"x', None)]
)
def test_the_entity_tag_is_weakened(
    deliver: Deliver, origin: Origin, etag: str, weak: str | None
) -> None:
    origin.answer = says(etag=etag)
    site = deliver(BOTH)
    for _ in ("Miss", "Hit"):
        assert get(site).headers.get("ETag", None) == weak
        assert get(site, None).headers.get("ETag") == etag


@pytest.mark.rule("CDN-CMP-18")
def test_a_range_counts_compressed_bytes(deliver: Deliver) -> None:
    site = deliver(BOTH)
    whole = get(site).body
    part = get(site, range="bytes=2-9")
    assert (part.status, coding(part), part.body) == (206, "br", whole[2:10])
    assert part.headers.get("Content-Range") == f"bytes 2-9/{len(whole)}"


# When


@pytest.mark.rule("CDN-CMP-08", "CDN-KEY-20", "CDN-KEY-21")
def test_one_object_for_all_who_accept_the_same(deliver: Deliver, origin: Origin) -> None:
    site = deliver(BOTH)
    first = get(site, "gzip, br")
    for accepted in ("br, gzip", "br;q=0.1, gzip;q=1", "deflate, gzip, br, zstd"):
        again = get(site, accepted)
        assert (again.x_cache, again.body) == ("Hit from cloudfront", first.body)
    for accepted, used in (("gzip", "gzip"), (None, "")):
        other = get(site, accepted)
        assert (other.x_cache, coding(other)) == ("Miss from cloudfront", used)
    assert len(origin.got) == 3


@pytest.mark.rule("CDN-CMP-07", "CDN-CMP-08")
def test_what_is_stored_stays_as_it_is(deliver: Deliver, origin: Origin, shared: Edge) -> None:
    def answer(got: Got) -> Answer:
        return says(status=304) if got.header("If-None-Match") else says(etag='"1"')

    origin.answer = says(etag='"1"', chunked=True)
    site = deliver(BOTH)
    get(site)
    origin.answer = answer
    assert coding(get(site)) == ""
    shared.clock.advance(seconds=61)
    renewed = get(site)
    assert renewed.x_cache == "RefreshHit from cloudfront"
    assert (coding(renewed), renewed.headers.get("ETag")) == ("", '"1"')
    site.invalidate("/a")
    assert coding(get(site)) == "br"


@pytest.mark.rule("CDN-CMP-07", "CDN-CMP-12")
def test_a_compressed_object_is_revalidated(deliver: Deliver, origin: Origin, shared: Edge) -> None:
    origin.answer = lambda got: (
        says(status=304, etag='"1"') if got.header("If-None-Match") == 'W/"1"' else says(etag='"1"')
    )
    site = deliver(BOTH)
    first = get(site)
    shared.clock.advance(seconds=61)
    renewed = get(site)
    assert renewed.x_cache == "RefreshHit from cloudfront"
    assert (renewed.body, coding(renewed)) == (first.body, "br")
    assert renewed.headers.get("ETag") == 'W/"1"'


@pytest.mark.rule("CDN-CMP-09")
def test_it_is_done_every_time(deliver: Deliver) -> None:
    site = deliver(BOTH)
    assert [coding(get(site, path=f"/{number}")) for number in range(10)] == ["br"] * 10


# Where in the order of events


GENERATES = """
    def handler(event, context):
        return {
            "status": "200",
            "headers": {"content-type": [{"key": "Content-Type", "value": "text/plain"}]},
            "body": "generated " * 200,
        }
"""
REPLACES = """
    def handler(event, context):
        response = event["Records"][0]["cf"]["response"]
        assert "content-encoding" not in response["headers"]
        response["body"] = "replaced " * 200
        return response
"""


@pytest.fixture
def serve_function(edge: Edge, origin: Origin, tmp_path: Any) -> Callable[[str, str], Site]:
    def serve(event_type: str, source: str) -> Site:
        template = distribution_template(tmp_path, {event_type: source}, behavior=COMPRESS)
        return edge.serve(template, origins={"web": origin.url})

    return serve


@pytest.mark.rule("CDN-CMP-01")
@pytest.mark.parametrize(
    ("event_type", "source", "text"),
    [
        ("origin-request", GENERATES, b"generated " * 200),
        ("origin-response", REPLACES, b"replaced " * 200),
    ],
)
def test_what_a_function_makes_is_compressed(
    serve_function: Callable[[str, str], Site],
    origin: Origin,
    event_type: str,
    source: str,
    text: bytes,
) -> None:
    origin.answer = says(chunked=True)
    site = serve_function(event_type, source)
    miss, hit = get(site), get(site)
    assert (coding(miss), unpacked(miss)) == ("br", text)
    assert (hit.x_cache, hit.body) == ("Hit from cloudfront", miss.body)


def test_what_a_function_makes_for_head_is_left_alone(
    serve_function: Callable[[str, str], Site],
) -> None:
    site = serve_function("origin-request", GENERATES)
    response = site.request("HEAD", "/a", headers={"Accept-Encoding": "br"})
    assert (coding(response), response.headers.get("Content-Length")) == ("", "2000")


def test_the_exchange_tells_what_became_of_it(deliver: Deliver, origin: Origin) -> None:
    origin.answer = lambda got: says(b"short") if got.target == "/short" else says()
    site = deliver(BOTH)
    for path in ("/short", "/long"):
        get(site, path=path)
    get(site, None)
    decisions = [
        [step.decision for step in exchange.steps if step.name == "compression"]
        for exchange in reversed(site.exchanges(3))
    ]
    (short,), (long,), without = decisions
    assert short is not None
    assert long is not None
    assert (short.kind, short.why) == ("unchanged", "5 bytes; 1,000 to 10,000,000 are compressed")
    assert (long.kind, long.facts) == ("compressed", {"coding": "br"})
    assert without == []
