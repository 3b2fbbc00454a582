"""What CloudFront Functions see, through a whole edge over real sockets."""

import json
from collections.abc import Callable

import pytest

from edgeproxy.testing import Site
from tests.support.delivery import raw
from tests.support.viewer_functions import function

Serve = Callable[..., Site]
ACCEPT = [("Accept", "a/a"), ("Accept", "b/b"), ("Accept", "c/c")]


def logged(site: Site) -> list[str]:
    """What the functions of the newest exchange logged."""
    return [line.message for run in site.exchanges(1)[0].functions for line in run.log]


def seen(site: Site, path: str = "/", **more: object) -> object:
    """What the function logged as JSON."""
    site.get(path, **more)
    return json.loads(logged(site)[-1])


def showing(expression: str) -> dict[str, str]:
    return {"viewer-request": function(f"console.log(JSON.stringify({expression}));")}


@pytest.mark.rule("CFF-EVT-12", "CFF-EVT-07", "CFF-EVT-08", "CFF-EVT-02", "CFF-EVT-05")
def test_headers_of_several_lines(serve_cff: Serve) -> None:
    site = serve_cff(showing("event"))
    event = seen(site, "/p%20q", headers=ACCEPT)
    assert event["request"]["headers"]["accept"] == {
        "value": "a/a", "multiValue": [{"value": "a/a"}, {"value": "b/b"}, {"value": "c/c"}],
    }  # fmt: skip
    assert (event["request"]["uri"], event["request"]["querystring"]) == ("/p%20q", {})
    assert event["context"]["eventType"] == "viewer-request"
    assert event["context"]["requestId"] == site.exchanges(1)[0].id
    assert "response" not in event
    event = seen(site, "/", headers={"Accept": "a/a, b/b"})
    assert event["request"]["headers"]["accept"] == {"value": "a/a, b/b"}


@pytest.mark.rule("CFF-EVT-11", "CFF-EVT-19", "CFF-EVT-10")
def test_query_string_and_cookies(serve_cff: Serve) -> None:
    site = serve_cff(showing("[event.request.querystring, event.request.cookies, "
                         "event.request.headers.cookie === undefined]"))  # fmt: skip
    query, cookies, absent = seen(site, "/?ID=42&NoValue&m=1&m=2", headers={"Cookie": "A=1; b=2"})
    assert query == {
        "ID": {"value": "42"},
        "NoValue": {"value": ""},
        "m": {"value": "1", "multiValue": [{"value": "1"}, {"value": "2"}]},
    }
    assert (cookies, absent) == ({"A": {"value": "1"}, "b": {"value": "2"}}, True)


@pytest.mark.rule("CFF-EVT-21", "CFF-QS-07")
def test_a_url_that_is_not_utf_8(serve_cff: Serve) -> None:
    site = serve_cff(showing("[event.request.uri, event.request.rawQueryString()]"))
    head = b"GET /caf\xe9?q=\xe9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert raw(site, head).startswith(b"HTTP/1.1 200")
    assert json.loads(logged(site)[-1]) == ["/caf\xe9", "q=\xe9"]


@pytest.mark.rule("CFF-QS-07")
@pytest.mark.parametrize(
    ("path", "raw"), [("/p?x=%20y", '"x=%20y"'), ("/p?", '""'), ("/p", "undefined")]
)
def test_the_raw_query_string(serve_cff: Serve, path: str, raw: str) -> None:
    code = function("console.log(String(JSON.stringify(event.request.rawQueryString())));")
    site = serve_cff({"viewer-request": code})
    site.get(path)
    assert logged(site) == [raw]


@pytest.mark.rule("CFF-EVT-04", "CFF-EVT-16", "CFF-EVT-20")
def test_the_viewer_and_the_headers_of_cloudfront(serve_cff: Serve) -> None:
    policy = {
        "Type": "AWS::CloudFront::OriginRequestPolicy",
        "Properties": {
            "OriginRequestPolicyConfig": {
                "Name": "geo",
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "none"},
                "HeadersConfig": {
                    "HeaderBehavior": "whitelist",
                    "Headers": ["CloudFront-Viewer-Country"],
                },
            }
        },
    }
    site = serve_cff(
        showing("[event.viewer.ip, event.request.headers]"),
        resources={"Geo": policy},
        behavior={"OriginRequestPolicyId": {"Ref": "Geo"}},
    )
    ip, headers = seen(
        site,
        headers={
            "x-edgeproxy-viewer-ip": "203.0.113.9",
            "x-edgeproxy-viewer-country": "FR",
            "X-Edge-Q": "1",
        },
    )
    assert ip == "203.0.113.9"
    assert headers["cloudfront-viewer-country"] == {"value": "FR"}
    assert not [name for name in headers if name.startswith("x-edge")]
