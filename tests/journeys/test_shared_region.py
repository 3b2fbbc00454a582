"""Two edges, each a process of its own, with one regional edge cache in Redis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.test_stores import get, post, viewer_of
from tests.support.command import Command, dev
from tests.support.origin import Answer, Origin
from tests.support.redis_server import RedisServer

LARGE = bytes(range(256)) * 8192


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def edges(tmp_path: Path, origin: Origin, redis: RedisServer) -> Iterator[tuple[Command, Command]]:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    shared = (origin.url, "--regional-cache", redis.url)
    with dev(*shared, cwd=folders[0]) as one, dev(*shared, cwd=folders[1]) as two:
        yield one, two


def why(command: Command, path: str) -> tuple[str, bytes]:
    """Where the object came from, and its body."""
    _, headers, body = get(viewer_of(command) + path, x_edgeproxy_explain="1")
    return headers["x-edgeproxy-why"].partition(":")[0], body


def test_what_one_edge_has_fetched_the_other_need_not(
    edges: tuple[Command, Command], origin: Origin, redis: RedisServer
) -> None:
    one, two = edges
    origin.answer = Answer(headers={"Cache-Control": "max-age=600", "ETag": '"1"'}, body=LARGE)
    assert why(one, "/a") == ("Miss by regional edge cache", LARGE)
    stored = time.time()
    _, headers, body = get(viewer_of(two) + "/a", Range="bytes=300000-300009")
    assert (headers["X-Cache"], body) == ("Hit from cloudfront", LARGE[300000:300010])
    assert why(two, "/a") == ("Hit in regional edge cache", LARGE)
    _, headers, body = get(viewer_of(two) + "/a")
    assert (headers["X-Cache"], body) == ("Hit from cloudfront", LARGE)
    assert int(headers["Age"]) <= time.time() - stored + 1
    assert len(origin.got) == 1

    post(one.endpoints["control"] + "/api/invalidations", {"paths": ["/a"]})
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"new")
    assert why(one, "/a") == ("Miss by regional edge cache", b"new")
    deadline = time.monotonic() + 20
    while why(two, "/a")[1] != b"new":
        assert time.monotonic() < deadline, "the other edge still serves what was invalidated"
    assert len(origin.got) == 2

    redis.kill()
    assert why(two, "/a") == ("Hit", b"new")
    assert get(viewer_of(two) + "/b")[2] == b"new"
    assert len(origin.got) == 3
