"""The list of media types, and a body that is compressed while it passes."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator

import brotli
import pytest

from edgeproxy.cache.collecting import BodyBroken
from edgeproxy.cache.fetched import Fetched
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    Origin,
)
from edgeproxy.edge.compression import COMPRESSED_TYPES, compress
from edgeproxy.edge.outcomes import Scene
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import Body, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.cache.scenes import ManualBody, read, stream

POLICY = CachePolicy(
    "p", 1, 60, 60, enable_accept_encoding_gzip=True, enable_accept_encoding_brotli=True
)
BEHAVIOR = Behavior("*", "web", POLICY, compress=True)
SITE = Distribution(
    "Site",
    "E1",
    "d1.cloudfront.net",
    {"web": Origin("web", "web.example", CustomOrigin())},
    BEHAVIOR,
)
NOISE = random.Random(1).randbytes(400_000)
DECOMPRESS = {"br": brotli.decompress, "gzip": gzip.decompress}


def compressed(body: Body, coding: str = "br") -> Body:
    request = Request("GET", "/a", headers=Headers([("Accept-Encoding", coding)]))
    clock = Clock()
    exchange = Exchange("id", "distribution", "Site", request, clock.now(), clock)
    headers = Headers([("Content-Type", "text/plain"), ("Content-Length", str(body.length))])
    response = Response(200, headers, body)
    fetched = compress(Scene(exchange, SITE, BEHAVIOR, {}), request, Fetched(response))
    assert fetched.response.headers.lines() == [
        ("Content-Type", "text/plain"),
        ("Content-Encoding", coding),
        ("Vary", "Accept-Encoding"),
    ]
    return fetched.response.body


@pytest.mark.rule("CDN-CMP-15", "CDN-CMP-16")
def test_the_whole_list_of_media_types() -> None:
    assert sorted(COMPRESSED_TYPES) == [
        "application/dash+xml",
        "application/eot",
        "application/font",
        "application/font-sfnt",
        "application/javascript",
        "application/json",
        "application/opentype",
        "application/otf",
        "application/pdf",
        "application/pkcs7-mime",
        "application/protobuf",
        "application/rss+xml",
        "application/truetype",
        "application/ttf",
        "application/vnd.apple.mpegurl",
        "application/vnd.mapbox-vector-tile",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-font-opentype",
        "application/x-font-truetype",
        "application/x-font-ttf",
        "application/x-httpd-cgi",
        "application/x-javascript",
        "application/x-mpegurl",
        "application/x-opentype",
        "application/x-otf",
        "application/x-perl",
        "application/x-ttf",
        "application/xhtml+xml",
        "application/xml",
        "font/eot",
        "font/opentype",
        "font/otf",
        "font/ttf",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/js",
        "text/plain",
        "text/richtext",
        "text/tab-separated-values",
        "text/x-component",
        "text/x-java-source",
        "text/x-script",
        "text/xml",
    ]


@pytest.mark.rule("CDN-CMP-10")
@pytest.mark.parametrize("coding", ["br", "gzip"])
@pytest.mark.parametrize("piece", [1_000, 65_536, 400_000])
async def test_pieces_of_any_size(coding: str, piece: int) -> None:
    pieces = [NOISE[at : at + piece] for at in range(0, len(NOISE), piece)]
    body = compressed(stream(pieces, len(NOISE)), coding)
    assert body.length is None
    assert DECOMPRESS[coding](await read(body)) == NOISE


@pytest.mark.parametrize("coding", ["br", "gzip"])
async def test_bytes_come_out_while_others_are_still_to_come(coding: str) -> None:
    asked = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal asked
        for _ in range(100):
            asked += 1
            yield NOISE

    body = compressed(StreamBody(source(), 10_000_000), coding)
    chunks = aiter(body)
    received = 0
    while received < 1_000_000:
        received += len(await anext(chunks))
    assert asked < 5
    await body.close()


@pytest.mark.parametrize("coding", ["br", "gzip"])
async def test_a_large_piece_leaves_room_for_others(coding: str) -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(another())
    await read(compressed(BytesBody(NOISE), coding))
    neighbour.cancel()
    assert turns > len(NOISE) // 65_536


@pytest.mark.parametrize("begun", [True, False])
async def test_giving_up_releases_the_source(begun: bool) -> None:
    source = ManualBody(5_000)
    body = compressed(source)
    if begun:
        reading = asyncio.create_task(read(body))
        source.give(NOISE)
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await body.close()
    await body.close()
    assert source.closed


async def test_an_error_of_the_source_is_passed_on() -> None:
    source = ManualBody(5_000)
    source.give(b"abc", ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await read(compressed(source))


@pytest.mark.rule("CDN-VAL-20")
async def test_a_body_that_ends_early_is_broken() -> None:
    with pytest.raises(BodyBroken, match="3 of 5000 bytes arrived"):
        await read(compressed(stream([b"abc"], 5_000)))
