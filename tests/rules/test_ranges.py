"""Ranges of whole stored objects: the rules CDN-RNG."""

import pytest

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.freshness import NotStorable
from edgeproxy.edge.delivery import shape
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.cache.scenes import Edge, ScriptedOrigin, answer, read, stream

DATA = bytes(range(100))
MODIFIED = "Sat, 21 Nov 2026 03:50:32 GMT"


async def stored() -> tuple[Edge, Obtained]:
    edge = Edge()
    origin = ScriptedOrigin(
        answer(
            body=DATA,
            cache_control="max-age=60",
            etag='"1"',
            last_modified=MODIFIED,
            content_type="image/png",
            content_length="100",
        )
    )
    await edge.get(origin)
    return edge, await edge.get(origin)


async def ask(method: str = "GET", **headers: str) -> Response:
    edge, obtained = await stored()
    lines = Headers([(name.replace("_", "-"), value) for name, value in headers.items()])
    return shape(Request(method, "/a", headers=lines), obtained, edge.clock.now())


@pytest.mark.rule("CDN-RNG-01", "CDN-RNG-11")
@pytest.mark.parametrize(
    ("header", "content_range", "body"),
    [
        ("bytes=0-9", "bytes 0-9/100", DATA[:10]),
        ("bytes=90-", "bytes 90-99/100", DATA[90:]),
        ("bytes=-5", "bytes 95-99/100", DATA[95:]),
    ],
)
async def test_a_part_of_a_stored_object(header: str, content_range: str, body: bytes) -> None:
    response = await ask(range=header)
    assert response.status == 206
    assert response.headers.get("Content-Range") == content_range
    assert response.headers.get_all("Content-Length") == [str(len(body))]
    assert response.headers.get("Content-Type") == "image/png"
    assert response.headers.get("ETag") == '"1"'
    assert response.headers.get("Age") == "0"
    assert await read(response.body) == body


@pytest.mark.rule("CDN-RNG-05")
@pytest.mark.parametrize(
    "header", ["bytes=5-9,0-2", "bytes=0-9,5-14", "bytes=-5--1", "lines=0-9", "bytes=9-0", "0-9"]
)
async def test_an_invalid_range_gets_the_whole_object(header: str) -> None:
    response = await ask(range=header)
    assert (response.status, await read(response.body)) == (200, DATA)
    assert "Content-Range" not in response.headers


@pytest.mark.rule("CDN-RNG-06")
async def test_several_ranges_come_as_multipart() -> None:
    response = await ask(range="bytes=0-9,20-29")
    kind, _, boundary = response.headers.get("Content-Type").partition("; boundary=")
    assert (response.status, kind) == (206, "multipart/byteranges")
    body = await read(response.body)
    assert response.headers.get("Content-Length") == str(len(body))
    assert body.split(f"--{boundary}".encode()) == [
        b"\r\n",
        b"\r\nContent-Type: image/png\r\nContent-Range: bytes 0-9/100\r\n\r\n"
        + DATA[:10]
        + b"\r\n",
        b"\r\nContent-Type: image/png\r\nContent-Range: bytes 20-29/100\r\n\r\n"
        + DATA[20:30]
        + b"\r\n",
        b"--\r\n",
    ]


@pytest.mark.rule("CDN-RNG-07", "CDN-RSP-09")
async def test_a_range_past_the_end() -> None:
    response = await ask(range="bytes=100-")
    assert response.status == 416
    assert response.headers.get("Content-Range") == "bytes */100"
    assert response.headers.get("Server") == "CloudFront"
    assert response.headers.get("Date") == "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.rule("CDN-RNG-07")
async def test_an_origins_416_is_not_cached() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(416, cache_control="max-age=60"))
    obtained = await edge.get(origin)
    assert isinstance(obtained.stored, NotStorable)
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-RNG-08")
@pytest.mark.parametrize(
    ("validator", "status"),
    [
        ('"1"', 206),
        ('"2"', 200),
        ('W/"1"', 200),
        (MODIFIED, 206),
        ("Sat, 21 Nov 2026 03:50:33 GMT", 200),
        ("Sat, 21 Nov 2026 03:50:31 GMT", 200),
        ("nonsense", 200),
    ],
)
async def test_if_range_on_a_stored_object(validator: str, status: int) -> None:
    assert (await ask(range="bytes=0-9", if_range=validator)).status == status


@pytest.mark.rule("CDN-RNG-14")
async def test_head_ignores_ranges() -> None:
    response = await ask("HEAD", range="bytes=0-9")
    assert (response.status, response.headers.get("Content-Length")) == (200, "100")
    assert await read(response.body) == b""


@pytest.mark.rule("CDN-RNG-02")
async def test_an_origins_206_passes_and_is_not_taken_for_the_object() -> None:
    edge = Edge()
    origin = ScriptedOrigin(
        answer(206, DATA[:10], content_range="bytes 0-9/100", cache_control="max-age=60")
    )
    obtained = await edge.get(origin)
    request = Request("GET", "/a", headers=Headers([("Range", "bytes=0-9")]))
    assert shape(request, obtained, edge.clock.now()) == obtained.response
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-RNG-03", "CDN-RNG-04")
@pytest.mark.parametrize("length", [100, None])
async def test_an_origin_that_ignores_the_range(length: int | None) -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(body=stream([DATA], length), cache_control="max-age=60"))
    request = Request("GET", "/a", headers=Headers([("Range", "bytes=0-9")]))
    first = shape(request, await edge.get(origin), edge.clock.now())
    assert (first.status, await read(first.body)) == (200, DATA)
    await edge.settle()
    later = shape(request, await edge.get(origin), edge.clock.now())
    assert (later.status, await read(later.body)) == (206, DATA[:10])
    assert origin.count == 1


async def test_a_stored_error_has_no_parts() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(404, DATA))
    await edge.get(origin)
    request = Request("GET", "/a", headers=Headers([("Range", "bytes=0-9")]))
    assert shape(request, await edge.get(origin), edge.clock.now()).status == 404
