"""Function URLs that stream (FU-080 to FU-088), with Node.js functions and real sockets."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.asynchronous import until
from tests.support.doors import lambda_function, write_template

rule = pytest.mark.rule

_CODE = """
import fs from 'node:fs';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (file) => { while (!fs.existsSync(file)) await sleep(5); };
const metadata = (stream, value) => awslambda.HttpResponseStream.from(stream, value);
const AsyncFunction = until.constructor;
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const code = event.headers['x-run'];
  await new AsyncFunction('stream', 'metadata', 'until', 'fs', code)(stream, metadata, until, fs);
});
"""
"""Runs what the request's header says."""


def url_of(function: str, mode: str, **properties: Any) -> dict[str, Any]:
    properties = {"TargetFunctionArn": {"Ref": function}, "AuthType": "NONE", **properties}
    return {"Type": "AWS::Lambda::Url", "Properties": {"InvokeMode": mode, **properties}}


def streaming_function(folder: Path, **properties: Any) -> dict[str, Any]:
    code = folder / "streaming"
    code.mkdir(exist_ok=True)
    (code / "app.mjs").write_text(_CODE)
    return lambda_function(folder, "node", Code="./streaming", **{"Timeout": 20, **properties})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streaming")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    """A distribution in front of a streaming function URL, and URLs of other kinds."""
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Stream", "FunctionUrl"]}]}]}
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]}
    resources = {
        "F": streaming_function(folder, MemorySize=512),
        "Short": streaming_function(folder, Timeout=1),
        "Python": lambda_function(folder),
        "Off": streaming_function(folder, ReservedConcurrentExecutions=0),
        "Stream": url_of("F", "RESPONSE_STREAM", Cors=cors),
        "ShortUrl": url_of("Short", "RESPONSE_STREAM"),
        "Whole": url_of("F", "BUFFERED"),
        "PythonUrl": url_of("Python", "RESPONSE_STREAM"),
        "OffUrl": url_of("Off", "RESPONSE_STREAM"),
        "Site": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {
                "DistributionConfig": {
                    "Enabled": True,
                    "Origins": [
                        {
                            "Id": "url",
                            "DomainName": domain,
                            "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
                        }
                    ],
                    "DefaultCacheBehavior": {
                        "TargetOriginId": "url",
                        "ViewerProtocolPolicy": "allow-all",
                        "Compress": True,
                        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                        "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
                    },
                }
            },
        },
    }
    with Edge() as edge:
        yield edge.serve(write_template(folder, resources))


def ask(site: Site, url: str, code: str, method: str = "GET", **headers: str) -> SiteResponse:
    door = site.endpoints["function_urls"][url]["url"]
    return site.request(method, "/", url=door, headers={"x-run": code, **headers})


@contextmanager
def reading(url: str, code: str, method: str = "GET") -> Iterator[socket.socket]:
    """A connection on which that was asked; what comes is read as bytes."""
    door = urlsplit(url)
    with socket.create_connection((door.hostname or "", door.port or 80), timeout=20) as opened:
        lines = (f"{method} / HTTP/1.1", f"Host: {door.netloc}", f"X-Run: {code}")
        opened.sendall("\r\n".join((*lines, "", "")).encode())
        yield opened


def read_until(opened: socket.socket, end: bytes) -> bytes:
    """Everything up to ``end``, or up to the end of the connection."""
    data = b""
    while end not in data and (piece := opened.recv(65536)):
        data += piece
    return data


def doors(site: Site) -> list[str]:
    return [site.endpoints["function_urls"]["Stream"]["url"], site.url]


@rule("FU-080", "FU-082", "FU-084")
@pytest.mark.parametrize("door", [0, 1], ids=["url", "cloudfront"])
def test_the_first_byte_comes_before_the_function_ends(site: Site, folder: Path, door: int) -> None:
    go = folder / f"go-{door}"
    code = f"stream.write('first'); await until('{go}'); stream.end('second');"
    with reading(doors(site)[door], code) as opened:
        head = read_until(opened, b"5\r\nfirst\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"transfer-encoding: chunked\r\n" in head.lower()
        assert b"content-length" not in head.lower()
        assert b"content-type: application/octet-stream\r\n" in head
        go.touch()
        assert read_until(opened, b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


@rule("FU-081", "FU-069", "FU-084")
def test_status_headers_and_cookies_from_the_metadata(site: Site) -> None:
    response = ask(
        site,
        "Stream",
        "const value = { statusCode: 201, headers: { 'x-a': 'b', 'content-length': '99',"
        " 'content-type': 'text/plain' }, cookies: ['a=1; Path=/', 'b=2'] };"
        "stream = metadata(stream, value); stream.write('he'); stream.end('llo');",
    )
    assert (response.status, response.body) == (201, b"hello")
    assert response.headers.get("x-a") == "b"
    assert response.headers.get("content-type") == "text/plain"
    assert response.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert response.headers.get("transfer-encoding") == "chunked"
    assert response.headers.get("content-length") == ""
    assert response.headers.get("x-amzn-requestid")


@rule("FU-083")
def test_metadata_without_members(site: Site) -> None:
    response = ask(site, "Stream", "metadata(stream, {}).write('x'); stream.end();")
    assert (response.status, response.body) == (200, b"x")
    assert response.headers.get("content-type") == "application/octet-stream"


def test_metadata_that_come_in_pieces_and_nul_bytes_after_them(site: Site) -> None:
    kind = "application/vnd.awslambda.http-integration-response"
    response = ask(
        site,
        "Stream",
        f"stream.setContentType('{kind}');"
        "for (const part of ['{\"statusCode\"', ':202}\\0\\0\\0', '\\0\\0\\0\\0', '\\0a\\0b']) {"
        " await new Promise((done) => stream.write(part, done)); } stream.end(Buffer.alloc(8));",
    )
    assert (response.status, response.body) == (202, b"a\0b" + bytes(8))


@rule("FU-082")
def test_without_metadata_there_is_the_content_type(site: Site) -> None:
    code = (
        "stream.setContentType('text/event-stream'); stream.write('data: 1\\n\\n'); stream.end();"
    )
    response = ask(site, "Stream", code)
    assert (response.status, response.body) == (200, b"data: 1\n\n")
    assert response.headers.get("content-type") == "text/event-stream"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("throw new Error('early');", id="error"),
        pytest.param("process.exit(3);", id="exit"),
        pytest.param("metadata(stream, { statusCode: 42 }).write('x'); stream.end();", id="status"),
        pytest.param("metadata(stream, 7).write('x'); stream.end();", id="no object"),
        pytest.param("metadata(stream, {}); stream.end('no write before');", id="no metadata"),
        pytest.param("stream.setContentType('a\\nb: c'); stream.end('x');", id="content type"),
    ],
)
@rule("FU-086", "FU-120")
def test_what_fails_before_the_first_byte_is_502(site: Site, code: str) -> None:
    response = ask(site, "Stream", code)
    assert (response.status, response.body) == (502, b"Internal Server Error")


@rule("FU-086")
@pytest.mark.parametrize("door", [0, 1], ids=["url", "cloudfront"])
@pytest.mark.parametrize(
    "code",
    [
        "stream.write('part'); throw new Error('mid');",
        "stream.write('part', () => process.exit(1));",
        "metadata(stream, {statusCode: 200}).write('part'); throw new Error('mid');",
    ],
)
def test_a_failure_after_the_first_byte_cuts_the_body(site: Site, code: str, door: int) -> None:
    with reading(doors(site)[door], code) as opened:
        data = read_until(opened, b"never")
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n4\r\npart\r\n")


@rule("FU-086", "FU-124")
def test_a_timeout_cuts_it_too(site: Site) -> None:
    url = site.endpoints["function_urls"]["ShortUrl"]["url"]
    with reading(url, "stream.write('part'); await until('never');") as opened:
        assert read_until(opened, b"never").endswith(b"4\r\npart\r\n")
    assert ask(site, "ShortUrl", "await until('never');").status == 502


@rule("FU-085", "LR-150")
def test_a_handler_that_does_not_stream(site: Site) -> None:
    url = site.endpoints["function_urls"]["PythonUrl"]["url"]
    told = {"statusCode": 201, "headers": {"x-a": "b"}, "body": "hi"}
    response = site.request("GET", "/", url=url, headers={"x-return": json.dumps(told)})
    assert (response.status, response.body) == (201, b"hi")
    assert response.headers.get("x-a") == "b"
    [step] = site.exchanges(1)[0].steps
    assert step.decision is not None
    assert step.decision.why == "sent whole: it does not stream"


@rule("FU-087")
def test_a_streaming_handler_behind_a_buffered_url(site: Site) -> None:
    plain = ask(site, "Whole", "stream.write('Hello, '); stream.end('world!');")
    assert (plain.status, plain.body) == (200, b"Hello, world!")
    assert plain.headers.get("content-length") == "13"
    code = "metadata(stream, { statusCode: 203, cookies: ['a=1'] }).write('x'); stream.end('y');"
    whole = ask(site, "Whole", code)
    assert (whole.status, whole.body) == (203, b"xy")
    assert whole.headers.get_all("set-cookie") == ["a=1"]
    failed = ask(site, "Whole", "stream.write('part'); throw new Error('mid');")
    assert (failed.status, failed.body) == (502, b"Internal Server Error")
    assert ask(site, "Whole", "stream.end(Buffer.alloc(6291457));").status == 502


@rule("FU-075")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_answers_without_a_body(site: Site, method: str) -> None:
    status = 200 if method == "HEAD" else 204
    code = f"metadata(stream, {{ statusCode: {status}, headers: {{ 'x-a': 'b' }} }});"
    response = ask(site, "Stream", code + "stream.write('never seen'); stream.end();", method)
    assert (response.status, response.body) == (status, b"")
    assert response.headers.get("x-a") == "b"
    assert response.headers.get("content-length") == ""


def test_a_stream_without_a_byte(site: Site) -> None:
    response = ask(site, "Stream", "metadata(stream, { statusCode: 201 }).end();")
    assert (response.status, response.body) == (200, b"")


@rule("FU-122")
def test_a_throttled_function(site: Site) -> None:
    assert ask(site, "OffUrl", "stream.end('x');").status == 429


def test_cors_headers_are_added(site: Site) -> None:
    response = ask(site, "Stream", "stream.end('x');", Origin="https://a.example")
    assert response.headers.get("access-control-allow-origin") == "https://a.example"


@rule("FU-088")
def test_a_viewer_who_leaves_does_not_end_the_function(site: Site, folder: Path) -> None:
    go, done = folder / "left", folder / "done"
    code = (
        f"stream.write('x'); await until('{go}');"
        "const piece = Buffer.alloc(65536);"
        "for (let n = 0; n < 320; n += 1) if (!stream.write(piece))"
        " await new Promise((drained) => stream.once('drain', drained));"
        f"stream.end(); stream.on('finish', () => fs.writeFileSync('{done}', ''));"
    )
    with reading(doors(site)[0], code) as opened:
        read_until(opened, b"1\r\nx\r\n")
    go.touch()
    until(done.exists)
    # The function may be done before it is seen that the viewer has left.
    exchange = until(lambda: next((each for each in site.exchanges(1) if each.aborted), None))
    assert exchange.steps[-1].function is not None
    assert exchange.steps[-1].function.error == ""


def test_a_slow_viewer_holds_the_function_back(site: Site, folder: Path) -> None:
    held = folder / "held"
    code = (
        "const piece = Buffer.alloc(65536);"
        "for (let n = 1; n <= 800; n += 1) if (!stream.write(piece)) {"
        f" const timer = setTimeout(() => fs.writeFileSync('{held}', `${{n}}`), 2000);"
        " await new Promise((drained) => stream.once('drain', drained)); clearTimeout(timer);"
        "} stream.end();"
    )
    with reading(doors(site)[0], code):
        until(held.exists)
    assert int(held.read_text()) < 400


def took_s(site: Site, size: int) -> float:
    """How long it takes a viewer to have ``size`` bytes, six megabytes of them in one piece."""
    code = f"stream.write(Buffer.alloc(6291456)); stream.end(Buffer.alloc({size - 6291456}));"
    started = monotonic()
    door = urlsplit(doors(site)[0])
    connection = http.client.HTTPConnection(door.netloc)
    connection.request("GET", "/", headers={"x-run": code})
    assert len(connection.getresponse().read()) == size
    connection.close()
    return monotonic() - started


@rule("FU-080", "LR-151")
def test_two_megabytes_a_second_pass_after_the_first_six(site: Site) -> None:
    assert 0.4 < took_s(site, 7340032) < 30


@rule("FU-080", "LR-151")
def test_six_megabytes_pass_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeproxy.awslambda.streaming._BYTES_PER_S", 131_072)
    # At that rate all of it would take 48 seconds.
    assert 0.4 < took_s(site, 6291456 + 65_536) < 30
