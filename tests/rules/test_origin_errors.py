"""What becomes of origins that cannot be asked or answer badly (CDN-ERR-30 to 40)."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeproxy.http.body import read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from tests.support.ports import free_port
from tests.unit.origins.certificates import server_context, trusting
from tests.unit.origins.raw_origin import Script, Visit, client, custom_origin, raw_origin, says

GET = Request("GET", "/", headers=Headers([("Host", "localhost")]))


async def failure_of(sender, origin, request: Request = GET) -> OriginFailure:
    with pytest.raises(OriginFailure) as failed:
        await sender.fetch(request, origin)
    return failed.value


@pytest.mark.rule("CDN-ERR-30")
@pytest.mark.parametrize("name", ["nowhere.invalid", "127.1"])
async def test_a_name_that_does_not_resolve_is_502(name: str) -> None:
    async with client() as sender:
        failure = await failure_of(sender, custom_origin(domain_name=name))
    assert (failure.kind, failure.status) == (OriginFailureKind.DNS, 502)
    assert f"{name} does not resolve" in failure.why
    assert not failure.connected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.rule("CDN-ERR-31")
async def test_a_refused_connection_is_502(host: str) -> None:
    url = f"http://{host}:{free_port()}"
    async with client({"web": url}) as sender:
        failure = await failure_of(sender, custom_origin(connection_attempts=1))
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 502)
    assert failure.why == f"{url} refused the connection"
    assert not failure.connected


@pytest.mark.rule("CDN-ERR-32", "CDN-ORG-02")
async def test_connecting_in_vain_for_all_attempts_is_504() -> None:
    # A listener whose queue is full leaves further connections unanswered.
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with client({"web": url}) as sender:
            started = asyncio.get_running_loop().time()
            failure = await failure_of(
                sender, custom_origin(connection_attempts=3, connection_timeout_s=0.1)
            )
            waited = asyncio.get_running_loop().time() - started
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 504)
    assert failure.why == f"{url} did not accept a connection within 0.1 s (3 attempts)"
    assert failure.timed_out
    assert not failure.connected
    assert 0.3 <= waited < 2


def https_origin(port: int, domain_name: str = "localhost"):
    return custom_origin(
        domain_name=domain_name,
        https_port=port,
        protocol_policy="https-only",
        connection_attempts=1,
    )


@pytest.mark.rule("CDN-ERR-33")
async def test_a_self_signed_certificate_is_502(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "localhost")
    async with raw_origin(says(b""), tls=tls) as origin, client() as sender:
        failure = await failure_of(sender, https_origin(origin.port))
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 502)
    assert "showed a certificate that is not accepted" in failure.why
    assert "self-signed" in failure.why


@pytest.mark.rule("CDN-ERR-33")
async def test_an_expired_certificate_is_502(tmp_path: Path, monkeypatch) -> None:
    tls = server_context(tmp_path, "localhost", is_expired=True)
    with trusting(tmp_path / "localhost.pem", monkeypatch):
        async with raw_origin(says(b""), tls=tls) as origin, client() as sender:
            failure = await failure_of(sender, https_origin(origin.port))
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 502)
    assert "expired" in failure.why


@pytest.mark.rule("CDN-ERR-33")
async def test_no_common_tls_version_is_502(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "localhost")
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    async with raw_origin(says(b""), tls=tls) as origin, client() as sender:
        failure = await failure_of(sender, https_origin(origin.port))
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 502)
    assert "in the TLS handshake" in failure.why


@pytest.mark.rule("CDN-ERR-33")
async def test_an_origin_that_speaks_no_tls_is_502() -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.read(1)
        await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_origin(script) as origin, client() as sender:
        failure = await failure_of(sender, https_origin(origin.port))
    assert (failure.kind, failure.status) == (OriginFailureKind.CONNECT, 502)


@pytest.mark.rule("CDN-ERR-34", "LE-ORG-17")
async def test_the_certificate_must_match_the_host_that_is_sent(
    tmp_path: Path, monkeypatch
) -> None:
    tls = server_context(tmp_path, "shop.example.com")
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with trusting(tmp_path / "shop.example.com.pem", monkeypatch):
        async with raw_origin(says(answer), tls=tls) as origin, client() as sender:
            forwarded = Request("GET", "/", headers=Headers([("Host", "shop.example.com")]))
            response = await sender.fetch(forwarded, https_origin(origin.port))
            failure = await failure_of(sender, https_origin(origin.port))
    assert response.status == 204
    assert failure.status == 502
    assert failure.why.endswith(
        "showed a certificate that is not accepted: it is for shop.example.com, not for localhost"
    )


@pytest.mark.rule("CDN-ERR-34", "LE-ORG-17")
async def test_a_certificate_for_the_origin_is_enough_whatever_the_host(
    tmp_path: Path, monkeypatch
) -> None:
    tls = server_context(tmp_path, "localhost")
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with trusting(tmp_path / "localhost.pem", monkeypatch):
        async with raw_origin(says(answer), tls=tls) as origin, client() as sender:
            forwarded = Request("GET", "/", headers=Headers([("Host", "shop.example.com")]))
            response = await sender.fetch(forwarded, https_origin(origin.port))
    assert response.status == 204


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.rule("CDN-ERR-35", "CDN-ORG-03", "CDN-ORG-04")
async def test_silence_before_the_first_byte_is_504_after_all_attempts(attempts: int) -> None:
    async def silent(visit: Visit) -> None:
        await visit.request()
        await visit.until_gone()

    settings = custom_origin(connection_attempts=attempts, read_timeout_s=0.4)
    async with raw_origin(silent) as origin, client({"web": origin.url}) as sender:
        failure = await failure_of(sender, settings)
    assert (failure.kind, failure.status) == (OriginFailureKind.COMM, 504)
    assert failure.why.startswith(f"{origin.url} sent nothing for 0.4 s (response timeout)")
    assert failure.timed_out
    assert failure.connected
    assert len(origin.requests) == attempts


@pytest.mark.rule("CDN-ERR-35", "CDN-ORG-04")
async def test_a_gap_in_the_head_longer_than_the_response_timeout_is_504() -> None:
    async def stalls(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-")
        await visit.until_gone()

    settings = custom_origin(connection_attempts=1, read_timeout_s=0.4)
    async with raw_origin(stalls) as origin, client({"web": origin.url}) as sender:
        failure = await failure_of(sender, settings)
    assert (failure.kind, failure.status) == (OriginFailureKind.COMM, 504)


@dataclass(frozen=True)
class Bad:
    script: Script
    kind: OriginFailureKind
    why: str


async def half_head_and_reset(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nServer: x\r\n")
    await asyncio.sleep(0.05)  # so that the bytes are read before the reset destroys them
    visit.reset()


async def endless_head(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await visit.send(b"X-Filler: " + b"f" * 1000 + b"\r\n")


async def reset_at_once(visit: Visit) -> None:
    await visit.request()
    visit.reset()


BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(
            Bad(says(b"HTTP/1.1 20"), OriginFailureKind.COMM, "in the middle of the response head"),
            id="half a status line",
            marks=pytest.mark.rule("CDN-ERR-37"),
        ),
        pytest.param(
            Bad(
                says(b"HTTP/1.1 200 OK\r\nServer: x\r\n"),
                OriginFailureKind.COMM,
                "in the middle of the response head",
            ),
            id="half a head",
            marks=pytest.mark.rule("CDN-ERR-37"),
        ),
        pytest.param(
            Bad(half_head_and_reset, OriginFailureKind.COMM, "in the middle of the response head"),
            id="half a head and a reset",
            marks=pytest.mark.rule("CDN-ERR-37"),
        ),
        pytest.param(
            Bad(reset_at_once, OriginFailureKind.COMM, "reset the connection before it answered"),
            id="reset",
            marks=pytest.mark.rule("CDN-ERR-37"),
        ),
        pytest.param(
            Bad(says(b""), OriginFailureKind.ZERO_SIZE, "closed the connection without an answer"),
            id="nothing",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(says(b"SSH-2.0-x\r\n"), OriginFailureKind.INVALID_RESPONSE, "malformed answer"),
            id="another protocol",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(
                says(b"HTTP/1.1 OK 200\r\n\r\n"),
                OriginFailureKind.INVALID_RESPONSE,
                "malformed answer",
            ),
            id="status line upside down",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(
                says(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
                OriginFailureKind.INVALID_RESPONSE,
                "malformed answer",
            ),
            id="header line without a colon",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(
                says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
                OriginFailureKind.INVALID_RESPONSE,
                "malformed answer",
            ),
            id="two lengths",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(
                says(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: upgrade\r\n\r\n"
                ),
                OriginFailureKind.INVALID_RESPONSE,
                "switched protocols without being asked",
            ),
            id="101 unasked",
            marks=pytest.mark.rule("CDN-ERR-38"),
        ),
        pytest.param(
            Bad(
                says(BIG + b"X-Big: " + b"b" * 32_768 + b"\r\n\r\n"),
                OriginFailureKind.HEADER_TOO_BIG,
                "response headers of more than 32,768 bytes",
            ),
            id="one big header",
            marks=pytest.mark.rule("CDN-ERR-39", "CDN-REQ-04"),
        ),
        pytest.param(
            Bad(
                says(BIG + (b"X-Some: " + b"s" * 990 + b"\r\n") * 33 + b"\r\n"),
                OriginFailureKind.HEADER_TOO_BIG,
                "response headers of more than 32,768 bytes",
            ),
            id="many headers",
            marks=pytest.mark.rule("CDN-ERR-39", "CDN-REQ-04"),
        ),
        pytest.param(
            Bad(
                endless_head,
                OriginFailureKind.HEADER_TOO_BIG,
                "response headers of more than 32,768 bytes",
            ),
            id="endless head",
            marks=pytest.mark.rule("CDN-ERR-39", "CDN-REQ-04"),
        ),
        pytest.param(
            Bad(
                says(
                    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/20\r\n"
                    b"Content-Length: 5\r\n\r\nabcde"
                ),
                OriginFailureKind.CONTENT_RANGE,
                "sent Content-Range 'bytes 0-9/20' for 5 bytes",
            ),
            id="a part of another length",
            marks=pytest.mark.rule("CDN-RNG-12"),
        ),
    ],
)
async def test_a_bad_answer_is_502_and_is_not_asked_for_again(bad: Bad) -> None:
    async with raw_origin(bad.script) as origin, client({"web": origin.url}) as sender:
        failure = await failure_of(sender, custom_origin())
    assert (failure.kind, failure.status) == (bad.kind, 502)
    assert bad.why in failure.why
    assert failure.why.startswith(origin.url)
    assert failure.connected
    assert not failure.timed_out
    assert len(origin.requests) == 1


@pytest.mark.rule("CDN-REQ-04")
async def test_headers_just_under_the_limit_pass() -> None:
    answer = BIG + b"X-Big: " + b"b" * 32_600 + b"\r\n\r\n"
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
    assert len(response.headers.get("X-Big")) == 32_600


async def closes_early(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")


async def ends_chunks_early(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")


async def breaks_chunks(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await asyncio.sleep(0.05)
    await visit.send(b"no chunk\r\n")
    await visit.until_gone()


async def stalls_in_body(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    await visit.until_gone()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param(
            closes_early,
            "broke off in the middle of the body",
            marks=pytest.mark.rule("CDN-ERR-40", "CDN-VAL-20"),
        ),
        pytest.param(
            ends_chunks_early,
            "broke off in the middle of the body",
            marks=pytest.mark.rule("CDN-ERR-40", "CDN-VAL-20"),
        ),
        pytest.param(
            breaks_chunks,
            "broke off in the middle of the body",
            marks=pytest.mark.rule("CDN-ERR-40"),
        ),
        pytest.param(
            stalls_in_body,
            "sent nothing for 0.5 s inside the body",
            marks=pytest.mark.rule("CDN-ERR-35", "CDN-ERR-40", "CDN-ORG-04"),
        ),
    ],
)
async def test_a_body_that_breaks_off_gives_what_arrived_and_then_fails(
    script: Script, why: str
) -> None:
    received = b""
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin(read_timeout_s=0.5))
        assert response.status == 200
        with pytest.raises(OriginFailure) as failed:
            async for chunk in response.body:
                received += chunk
    assert received == b"abc"
    assert failed.value.kind is OriginFailureKind.READ
    assert failed.value.why == f"{origin.url} {why}"


@pytest.mark.rule("CDN-VAL-21")
async def test_without_length_and_chunks_the_end_of_the_connection_ends_the_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc"
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
        assert await read_at_most(response.body, 100) == b"abc"
    assert response.body.length is None


@pytest.mark.parametrize("status", [400, 404, 418, 500, 503])
@pytest.mark.rule("CDN-ERR-42")
async def test_the_origins_own_errors_keep_code_and_body(status: int) -> None:
    answer = b"HTTP/1.1 %d Mine\r\nContent-Length: 4\r\n\r\noops" % status
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
        assert await read_at_most(response.body, 100) == b"oops"
    assert response.status == status
    assert len(origin.requests) == 1


@pytest.mark.rule("CDN-ERR-36", "CDN-ORG-06")
async def test_the_completion_timeout_covers_all_attempts() -> None:
    async def silent(visit: Visit) -> None:
        await visit.request()
        await visit.until_gone()

    settings = custom_origin(
        connection_attempts=3, read_timeout_s=0.6, response_completion_timeout_s=1.1
    )
    async with raw_origin(silent) as origin, client({"web": origin.url}) as sender:
        failure = await failure_of(sender, settings)
    assert failure.status == 504
    assert "within 1.1 s (ResponseCompletionTimeout)" in failure.why
    assert len(origin.requests) == 2


@pytest.mark.rule("CDN-ERR-36", "CDN-ORG-06")
async def test_the_completion_timeout_cuts_a_body_that_keeps_coming() -> None:
    async def drips(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await visit.send(b"x")
            await asyncio.sleep(0.05)

    settings = custom_origin(read_timeout_s=5, response_completion_timeout_s=0.7)
    async with raw_origin(drips) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, settings)
        with pytest.raises(OriginFailure) as failed:
            await read_at_most(response.body, 1000)
        assert "(ResponseCompletionTimeout)" in failed.value.why
        await asyncio.wait_for(origin.gone.wait(), 20)
