"""How the cost of a hit, and memory, grow with what an edge holds."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from definitions import many_behaviors, many_functions, plain
from loads import Figures, Load, fill, measure
from machine import memory_mb
from servers import Server, Servers

__all__ = ["CURVES", "Curve", "Point", "measure_curve"]

_OBJECT: Final = "/hit/1024/"


@dataclass(frozen=True, slots=True)
class Point:
    """``figures`` is missing where nobody asks."""

    x: int
    memory_mb: float
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    title: str
    sizes: tuple[int, ...]
    quick_sizes: tuple[int, ...]
    goal: str = ""


_OBJECTS: Final = Curve(
    "objects",
    "stored objects of 1 KB, asked for at random",
    (1_000, 10_000, 100_000, 1_000_000),
    (100, 500),
    "the same within 15 %",
)
_BEHAVIORS: Final = Curve(
    "behaviors", "behaviors, of which the last one fits", (1, 10, 50, 100, 250), (1, 20)
)
_FUNCTIONS: Final = Curve(
    "functions", "Python functions at viewer-request, called in turn", (1, 10, 50, 100), (1, 2)
)
_CONNECTIONS: Final = Curve(
    "connections", "connections that ask for one hit", (1, 10, 100, 1_000, 10_000), (1, 50)
)
_IDLE: Final = Curve(
    "idle",
    "connections that are kept alive and idle",
    (1, 100, 1_000, 10_000),
    (1, 100),
    "10,000 under 150 MB",
)


def measure_curve(
    curve: Curve, servers: Servers, folder: Path, seconds: float, rounds: int, *, quick: bool
) -> list[Point]:
    """All points in turn, so that what else the machine does meets each of them."""
    print(f"\n{curve.title}{f' (goal: {curve.goal})' if curve.goal else ''}")
    sizes = curve.quick_sizes if quick else curve.sizes
    points = []
    with ExitStack() as held:
        made = list(_MAKE[curve](servers, folder, sizes, held))
        if curve is _IDLE:
            points = [Point(size, mb, None) for size, mb in zip(sizes, made, strict=True)]
        else:
            bursts: list[list[Figures]] = [[] for _ in made]
            for turn in range(rounds + 1):
                for (size, server, load), found in zip(made, bursts, strict=True):
                    found.append(measure(load, server, servers, size, seconds))
                if not turn and not quick:
                    bursts = [[] for _ in made]  # To warm up.
            for (size, server, _), found in zip(made, bursts, strict=True):
                points.append(Point(size, memory_mb(server.process), Figures.medians(found)))
    for point in points:
        print(_shown(point), flush=True)
    print(growth(points), flush=True)
    return points


def growth(points: list[Point]) -> str:
    """From the first to the last point, in words."""
    first, last = points[0], points[-1]
    said = f"{first.memory_mb:.0f} to {last.memory_mb:.0f} MB"
    if first.figures and last.figures:
        ratio = last.figures.cpu_us / first.figures.cpu_us
        said = f"CPU time a request times {ratio:.2f}, {said}"
    return f"from {first.x:,} to {last.x:,}: {said}"


def _shown(point: Point) -> str:
    line = f"{point.x:>11,}{point.memory_mb:9.1f} MB"
    if (figures := point.figures) is not None:
        line += (
            f"{figures.requests_per_s:10,.0f} /s{figures.cpu_us:9.1f} µs of CPU"
            f"   p50 {figures.p50_us:,.0f} µs, p99 {figures.p99_us:,.0f} µs"
        )
        if figures.failed:
            line += f"   {figures.failed:.0f} failed"
    return line


_Made = Iterator[tuple[int, Server, Load]]


def _objects(servers: Servers, folder: Path, sizes: tuple[int, ...], held: ExitStack) -> _Made:
    load = Load("", "", _OBJECT, "random")
    for size in sizes:
        command = (sys.executable, str(Path(__file__).with_name("filled.py")), str(size))
        edge = servers.edge(_new(folder), plain(), command=command)
        server = held.enter_context(edge)
        for _ in range(3):  # They are there with the first.
            urlopen(f"{load.url(server)}0").close()
        yield size, server, load


def _behaviors(servers: Servers, folder: Path, sizes: tuple[int, ...], held: ExitStack) -> _Made:
    load = Load("", "", _OBJECT)
    yield from _by_definition(servers, folder, sizes, held, many_behaviors, load)


def _functions(servers: Servers, folder: Path, sizes: tuple[int, ...], held: ExitStack) -> _Made:
    load = Load("", "", _OBJECT, "cycle")
    yield from _by_definition(servers, folder, sizes, held, many_functions, load)


def _by_definition(
    servers: Servers,
    folder: Path,
    sizes: tuple[int, ...],
    held: ExitStack,
    definition: Callable[[int], dict[str, Any]],
    load: Load,
) -> _Made:
    for size in sizes:
        server = held.enter_context(servers.edge(_new(folder), definition(size)))
        fill(load.url(server), size)  # also starts the functions
        yield size, server, load


def _connections(servers: Servers, folder: Path, sizes: tuple[int, ...], held: ExitStack) -> _Made:
    server = held.enter_context(servers.edge(_new(folder), plain()))
    for size in sizes:
        yield size, server, Load("", "", _OBJECT, connections=size)


def _idle(
    servers: Servers, folder: Path, sizes: tuple[int, ...], held: ExitStack
) -> Iterator[float]:
    """Megabytes of memory with so many connections."""
    server = held.enter_context(servers.edge(_new(folder), plain()))
    port = int(server.doors["viewer"].rpartition(":")[2])
    connected = 0
    for size in sizes:
        for _ in range(size - connected):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(f"GET {_OBJECT}0 HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            connection.recv(65_536)
        connected = size
        yield memory_mb(server.process)


def _new(folder: Path) -> Path:
    made = folder / f"curve-{time.monotonic_ns()}"
    made.mkdir()
    return made


_MAKE: Final[dict[Curve, Callable[..., Iterator[Any]]]] = {
    _OBJECTS: _objects,
    _BEHAVIORS: _behaviors,
    _FUNCTIONS: _functions,
    _CONNECTIONS: _connections,
    _IDLE: _idle,
}
CURVES: Final = tuple(_MAKE)
