"""Writes what was measured: a page of tables, and plots beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from collapse import Collapsed
from curves import Curve, Point, growth
from http2 import HTTP_2, Spoken
from loads import Figures, Load
from servers import LOGGING, NGINX, NGINX_LOGGING

__all__ = ["Results", "shown", "write"]

_BESIDE: Final = {LOGGING: NGINX_LOGGING}
"""Who is compared with another than nginx without a log."""

_ABOUT: Final = """\
Requests a second depend on what else the machine does; CPU time a request, summed over a server's
processes, is far steadier. Ratios are those to nginx without an access log, and of a server with an
access log those to nginx with one. "To origin" is the share of requests that the origin got. p50
and p99 are as viewers saw them, each asking again as soon as it has its answer. Every hit has the
same body and fifteen headers. edgeproxy keeps its history of requests and its metrics, and prints
nothing (`--quiet`) but where its name says so; Varnish has its log in shared memory; aiohttp has
none. "Constant" is a protocol in Python that writes the same bytes to whoever asks, on uvloop
unless its name says otherwise: no server in Python can be faster. Servers and sizes take turns, so
that what else the machine does meets all of them.
"""


@dataclass(slots=True)
class Results:
    machine: list[str]
    loads: dict[Load, dict[str, Figures]] = field(default_factory=dict)
    collapse: dict[str, Collapsed] = field(default_factory=dict)
    http2: dict[str, dict[str, Spoken]] = field(default_factory=dict)
    curves: dict[Curve, list[Point]] = field(default_factory=dict)


def shown(name: str, all_of_them: dict[str, Figures]) -> str:
    """A line for the console."""
    figures = all_of_them[name]
    line = (
        f"{name:<26}{figures.requests_per_s:10,.0f} /s{figures.cpu_us:9.1f} µs of CPU"
        f"   p50 {figures.p50_us:,.0f} µs, p99 {figures.p99_us:,.0f} µs"
        f"   {figures.to_origin:.0%} to origin"
    )
    if ratios := _ratios(name, all_of_them):
        peer = _BESIDE.get(name, NGINX)
        line += f"   {ratios[0]:.2f} of the rate, {ratios[1]:.2f} of the CPU of {peer}"
    if figures.failed:
        line += f"   {figures.failed:.0f} failed"
    return line


def _ratios(name: str, all_of_them: dict[str, Figures]) -> tuple[float, float] | None:
    peer, figures = all_of_them.get(_BESIDE.get(name, NGINX)), all_of_them[name]
    if peer is None or peer is figures or not peer.cpu_us:
        return None
    return figures.requests_per_s / peer.requests_per_s, figures.cpu_us / peer.cpu_us


def write(results: Results, folder: Path) -> None:
    """`README.md` and the plots; the latter need matplotlib (`pip install 'edgeproxy[bench]'`)."""
    folder.mkdir(parents=True, exist_ok=True)
    page = list(_page(results))
    try:
        from plots import draw
    except ImportError as error:
        print(f"no plots: {error}; pip install 'edgeproxy[bench]'")
    else:
        drawn = draw(results.loads, results.curves, folder)
        page += ["## Plots\n", *(f"![{file.stem}]({file.name})" for file in drawn)]
    (folder / "README.md").write_text("\n".join(page) + "\n")
    print(f"\nwritten to {folder}")


def _page(results: Results) -> Iterator[str]:
    yield "# Measured\n\nBy `python benchmarks/compare.py`, on:\n"
    yield from (f"- {line}" for line in results.machine)
    yield f"\n{_ABOUT}"
    for load, figures in results.loads.items():
        yield f"## {load.title[0].upper()}{load.title[1:]}\n"
        yield f"`{load.name}`, connections: {load.connections}.{_goal(load.goal)}\n"
        yield "| server | requests/s | of nginx | CPU µs | of nginx | p50 µs | p99 µs | to origin |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        for name, each in figures.items():
            ratios = _ratios(name, figures)
            rate, cpu = (f"{ratio:.2f}" for ratio in ratios) if ratios else ("", "")
            yield (
                f"| {name} | {each.requests_per_s:,.0f} | {rate} | {each.cpu_us:.1f} | {cpu} "
                f"| {each.p50_us:,.0f} | {each.p99_us:,.0f} | {each.to_origin:.1%} |"
            )
        yield ""
    if results.collapse:
        yield from _collapse(results.collapse)
    if results.http2:
        yield from _http2(results.http2)
    for curve, points in results.curves.items():
        yield from _curve(curve, points)


def _goal(goal: str) -> str:
    return f" Goal: {goal}." if goal else ""


def _collapse(collapse: dict[str, Collapsed]) -> Iterator[str]:
    viewers = next(iter(collapse.values())).viewers
    yield f"## {viewers:,} viewers at once, of one object that takes the origin 0.2 s\n"
    yield "| server | until the last has it, s | CPU s | requests of the origin |"
    yield "| --- | ---: | ---: | ---: |"
    for name, each in collapse.items():
        yield f"| {name} | {each.last_s:.3f} | {each.cpu_s:.3f} | {each.origin_requests:g} |"
    yield ""


def _http2(http2: dict[str, dict[str, Spoken]]) -> Iterator[str]:
    yield "## One hit of 1 KB over TLS, repeated\n"
    yield f"`{HTTP_2}`, connections: 32.{_goal('HTTP/2 at least as fast as HTTP/1.1')}\n"
    yield "| server | version | requests/s | of HTTP/1.1 | CPU µs |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for name, versions in http2.items():
        first = versions["HTTP/1.1"].requests_per_s
        for version, each in versions.items():
            ratio = each.requests_per_s / first
            yield (
                f"| {name} | {version} | {each.requests_per_s:,.0f} | {ratio:.2f} "
                f"| {each.cpu_us:.1f} |"
            )
    yield ""


def _curve(curve: Curve, points: list[Point]) -> Iterator[str]:
    yield f"## edgeproxy: {curve.title}\n"
    yield f"`{curve.name}`: {growth(points)}.{_goal(curve.goal)}\n"
    yield "| | MB | requests/s | CPU µs | p50 µs | p99 µs |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for point in points:
        row = [f"{point.x:,}", f"{point.memory_mb:.1f}", "", "", "", ""]
        if (each := point.figures) is not None:
            row[2:] = [
                f"{each.requests_per_s:,.0f}",
                f"{each.cpu_us:.1f}",
                f"{each.p50_us:,.0f}",
                f"{each.p99_us:,.0f}",
            ]
        yield f"| {' | '.join(row)} |"
    yield ""
