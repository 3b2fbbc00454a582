"""The loads, by the names that are asked for, and one burst of a load at a server."""

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

from servers import (
    ASYNCIO,
    CONSOLE,
    CONSTANT,
    CONSTANT_ASYNCIO,
    EDGE,
    FUNCTIONS,
    LOGGING,
    NGINX,
    NGINX_LOGGING,
    REDIS,
    Server,
    Servers,
)
from wrk import Asked, ask

__all__ = ["LOADS", "Figures", "Load", "fill", "measure", "warm"]

_PEERS: Final = (NGINX, "Varnish", "aiohttp", EDGE)
_HEADERS: Final = 15
_STALE_AFTER_S: Final = 2.1
_NEVER_AGAIN: Final = 10**9


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for, over how many connections, and of whom. A number follows ``path``.

    ``kind`` is one of `requests.lua`. ``objects`` is 0 when each request asks for a new one.
    If it ``is_counted``, each of them is asked for once, and not all of them for some time.
    A quick run leaves out what ``is_long``. ``goal`` is what this project wants to reach.
    """

    name: str
    title: str
    path: str
    kind: str = "same"
    objects: int = 1
    connections: int = 32
    servers: tuple[str, ...] = _PEERS
    door: str = "viewer"
    is_counted: bool = False
    is_long: bool = False
    goal: str = ""

    def url(self, server: Server) -> str:
        return server.doors[self.door] + self.path


def _hook(name: str, title: str, path: str, goal: str = "", door: str = "viewer") -> Load:
    return Load(name, title, path, servers=(FUNCTIONS,), door=door, goal=goal)


LOADS: Final = (
    Load(
        "hit",
        "one hit of 1 KB, repeated",
        "/hit/1024/",
        servers=(
            *_PEERS,
            ASYNCIO,
            CONSTANT,
            CONSTANT_ASYNCIO,
            REDIS,
            NGINX_LOGGING,
            LOGGING,
            CONSOLE,
        ),
        goal="1.3 times nginx's rate; without uvloop as fast as nginx",
    ),
    Load(
        "hit-1-connection",
        "the same over 1 connection",
        "/hit/1024/",
        connections=1,
        is_long=True,
        goal="median at most 1.2 times nginx's",
    ),
    Load(
        "hit-256-connections",
        "the same over 256 connections",
        "/hit/1024/",
        connections=256,
        is_long=True,
    ),
    Load("hit-64kb", "one hit of 64 KB, repeated", "/hit/65536/", goal="nginx's rate"),
    Load("hit-1mb", "one hit of 1 MB, repeated", "/hit/1048576/", is_long=True),
    Load("hit-distinct", "hits of 5,000 URLs in turn", "/hit/1024/", "cycle", 5_000),
    Load(
        "hit-all-different",
        "hits, every request different (a counter in a cookie)",
        "/hit/1024/",
        "cookie",
        goal="0.9 times nginx's rate",
    ),
    Load("hit-zipf", "hits by Zipf's law over 100,000 objects", "/hit/1024/", "zipf", 100_000),
    Load(
        "miss",
        "misses: caching is disabled",
        "/pass/1024/",
        goal="half of nginx's rate, 3 times aiohttp's",
    ),
    Load("miss-distinct", "the same of ever new URLs", "/pass/1024/", "cycle", 0, is_long=True),
    Load("miss-stored", "misses: ever new URLs, each stored", "/hit/1024/", "cycle", 0),
    Load(
        "revalidation",
        "stored objects that are stale, each revalidated once (304)",
        "/stale/1024/",
        "cycle",
        3_000,
        servers=(NGINX, "Varnish", EDGE),
        is_counted=True,
    ),
    Load(
        "stream",
        "100 MB that are not cached, one after the other",
        "/pass/104857600/",
        "cycle",
        5,
        connections=1,
        servers=(NGINX, "Varnish", EDGE),
        is_counted=True,
        is_long=True,
        goal="no more CPU time than nginx",
    ),
    _hook("no-hook", "a hit beside functions, none of them called", "/hit/1024/"),
    _hook(
        "hook-python",
        "Python at viewer-request, on a hit",
        "/python/1024/",
        "10,000 requests a second, 60 µs over a hit without",
    ),
    _hook("hook-node", "Node.js at viewer-request, on a hit", "/node/1024/"),
    _hook("hook-cff", "CloudFront Function at viewer-request, on a hit", "/cff/1024/"),
    _hook("hooks-4-python", "Python at all four events, on a miss", "/four-python/1024/"),
    _hook("hooks-4-node", "Node.js at all four events, on a miss", "/four-node/1024/"),
    _hook("function-url", "a Python function's URL", "/", door="function URL"),
    _hook("alb", "a load balancer's Python target", "/", door="load balancer"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One burst, or medians of several.

    ``to_origin`` is a share of the requests; ``failed`` counts connections and timeouts.
    """

    requests_per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float
    to_origin: float
    failed: float = 0

    @staticmethod
    def medians(bursts: Sequence["Figures"]) -> "Figures":
        names = Figures.__slots__
        return Figures(
            *(statistics.median(getattr(each, name) for each in bursts) for name in names)
        )


def warm(load: Load, server: Server, objects: int) -> None:
    """Bring the load's objects into the cache, start its functions, and look at an answer."""
    is_cached = load.kind in {"cycle", "zipf"} and not load.path.startswith("/pass/")
    fill(load.url(server), objects if is_cached else 1, connections=load.connections)
    _inspect(load, server)


def fill(url: str, objects: int, first: int = 0, connections: int = 32) -> None:
    """Ask for each object once."""
    # What is on its way when the last one is sent is not waited for: ask for a few once more.
    limit = objects + 4 * connections
    ask(
        url,
        load="cycle",
        objects=max(objects, 1),
        first=first,
        connections=connections,
        limit=limit,
    )


def measure(load: Load, server: Server, servers: Servers, objects: int, seconds: float) -> Figures:
    """One burst."""
    if load.name == "revalidation":
        time.sleep(_STALE_AFTER_S)
    asked_before, cpu_before = servers.asked_of_origin(), server.cpu_s()
    asked = _burst(load, server, objects, seconds)
    return Figures(
        asked.requests / asked.duration_s,
        (server.cpu_s() - cpu_before) / asked.requests * 1e6,
        asked.p50_us,
        asked.p99_us,
        (servers.asked_of_origin() - asked_before) / asked.requests,
        asked.failed,
    )


def _burst(load: Load, server: Server, objects: int, seconds: float) -> Asked:
    # Thousands of connections are not made in a moment.
    seconds = max(seconds, load.connections / 2_000)
    return ask(
        load.url(server) + ("0" if load.kind == "same" else ""),
        load=load.kind,
        objects=objects or _NEVER_AGAIN,
        first=0 if objects else time.time_ns() // 1000,
        connections=load.connections,
        seconds=0 if load.is_counted else seconds,
        limit=objects + 1 if load.is_counted else 0,
    )


def _inspect(load: Load, server: Server) -> None:
    """All answer alike: the right body, and a hit with as many headers as everybody's."""
    url = load.url(server)
    # Filling has asked for it before: this one is a hit, if there are any.
    with urlopen(f"{url}0") as answer:
        body, headers = answer.read(), answer.headers.items()
    size = re.search(r"/(\d+)/$", load.path)
    if size and len(body) != int(size[1]):
        raise SystemExit(f"{len(body)} bytes from {url}")
    if load.name.startswith("hit") and len(headers) != _HEADERS:
        raise SystemExit(f"{len(headers)} headers instead of {_HEADERS} from {url}: {headers}")
