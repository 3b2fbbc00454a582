"""Counts the calls that an edge makes for a request, of Python functions and of built-in ones.

Unlike times they are the same on every machine, and nearly so in all patch releases of a Python
and of aiohttp. Minor versions of Python make other calls: `call_counts.toml` has figures for each.
`python -m tests.support.call_counts` writes those of the Python that runs it.
"""

import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.scripted_origin import Connection, running_scripted_origin

__all__ = ["PATHS", "VERSION", "counted", "expected"]

VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_FILE: Final = Path(__file__).with_suffix(".toml")
_FUNCTIONS: Final = {
    "hit-python": (
        "viewer_request",
        "def handler(event, context):\n    return event['Records'][0]['cf']['request']\n",
    ),
    "hit-cff": ("viewer_request_cff", "function handler(event) { return event.request; }\n"),
}
_BATCHES: Final = 5
_REQUESTS: Final = 50
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
    b"Cache-Control: max-age=3600\r\n\r\nok"
)

PATHS: Final = {
    "hit": "one hit, repeated",
    "hit-all-different": "hits, each with another cookie",
    "hit-python": "hits behind a Python function at viewer-request",
    "hit-cff": "hits behind a CloudFront Function",
    "miss": "misses, as caching is disabled",
}


def expected() -> dict[str, int]:
    """What the file has for this Python; empty when it has nothing."""
    counts: dict[str, int] = tomllib.loads(_FILE.read_text()).get(VERSION, {})
    return counts


def counted(path: str) -> int:
    """The calls of one request on a path of :data:`PATHS`, in the edge's own thread.

    Chance (data that comes in two pieces, a timer that is due) only adds to them: of several
    batches the smallest counts.
    """
    varies = path == "hit-all-different"
    with _site(path) as (edge, site), _viewer(site, varies=varies) as ask:
        for number in range(_REQUESTS):
            ask(number)
        return min(_batch(edge, ask, _REQUESTS * turn) for turn in range(1, _BATCHES + 1))


@contextmanager
def _site(path: str) -> Iterator[tuple[Edge, Site]]:
    with ExitStack() as held:
        # A loop written in C makes calls that nobody sees.
        held.enter_context(pytest.MonkeyPatch.context()).setitem(sys.modules, "uvloop", None)
        folder = Path(held.enter_context(TemporaryDirectory()))
        origin = held.enter_context(running_scripted_origin(_answer))
        edge = held.enter_context(Edge())
        options: dict[str, Any] = {
            "cache_policy": "CachingDisabled" if path == "miss" else "CachingOptimized"
        }
        if path in _FUNCTIONS:
            option, source = _FUNCTIONS[path]
            function = folder / f"function.{'js' if path == 'hit-cff' else 'py'}"
            function.write_text(source)
            options[option] = str(function)
        yield edge, edge.serve(origin.url, quiet=True, **options)


def _answer(connection: Connection) -> None:
    connection.say(_ANSWER)


@contextmanager
def _viewer(site: Site, *, varies: bool) -> Iterator[Callable[[int], None]]:
    with socket.create_connection(("127.0.0.1", urlsplit(site.url).port or 0)) as viewer:

        def ask(number: int) -> None:
            cookie = f"n={number if varies else 0:06}"
            viewer.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n".encode())
            received = b""
            while not received.endswith(b"\r\n\r\nok"):
                received += viewer.recv(65_536)
                assert received, "the edge has closed the connection"

        yield ask


def _batch(edge: Edge, ask: Callable[[int], None], first: int) -> int:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    async def profile(function: Callable[[FrameType, str, object], None] | None) -> None:
        sys.setprofile(function)

    edge.call(profile(count))
    try:
        for number in range(first, first + _REQUESTS):
            ask(number)
    finally:
        edge.call(profile(None))
    return round(calls / _REQUESTS)


def main() -> None:
    """Write the counts of this Python, and keep those of others."""
    every = tomllib.loads(_FILE.read_text()) if _FILE.exists() else {}
    every[VERSION] = {path: counted(path) for path in PATHS}
    lines = [
        "# Calls a request by minor version of Python.",
        "# Written by `python -m tests.support.call_counts`.",
    ]
    for version in sorted(every, key=lambda text: int(text.partition(".")[2])):
        lines += ["", f'["{version}"]']
        lines += [f"{path} = {count}" for path, count in every[version].items()]
    _FILE.write_text("\n".join(lines) + "\n")
    print(f"{_FILE}: {every[VERSION]}")


if __name__ == "__main__":
    main()
