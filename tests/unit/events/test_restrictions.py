"""The tables against the reference, name by name."""

import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.events import restrictions
from edgeproxy.events.restrictions import (
    CFF_READ_ONLY,
    READ_ONLY,
    is_disallowed,
    is_not_addable_to_origin,
)

LE_HDR_01 = [
    "Connection",
    "Expect",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Trailer",
    "Upgrade",
    "X-Accel-Buffering",
    "X-Accel-Charset",
    "X-Accel-Limit-Rate",
    "X-Accel-Redirect",
    "X-Amz-Cf-Id",
    "X-Amzn-Auth",
    "X-Amzn-Cf-Billing",
    "X-Amzn-Cf-Id",
    "X-Amzn-Cf-Xff",
    "X-Amzn-Errortype",
    "X-Amzn-Fle-Profile",
    "X-Amzn-Header-Count",
    "X-Amzn-Header-Order",
    "X-Amzn-Lambda-Integration-Tag",
    "X-Amzn-RequestId",
    "X-Cache",
    "X-Edge-Location",
    "X-Forwarded-Proto",
    "X-Real-IP",
]

CDN_OCH_03 = [
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Cookie",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Max-Forwards",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Range",
    "Request-Range",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Via",
    "X-Real-Ip",
    "X-Amz-Date",
    "X-Edge-Anything",
]


@pytest.mark.rule("LE-HDR-01")
@pytest.mark.parametrize("name", LE_HDR_01)
def test_disallowed_in_any_case(name: str) -> None:
    assert is_disallowed(name)
    assert is_disallowed(name.lower())
    assert is_disallowed(name.upper())


@pytest.mark.rule("LE-HDR-02")
@pytest.mark.parametrize("name", ["CloudFront-Viewer-Cert-PEM", "Client-Cert", "Client-Cert-Chain"])
def test_names_that_came_with_mutual_tls(name: str) -> None:
    assert is_disallowed(name)


@pytest.mark.rule("LE-HDR-03")
def test_two_families_are_told_by_their_beginning() -> None:
    assert is_disallowed("X-Amz-Cf-Pop")
    assert is_disallowed("X-Edge-Flag")
    assert not is_disallowed("X-Amz-Date")
    assert not is_disallowed("X-Edges")


@pytest.mark.parametrize("name", ["Host", "Via", "X-Forwarded-For", "Cookie", "X-Cache-Hits"])
def test_near_neighbours_are_allowed(name: str) -> None:
    assert not is_disallowed(name)


@pytest.mark.parametrize(
    ("event_type", "names"),
    [
        pytest.param(
            EventType.VIEWER_REQUEST,
            {"cdn-loop", "content-length", "host", "transfer-encoding", "via"},
            marks=pytest.mark.rule("LE-HDR-04"),
        ),
        pytest.param(
            EventType.ORIGIN_REQUEST,
            {
                "accept-encoding",
                "cdn-loop",
                "content-length",
                "if-modified-since",
                "if-none-match",
                "if-range",
                "if-unmodified-since",
                "transfer-encoding",
                "via",
            },
            marks=pytest.mark.rule("LE-HDR-05"),
        ),
        pytest.param(
            EventType.ORIGIN_RESPONSE,
            {"transfer-encoding", "via"},
            marks=pytest.mark.rule("LE-HDR-06"),
        ),
        pytest.param(
            EventType.VIEWER_RESPONSE,
            {"content-encoding", "content-length", "transfer-encoding", "via", "warning"},
            marks=pytest.mark.rule("LE-HDR-07"),
        ),
    ],
)
def test_read_only_names_of_lambda_at_edge(event_type: EventType, names: set[str]) -> None:
    assert READ_ONLY[event_type] == names


@pytest.mark.rule("CFF-HDR-02", "CFF-HDR-03")
def test_read_only_names_of_cloudfront_functions() -> None:
    assert {
        EventType.VIEWER_REQUEST: {
            "cdn-loop",
            "content-length",
            "host",
            "transfer-encoding",
            "via",
        },
        EventType.VIEWER_RESPONSE: {"via", "warning"},
    } == CFF_READ_ONLY


@pytest.mark.rule("LE-ORG-13", "CDN-OCH-03")
@pytest.mark.parametrize("name", CDN_OCH_03)
def test_names_no_origin_custom_header_may_have(name: str) -> None:
    assert is_not_addable_to_origin(name)
    assert is_not_addable_to_origin(name.lower())


@pytest.mark.rule("CDN-OCH-04")
def test_authorization_may_be_an_origin_custom_header() -> None:
    assert not is_not_addable_to_origin("Authorization")


def test_tables_hold_folded_names() -> None:
    for table in (
        restrictions.DISALLOWED,
        restrictions.NOT_ADDABLE_TO_ORIGIN,
        *restrictions.READ_ONLY.values(),
        *restrictions.CFF_READ_ONLY.values(),
    ):
        assert all(name == name.lower() for name in table)
