"""Plots of what was measured, as SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from curves import Curve, Point
from loads import Figures, Load
from matplotlib import pyplot

__all__ = ["draw"]


def draw(
    loads: Mapping[Load, Mapping[str, Figures]],
    curves: Mapping[Curve, Sequence[Point]],
    folder: Path,
) -> list[Path]:
    """The files that have been written."""
    # The same figures make the same file.
    mpl.rcParams["svg.hashsalt"] = "edgeproxy"
    drawn = []
    if loads:
        drawn.append(folder / "loads.svg")
        _draw_loads(loads, drawn[-1])
    for curve, points in curves.items():
        drawn.append(folder / f"{curve.name}.svg")
        _draw_curve(curve, points, drawn[-1])
    return drawn


def _draw_loads(loads: Mapping[Load, Mapping[str, Figures]], file: Path) -> None:
    """CPU time a request of every server, one group of bars for each load."""
    names = list(dict.fromkeys(name for figures in loads.values() for name in figures))
    rows = [(load, name) for load in loads for name in loads[load]]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.2 * len(rows) + 0.2 * len(loads)))
    place, ticks = 0.0, []
    for figures in loads.values():
        ticks.append(place + (len(figures) - 1) / 2)
        for name, each in figures.items():
            axes.barh(place, each.cpu_us, color=f"C{names.index(name)}")
            place += 1
        place += 1
    axes.set_yticks(ticks, [load.name for load in loads])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.set_xlabel("CPU time a request, µs (less is better)")
    patches = [pyplot.Rectangle((0, 0), 1, 1, color=f"C{index}") for index in range(len(names))]
    axes.legend(patches, names, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    _save(figure, file)


def _draw_curve(curve: Curve, points: Sequence[Point], file: Path) -> None:
    """CPU time a request, or memory where nobody asks."""
    figure, axes = pyplot.subplots(figsize=(6, 3.5))
    asked = [(point.x, point.figures.cpu_us) for point in points if point.figures]
    drawn = asked or [(point.x, point.memory_mb) for point in points]
    axes.plot(*zip(*drawn, strict=True), marker="o")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.2 * max(y for _, y in drawn))
    axes.set_xlabel(curve.title)
    axes.set_ylabel("CPU time a request, µs" if asked else "memory, MB")
    _save(figure, file)


def _save(figure: "pyplot.Figure", file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
