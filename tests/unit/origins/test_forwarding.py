"""Requests to origins and their answers, apart from what the rule tables say."""

import pytest

from edgeproxy.distribution.managed import find_cache_policy, find_origin_request_policy
from edgeproxy.distribution.model import Behavior, CachePolicy, CustomOrigin, Origin, S3Origin
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.origins.forwarding import (
    from_origin,
    origin_request,
    with_custom_headers,
    without_framing,
)

PLAIN = Behavior("*", "o", CachePolicy("p", 0, 0, 0))


def policies(cache: str, origin_request_policy: str) -> Behavior:
    settings = find_cache_policy(cache)
    assert settings is not None
    more = find_origin_request_policy(origin_request_policy)
    return Behavior("*", "o", settings, origin_request_policy=more)


def send(request: Request, behavior: Behavior, origin: Origin) -> Request:
    via = "1.1 edge.cloudfront.net (CloudFront)"
    return origin_request(request, behavior, origin, generated={}, request_id="id==", via=via)


@pytest.mark.parametrize(
    ("config", "scheme", "host"),
    [
        (CustomOrigin("http-only"), "https", "origin.example"),
        (CustomOrigin("http-only", http_port=8000), "https", "origin.example:8000"),
        (CustomOrigin("https-only", http_port=8000), "http", "origin.example"),
        (CustomOrigin("https-only", https_port=8443), "http", "origin.example:8443"),
        (CustomOrigin("match-viewer", 8000, 8443), "http", "origin.example:8000"),
        (CustomOrigin("match-viewer", 8000, 8443), "https", "origin.example:8443"),
        (S3Origin(), "http", "origin.example"),
    ],
)
def test_host_carries_a_port_that_is_not_the_default(
    config: CustomOrigin | S3Origin, scheme: str, host: str
) -> None:
    viewer = Viewer("::1", scheme="https" if scheme == "https" else "http")
    sent = send(Request("GET", "/", viewer=viewer), PLAIN, Origin("o", "origin.example", config))
    assert sent.host == host


def test_everything_but_headers_and_query_is_left_alone() -> None:
    request = Request("POST", "/a//b", "q=1", "2.0", body=BytesBody(b"x"), upgrade="websocket")
    sent = send(request, PLAIN, Origin("o", "origin.example", CustomOrigin(), origin_path="/base"))
    assert (sent.method, sent.path, sent.query, sent.version) == ("POST", "/a//b", None, "2.0")
    assert sent.body is request.body
    assert sent.viewer is request.viewer
    assert sent.upgrade == "websocket"


def test_a_viewer_without_host_header_gets_the_origins() -> None:
    behavior = policies("CachingDisabled", "AllViewer")
    sent = send(Request("GET", "/"), behavior, Origin("o", "origin.example", CustomOrigin()))
    assert sent.host == "origin.example"


def test_each_name_appears_once() -> None:
    request = Request(
        "GET",
        "/",
        headers=Headers(
            [
                ("HOST", "a"),
                ("user-agent", "x"),
                ("x-forwarded-for", "192.0.2.1"),
                ("X-Forwarded-For", "192.0.2.2"),
                ("via", "1.0 proxy"),
                ("x-amz-cf-id", "fake"),
                ("accept-encoding", "gzip"),
                ("cookie", "b=1"),
                ("Cookie", "a=1"),
            ]
        ),
        viewer=Viewer("192.0.2.3"),
    )
    behavior = policies("CachingDisabled", "AllViewer")
    sent = send(request, behavior, Origin("o", "origin.example", CustomOrigin()))
    assert sent.headers.lines() == [
        ("Host", "a"),
        ("user-agent", "x"),
        ("Cookie", "a=1; b=1"),
        ("Accept-Encoding", "gzip"),
        ("X-Forwarded-For", "192.0.2.1, 192.0.2.2, 192.0.2.3"),
        ("Via", "1.0 proxy, 1.1 edge.cloudfront.net (CloudFront)"),
        ("X-Amz-Cf-Id", "id=="),
    ]


def test_custom_headers_keep_their_repeated_lines() -> None:
    custom = Headers([("X-Key", "1"), ("x-key", "2")])
    origin = Origin("o", "origin.example", CustomOrigin(), custom_headers=custom)
    request = Request("GET", "/", headers=Headers([("X-KEY", "viewer"), ("A", "b")]))
    sent = with_custom_headers(request, origin)
    assert sent.headers.lines() == [("A", "b"), ("X-Key", "1"), ("x-key", "2")]


def test_no_change_is_the_same_object() -> None:
    request, response = Request("GET", "/"), Response(200, Headers([("ETag", '"a"')]))
    assert with_custom_headers(request, Origin("o", "o.example", CustomOrigin())) is request
    assert from_origin(response, PLAIN) is response
    assert without_framing(response) is response
    varied = Response(200, Headers([("Vary", "Accept-Encoding, cookie")]))
    assert from_origin(varied, PLAIN) is varied


def test_transfer_encoding_outlives_only_the_function() -> None:
    response = Response(200, Headers([("Transfer-Encoding", "chunked"), ("Server", "s")]))
    assert from_origin(response, PLAIN) is response
    assert without_framing(response).headers.lines() == [("Server", "s")]


def test_a_101_is_left_alone() -> None:
    switching = Response(101, Headers([("Upgrade", "websocket"), ("Connection", "Upgrade")]))
    assert from_origin(switching, PLAIN) is switching


@pytest.mark.parametrize("vary", ["X-A", "", " , "])
def test_a_vary_of_which_nothing_is_left_goes(vary: str) -> None:
    assert "Vary" not in from_origin(Response(200, Headers([("Vary", vary)])), PLAIN).headers
