"""Every field of CloudFront's logs has CloudFront's value."""

from typing import Any

import pytest

from edgeproxy.distribution.logs import (
    DEFAULT_DELIVERY_FIELDS,
    DELIVERY_FIELDS,
    REALTIME_FIELDS,
    STANDARD_FIELDS,
    StandardLogging,
)
from edgeproxy.distribution.model import Distribution
from edgeproxy.distribution.tenants import DistributionTenant
from edgeproxy.exchange.delivery import record_delivery, record_end
from edgeproxy.exchange.model import Decision, Exchange, Step
from edgeproxy.http.body import EMPTY_BODY, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.location import Location
from edgeproxy.http.messages import Delivered, MutualTls, Response, Viewer
from edgeproxy.observe.hub import Hub
from edgeproxy.observe.log_fields import (
    NEVER_ENCODED,
    REALTIME_VALUES,
    STANDARD_VALUES,
    LogSource,
)
from edgeproxy.observe.log_formats import Layout, escape_field, real_time
from tests.unit.exchange.records import exchange, ran
from tests.unit.observe.distributions import DOMAIN, distribution

RANGE = Headers([("Content-Range", "bytes 10-19/1000")])
NETWORK = Location(asn="16509")


async def _no_chunks() -> Any:
    return
    yield


def fields_of(done: Exchange, site: Distribution | None = None) -> dict[str, str]:
    """What version 2 of the standard log says."""
    source = LogSource({"Site": site or distribution()}.get, "SEA19-C1")
    row = Layout(DELIVERY_FIELDS).row(source.record(done))
    return dict(zip(DELIVERY_FIELDS, row, strict=True))


def realtime(done: Exchange, site: Distribution | None = None) -> dict[str, str]:
    source = LogSource({"Site": site or distribution()}.get, "SEA19-C1", "127.0.0.1")
    row = real_time(REALTIME_FIELDS).row(source.record(done))
    return dict(zip(REALTIME_FIELDS, row, strict=True))


def aborted(done: Exchange, delivered: Delivered) -> Exchange:
    record_end(done, delivered, Hub())
    return done


def test_there_is_a_value_for_each_field() -> None:
    assert STANDARD_VALUES.keys() == set(DELIVERY_FIELDS)
    assert REALTIME_VALUES.keys() == set(REALTIME_FIELDS)


def test_what_is_never_encoded_would_not_change() -> None:
    odd = Headers([("Range", "\n"), ("Content-Range", "bytes 1-2/\n"), ("Content-Length", "\n")])
    response = Response(206, odd, BytesBody(b"ab"))
    done = exchange(response=response, viewer=Viewer("a b", 1), headers=odd, path_pattern="\n")
    record = LogSource({"Site": distribution()}.get, "\n").record(done)
    values = {**STANDARD_VALUES, **REALTIME_VALUES}
    assert values.keys() >= NEVER_ENCODED
    for name in NEVER_ENCODED:
        assert escape_field(values[name](record)) == values[name](record)


@pytest.mark.rule("CDN-LOG-06")
def test_what_a_delivery_has_by_default() -> None:
    assert len(STANDARD_FIELDS) == 33
    chosen = (*STANDARD_FIELDS, "c-country", "cache-behavior-path-pattern")
    assert chosen == DEFAULT_DELIVERY_FIELDS


def test_every_field_of_a_full_line() -> None:
    headers = Headers(
        [
            ("Host", "www.example.com"),
            ("Referer", "https://example.com/a b"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux)"),
            ("Cookie", "a=1; b=2"),
            ("Cookie", "c=ü"),
            ("X-Forwarded-For", "198.51.100.1"),
            ("X-Forwarded-For", "198.51.100.2"),
        ]
    )
    cipher = "TLS_AES_128_GCM_SHA256"
    mutual_tls = MutualTls("Site", (), "9xfj24a67sPQr7ae==")
    viewer = Viewer("192.0.2.7", 50123, "https", "DE", "TLSv1.3", cipher, mutual_tls, NETWORK)
    done = exchange(
        headers=headers,
        viewer=viewer,
        version="2.0",
        query="q=1&r=[2]",
        path="/a%20b/ü",
        first_byte_s=0.0124,
        path_pattern="/a*",
        response=Response(206, Headers([("Content-Type", "text/css"), *RANGE]), BytesBody(b"")),
        detailed_result_type="OriginShieldHit",
        steps=[ran(log_data="a%20b"), Step("origin", 0.25, after=Response(200))],
        origin_first_byte_s=0.501,
        origin_last_byte_s=0.75,
        primary="Live",
    )
    tenant = DistributionTenant("dt_1", "E1234567890ABC", {})
    site = distribution(logging=StandardLogging(include_cookies=True), tenant=tenant, id="dt_1")
    live = distribution(id="EPRIMARY", domain_name="dprimary.cloudfront.net")
    source = LogSource({"Site": site, "Live": live}.get, "SEA19-C1")
    row = Layout(DELIVERY_FIELDS).row(source.record(done))
    assert dict(zip(DELIVERY_FIELDS, row, strict=True)) == {
        "date": "2026-11-21",
        "time": "03:50:32",
        "x-edge-location": "SEA19-C1",
        "sc-bytes": "321",
        "c-ip": "192.0.2.7",
        "cs-method": "GET",
        "cs(Host)": DOMAIN,
        "cs-uri-stem": "/a%2520b/%C3%BC",
        "sc-status": "206",
        "cs(Referer)": "https://example.com/a%20b",
        "cs(User-Agent)": "Mozilla/5.0%20(X11;%20Linux)",
        "cs-uri-query": "q=1&r=%5B2%5D",
        "cs(Cookie)": "a=1;%20b=2;%20c=%C3%BC",
        "x-edge-result-type": "Hit",
        "x-edge-request-id": "A" * 54 + "==",
        "x-host-header": "www.example.com",
        "cs-protocol": "https",
        "cs-bytes": "123",
        "time-taken": "0.250",
        "x-forwarded-for": "198.51.100.1,%20198.51.100.2",
        "ssl-protocol": "TLSv1.3",
        "ssl-cipher": cipher,
        "x-edge-response-result-type": "Hit",
        "cs-protocol-version": "HTTP/2.0",
        "fle-status": "-",
        "fle-encrypted-fields": "-",
        "c-port": "50123",
        "time-to-first-byte": "0.012",
        "x-edge-detailed-result-type": "OriginShieldHit",
        "sc-content-type": "text/css",
        "sc-content-len": "0",
        "sc-range-start": "10",
        "sc-range-end": "19",
        "distribution-tenant-id": "dt_1",
        "connection-id": "9xfj24a67sPQr7ae==",
        "timestamp(ms)": "1795233032373",
        "origin-fbl": "0.251",
        "origin-lbl": "0.500",
        "asn": "16509",
        "c-country": "DE",
        "cache-behavior-path-pattern": "/a*",
        "primary-distribution-id": "EPRIMARY",
        "primary-distribution-dns-name": "dprimary.cloudfront.net",
        "viewer-request-log-data": "a%20b",
        "viewer-response-log-data": "-",
    }


def test_what_has_no_value_is_a_dash() -> None:
    fields = fields_of(exchange(headers=Headers(), query="", response=Response(200)))
    dashes = {name for name, value in fields.items() if value == "-"}
    assert dashes == {
        *("cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-host-header"),
        *("x-forwarded-for", "ssl-protocol", "ssl-cipher", "fle-status", "fle-encrypted-fields"),
        *("sc-content-type", "sc-range-start", "sc-range-end", "asn", "c-country"),
        *("distribution-tenant-id", "connection-id", "origin-fbl", "origin-lbl"),
        *("primary-distribution-id", "primary-distribution-dns-name"),
        *("cache-behavior-path-pattern", "viewer-request-log-data", "viewer-response-log-data"),
    }


def test_the_time_is_when_the_request_finished() -> None:
    fields = fields_of(exchange(duration_s=3600 * 21))
    assert (fields["date"], fields["time"]) == ("2026-11-22", "00:50:32")
    assert fields["time-taken"] == "75600.000"


def test_cookies_are_logged_only_when_that_is_asked_for() -> None:
    done = exchange(headers=Headers([("Host", "a"), ("Cookie", "a=1")]))
    assert fields_of(done)["cs(Cookie)"] == "-"
    assert realtime(done)["cs-cookie"] == "a=1"


@pytest.mark.rule("CDN-LOG-10")
def test_a_viewer_who_leaves_in_the_middle_of_a_hit() -> None:
    fields = fields_of(aborted(exchange(), Delivered(99, aborted=True)))
    assert fields["x-edge-response-result-type"] == "Hit"
    assert fields["x-edge-result-type"] == "Error"
    assert fields["x-edge-detailed-result-type"] == "ClientCommError"
    assert (fields["sc-status"], fields["sc-bytes"]) == ("200", "99")


@pytest.mark.parametrize(
    ("origin_id", "detail"), [("web", "OriginReadError"), ("", "AbortedOrigin")]
)
def test_a_body_that_breaks_off(origin_id: str, detail: str) -> None:
    done = aborted(exchange(origin_id=origin_id), Delivered(99, aborted=True, broken=True))
    fields = fields_of(done)
    assert fields["x-edge-result-type"] == "Error"
    assert fields["x-edge-detailed-result-type"] == detail


def test_only_a_distribution_s_result_becomes_an_error() -> None:
    done = exchange(result_type="", detailed_result_type="")
    aborted(done, Delivered(9, aborted=True))
    assert (done.result_type, done.detailed_result_type) == ("", "")


@pytest.mark.parametrize("response", [None, Response(200)])
def test_a_viewer_who_leaves_first_has_no_status(response: Response | None) -> None:
    fields = fields_of(exchange(aborted=True, bytes_sent=0, response=response))
    assert fields["sc-status"] == "000"
    assert fields["sc-bytes"] == "0"


def test_bytes_of_a_tunnel_count() -> None:
    done = exchange()
    response = record_delivery(done, Response(101), Hub())
    assert response.on_delivered is not None
    response.on_delivered(Delivered(5000, received=1000))
    assert done.bytes_received == len("GET /app.css HTTP/1.1\r\nHost: site.example\r\n\r\n") + 1000


@pytest.mark.parametrize(
    ("scheme", "status", "protocol"),
    [("http", 200, "http"), ("https", 200, "https"), ("http", 101, "ws"), ("https", 101, "wss")],
)
def test_protocols(scheme: Any, status: int, protocol: str) -> None:
    done = exchange(viewer=Viewer("192.0.2.7", scheme=scheme), response=Response(status))
    assert fields_of(done)["cs-protocol"] == protocol


@pytest.mark.rule("CDN-GRP-03")
@pytest.mark.parametrize("enabled", [True, False])
def test_grpc_is_a_protocol_of_behaviors_that_serve_it(enabled: bool) -> None:
    headers = Headers([("Host", "a"), ("Content-Type", "application/grpc+proto")])
    done = exchange(
        headers=headers, viewer=Viewer("192.0.2.7", scheme="https"), method="POST", version="2.0"
    )
    site = distribution(behavior={"grpc_enabled": enabled})
    assert fields_of(done, site)["cs-protocol"] == ("grpcs" if enabled else "https")


@pytest.mark.parametrize(
    ("method", "status", "headers", "body", "text"),
    [
        ("GET", 200, Headers(), BytesBody(b"abc"), "3"),
        ("GET", 200, Headers(), StreamBody(_no_chunks(), 7), "7"),
        ("GET", 200, Headers([("Content-Length", "9")]), StreamBody(_no_chunks()), "-"),
        ("HEAD", 200, Headers([("Content-Length", "9")]), EMPTY_BODY, "9"),
        ("HEAD", 200, Headers(), BytesBody(b"abc"), "3"),
        ("HEAD", 200, Headers(), EMPTY_BODY, "-"),
        ("GET", 304, Headers(), EMPTY_BODY, "-"),
        ("DELETE", 204, Headers(), EMPTY_BODY, "-"),
    ],
)
def test_the_content_length_is_the_one_sent(
    method: str, status: int, headers: Headers, body: Any, text: str
) -> None:
    done = exchange(method=method, response=Response(status, headers, body))
    assert fields_of(done)["sc-content-len"] == text


@pytest.mark.parametrize(
    ("content_range", "expected"),
    [("bytes 0-99/1000", ("0", "99")), ("bytes 5-5/*", ("5", "5")), ("bytes */1000", ("-", "-"))],
)
def test_ranges_are_those_of_the_response(content_range: str, expected: tuple[str, str]) -> None:
    done = exchange(
        headers=Headers([("Range", "bytes=0-"), ("Host", "a")]),
        response=Response(206, Headers([("Content-Range", content_range)])),
    )
    fields = fields_of(done)
    assert (fields["sc-range-start"], fields["sc-range-end"]) == expected


@pytest.mark.rule("CDN-LOG-07")
def test_the_primary_under_continuous_deployment() -> None:
    site = distribution(continuous_deployment_policy_id="policy")
    for fields in (fields_of(exchange(), site), realtime(exchange(), site)):
        assert fields["primary-distribution-id"] == site.id
        assert fields["primary-distribution-dns-name"] == DOMAIN


@pytest.mark.rule("CDN-RTL-02")
def test_names_that_mean_something_else_in_real_time_logs() -> None:
    done = exchange(headers=Headers([("Host", "www.example.com")]), path="/a", query="b=1")
    standard, real = fields_of(done), realtime(done)
    assert (standard["x-host-header"], standard["cs(Host)"]) == ("www.example.com", DOMAIN)
    assert (real["cs-host"], real["x-host-header"]) == ("www.example.com", DOMAIN)
    assert (standard["cs-uri-stem"], real["cs-uri-stem"]) == ("/a", "/a?b=1")


@pytest.mark.rule("CDN-RTL-03")
def test_long_values_are_cut() -> None:
    done = exchange(headers=Headers([("Host", "a"), ("Cookie", "c" * 900)]))
    fields = realtime(done)
    assert fields["cs-cookie"] == "c" * 800
    assert fields["cs-headers"] == ("Host:a%0ACookie:" + "c" * 900)[:800]
    assert realtime(exchange())["cs-headers"] == "Host:site.example%0A"
    assert realtime(exchange())["cs-header-names"] == "Host%0A"
    assert fields["cs-headers-count"] == "2"
    # An escape is never cut through.
    done = exchange(headers=Headers([("Cookie", "c" * 798 + '"')]))
    assert realtime(done)["cs-cookie"] == "c" * 798


@pytest.mark.rule("CDN-RTL-04")
def test_the_origin_and_why_it_was_asked() -> None:
    failed = Step("failover", 0, decision=Decision("failover", "", {"status": 403}))
    done = exchange(steps=[failed], origin_domain_name="second.example.com")
    fields = realtime(done)
    assert (fields["r-host"], fields["sr-reason"]) == ("second.example.com", "Failover:403")
    hit = realtime(exchange())
    assert (hit["r-host"], hit["sr-reason"]) == ("-", "-")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("a=1&CMCD=br%3D3200%2Cbs%2Csid%3D%226e2fb550-c457%22%2Cot%3Dv", []),
        (None, [("CMCD-Object", "br=3200,ot=v"), ("CMCD-Session", 'bs, sid="6e2fb550-c457"')]),
    ],
)
def test_media_client_data(query: str | None, headers: list[tuple[str, str]]) -> None:
    fields = realtime(exchange(query=query, headers=Headers(headers)))
    assert fields["cmcd-encoded-bitrate"] == "3200"
    assert fields["cmcd-buffer-starvation"] == "true"
    assert fields["cmcd-session-id"] == "6e2fb550-c457"
    assert fields["cmcd-object-type"] == "v"
    assert fields["cmcd-version"] == "-"


@pytest.mark.parametrize(("ip", "version"), [("192.0.2.7", "IPv4"), ("2001:db8::1", "IPv6")])
def test_versions_of_addresses(ip: str, version: str) -> None:
    fields = realtime(exchange(viewer=Viewer(ip)))
    assert (fields["c-ip"], fields["c-ip-version"], fields["s-ip"]) == (ip, version, "127.0.0.1")
