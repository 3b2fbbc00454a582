"""How origins are asked: path, protocol, timeouts, attempts, TLS names, WebSocket (CDN-ORG)."""

import asyncio
import ssl
from pathlib import Path

import pytest

from edgeproxy.distribution.model import Origin, S3Origin
from edgeproxy.http.body import BytesBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer
from edgeproxy.origins.destinations import Address, Destinations
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from tests.unit.origins.certificates import server_context, trusting
from tests.unit.origins.raw_origin import (
    OK,
    Visit,
    answers_all,
    client,
    custom_origin,
    raw_origin,
    says,
)

HOST = Headers([("Host", "www.example.com")])
GET = Request("GET", "/a?", headers=HOST)


@pytest.mark.rule("CDN-ORG-01")
async def test_the_origin_path_stands_in_front_of_the_path() -> None:
    async with raw_origin(says(OK)) as origin, client({"web": origin.url + "/base"}) as sender:
        await sender.fetch(Request("GET", "/x/y", "q"), custom_origin(origin_path="/prod"))
    assert origin.requests[0].startswith(b"GET /base/prod/x/y?q HTTP/1.1\r\n")


@pytest.mark.rule("CDN-OCH-01", "CDN-OCH-04", "LE-EVT-20")
async def test_custom_headers_of_the_origin_replace_the_requests() -> None:
    custom = Headers([("X-Key", "secret"), ("Authorization", "Basic eDp5")])
    request = Request("GET", "/", headers=HOST.with_added("x-key", "guess"))
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        await sender.fetch(request, custom_origin(custom_headers=custom))
    lines = origin.requests[0].lower().split(b"\r\n")
    assert [line for line in lines if line.startswith(b"x-key")] == [b"x-key: secret"]
    assert b"authorization: basic edp5" in lines


@pytest.mark.rule("CDN-HDR-05", "CDN-VER-03")
@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0"])
async def test_the_origin_gets_http_1_1_whatever_the_viewer_speaks(version: str) -> None:
    request = Request("GET", "/", version=version, headers=HOST)
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        await sender.fetch(request, custom_origin())
    assert origin.requests[0].startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.rule("CDN-ORG-02")
async def test_an_attempt_to_connect_is_repeated_until_one_succeeds(monkeypatch) -> None:
    refused = 0
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def connect_third_time(sock, address):
            nonlocal refused
            if refused < 2:
                refused += 1
                raise ConnectionRefusedError(111, "refused")
            return await connect(sock, address)

        monkeypatch.setattr(loop, "sock_connect", connect_third_time)
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(GET, custom_origin(connection_attempts=2))
        assert failed.value.why == f"{origin.url} refused the connection (2 attempts)"
        refused = 0
        response = await sender.fetch(GET, custom_origin(connection_attempts=3))
        assert response.status == 200


async def silent_once(visit: Visit) -> None:
    await visit.request()
    if visit.number == 1:
        await visit.until_gone()
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.rule("CDN-ORG-03")
async def test_get_and_head_are_repeated_after_a_response_timeout(method: str) -> None:
    settings = custom_origin(read_timeout_s=0.5)
    async with raw_origin(silent_once) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request(method, "/", headers=HOST), settings)
    assert response.status == 200
    assert len(origin.requests) == 2


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "POST", "PUT"])
@pytest.mark.rule("CDN-ORG-05")
async def test_other_methods_are_not_repeated_after_a_response_timeout(method: str) -> None:
    settings = custom_origin(read_timeout_s=0.5)
    request = Request(method, "/", headers=HOST, body=BytesBody(b"x"))
    async with raw_origin(silent_once) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(request, settings)
        await asyncio.wait_for(origin.gone.wait(), 20)  # the connection is dropped
    assert failed.value.status == 504
    assert len(origin.requests) == 1


@pytest.mark.rule("CDN-ORG-03", "CDN-ORG-04")
async def test_an_s3_origin_has_a_response_timeout_and_no_repeats() -> None:
    bucket = Origin("web", "b.s3.amazonaws.com", S3Origin(read_timeout_s=0.5))
    async with raw_origin(silent_once) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(GET, bucket)
    assert failed.value.status == 504
    assert len(origin.requests) == 1


@pytest.mark.rule("CDN-ORG-04", "CDN-WS-08")
async def test_packets_that_keep_coming_hold_off_the_response_timeout() -> None:
    async def ticks(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            await asyncio.sleep(0.4)
            await visit.send(b"4\r\ntick\r\n")
        await visit.send(b"0\r\n\r\n")

    async with raw_origin(ticks) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin(read_timeout_s=1.2))
        assert await read_at_most(response.body, 100) == b"tick" * 4


@pytest.mark.rule("CDN-ORG-07")
async def test_idle_connections_are_kept_for_the_keep_alive_timeout() -> None:
    async with raw_origin(answers_all) as origin, client({"web": origin.url}) as sender:
        for settings, connections in [
            (custom_origin(keepalive_timeout_s=60), 1),
            (custom_origin(keepalive_timeout_s=60), 1),
            (custom_origin(keepalive_timeout_s=0.05), 2),
            (custom_origin(keepalive_timeout_s=0.05), 3),
        ]:
            origin.gone.clear()
            await sender.fetch(GET, settings)
            assert origin.connections == connections
            if settings.config.keepalive_timeout_s < 1:
                await asyncio.wait_for(origin.gone.wait(), 20)


@pytest.mark.parametrize(
    ("policy", "viewer", "address"),
    [
        ("http-only", "https", Address("http", "www.example.com", 8000)),
        ("https-only", "http", Address("https", "www.example.com", 8443)),
        ("match-viewer", "http", Address("http", "www.example.com", 8000)),
        ("match-viewer", "https", Address("https", "www.example.com", 8443)),
    ],
)
@pytest.mark.rule("CDN-ORG-08", "CDN-ORG-10")
def test_protocol_and_port_follow_the_origins_policy(policy, viewer, address) -> None:
    origin = custom_origin(protocol_policy=policy, http_port=8000, https_port=8443)
    assert Destinations({}, handlers={}).resolve(origin, viewer) == address


@pytest.mark.rule("CDN-ORG-10")
def test_ports_are_80_and_443_by_default() -> None:
    destinations = Destinations({}, handlers={})
    origin = custom_origin(protocol_policy="match-viewer")
    assert destinations.resolve(origin, "http") == Address("http", "www.example.com", 80)
    assert destinations.resolve(origin, "https") == Address("https", "www.example.com", 443)


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
@pytest.mark.rule("CDN-ORG-08", "CDN-S3-05")
def test_a_bucket_is_asked_over_the_viewers_protocol(scheme, port: int) -> None:
    bucket = Origin("files", "b.s3.amazonaws.com", S3Origin())
    address = Destinations({}, handlers={}).resolve(bucket, scheme)
    assert address == Address(scheme, "b.s3.amazonaws.com", port)


@pytest.mark.rule("CDN-ORG-08")
async def test_match_viewer_asks_over_the_protocol_of_the_request_that_missed() -> None:
    async with raw_origin(says(OK)) as origin, client() as sender:
        settings = custom_origin(
            domain_name="localhost", http_port=origin.port, protocol_policy="match-viewer"
        )
        request = Request("GET", "/", headers=HOST, viewer=Viewer("192.0.2.1", scheme="http"))
        assert (await sender.fetch(request, settings)).status == 200


@pytest.mark.parametrize(
    ("host", "sni"),
    [
        ("localhost", "localhost"),
        ("shop.example.com", "shop.example.com"),
        ("shop.example.com:8443", "shop.example.com"),
    ],
)
@pytest.mark.rule("CDN-ORG-11", "LE-ORG-15")
async def test_the_tls_name_is_the_host_that_is_sent(
    tmp_path: Path, monkeypatch, host: str, sni: str
) -> None:
    seen: list[str | None] = []
    tls = server_context(tmp_path, sni)
    tls.sni_callback = lambda connection, name, context: seen.append(name)
    with trusting(tmp_path / f"{sni}.pem", monkeypatch):
        async with raw_origin(says(OK), tls=tls) as origin, client() as sender:
            settings = custom_origin(
                domain_name="localhost", https_port=origin.port, protocol_policy="https-only"
            )
            request = Request("GET", "/", headers=Headers([("Host", host)]))
            assert (await sender.fetch(request, settings)).status == 200
    assert seen == [sni]
    assert f"Host: {host}".encode() in origin.requests[0]


@pytest.mark.rule("CDN-ORG-11", "CDN-ERR-33")
@pytest.mark.parametrize("host", ["a..b", ".a.example", f"{'x' * 64}.example"])
async def test_a_host_that_is_no_tls_name_gets_no_connection(tmp_path: Path, host: str) -> None:
    tls = server_context(tmp_path, "whoever")
    async with raw_origin(says(OK), tls=tls) as origin, client({"web": origin.url}) as sender:
        request = Request("GET", "/", headers=Headers([("Host", host)]))
        with pytest.raises(OriginFailure, match="which is no host name") as failed:
            await sender.fetch(request, custom_origin())
    assert (failed.value.kind, failed.value.status) == (OriginFailureKind.CONNECT, 502)
    assert origin.requests == []


async def test_a_mapped_loopback_address_may_show_any_certificate(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "whoever")
    async with raw_origin(says(OK), tls=tls) as origin, client({"web": origin.url}) as sender:
        assert (await sender.fetch(GET, custom_origin())).status == 200


@pytest.mark.parametrize("protocols", [("TLSv1", "SSLv3"), ("TLSv1.1", "TLSv1.2")])
@pytest.mark.rule("CDN-CFG-072")
async def test_old_tls_versions_are_offered_when_the_origin_lists_them(
    tmp_path: Path, protocols: tuple[str, ...]
) -> None:
    tls = server_context(tmp_path, "whoever")
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    async with raw_origin(says(OK), tls=tls) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin(ssl_protocols=protocols))
        assert response.status == 200
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(GET, custom_origin(ssl_protocols=("TLSv1.2",)))
    assert "in the TLS handshake" in failed.value.why


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.rule("CDN-ORG-12", "CDN-S3-09")
async def test_redirects_are_not_followed_and_not_rewritten(status: int) -> None:
    location = "http://elsewhere.example.com/é?a b".encode()
    answer = b"HTTP/1.1 %d Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
    assert response.status == status
    assert response.headers.get("Location").encode() == location
    assert len(origin.requests) == 1


HANDSHAKE = Request(
    "GET",
    "/chat",
    headers=Headers(
        [
            ("Host", "www.example.com"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]
    ),
    upgrade="websocket",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@pytest.mark.rule("CDN-WS-01", "CDN-WS-02", "CDN-WS-04")
async def test_after_a_101_bytes_pass_both_ways_unchanged() -> None:
    async def echo(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED + b"\x81\x05hello")
        while data := await visit.reader.read(65536):
            await visit.send(data)

    async with raw_origin(echo) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(HANDSHAKE, custom_origin())
        assert response.status == 101
        assert response.headers.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert response.tunnel is not None
        received = aiter(response.tunnel)
        assert await anext(received) == b"\x81\x05hello"
        for data in (b"\x00\xff\r\n", bytes(range(256)) * 2000):
            await response.tunnel.send(data)
            back = b""
            while len(back) < len(data):
                back += await anext(received)
            assert back == data
        await response.tunnel.close()
        await asyncio.wait_for(origin.gone.wait(), 20)
    lines = origin.requests[0].split(b"\r\n")
    assert {b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"} <= {*lines}


@pytest.mark.rule("CDN-WS-03")
async def test_without_the_forwarded_key_a_handshake_is_a_plain_get() -> None:
    request = Request("GET", "/chat", headers=HOST, upgrade="websocket")
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(request, custom_origin())
    assert response.status == 200
    assert b"upgrade" not in origin.requests[0].lower()


async def test_a_refused_handshake_is_an_ordinary_answer() -> None:
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(HANDSHAKE, custom_origin())
        assert await read_at_most(response.body, 10) == b"no"
    assert (response.status, response.tunnel) == (403, None)


@pytest.mark.rule("CDN-WS-05")
async def test_wss_reaches_an_https_origin_over_tls(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "whoever")
    async with raw_origin(says(SWITCHED), tls=tls) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(HANDSHAKE, custom_origin())
        assert response.tunnel is not None
        assert [chunk async for chunk in response.tunnel] == []
        await response.tunnel.close()
