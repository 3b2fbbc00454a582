"""Compares edgeproxy with nginx, Varnish and plain aiohttp, and shows how its costs grow.

Everything runs on loopback: the servers on one core, wrk and the origin on another, in turn and
several times. The figures are medians. CPU time is that of all processes of a server, from the
system's accounting, and is far steadier than requests a second.
"""

import argparse
import os
import resource
import tempfile
from contextlib import ExitStack
from pathlib import Path

from collapse import measure_collapse
from curves import CURVES, measure_curve
from http2 import HTTP_2, measure_http2
from loads import LOADS, Figures, Load, measure, warm
from machine import busy, cores, described, missing, tool
from report import Results, shown, write
from servers import Servers


def main() -> None:
    options = _options()
    if tool("wrk") is None:
        raise SystemExit("\n".join(missing()))
    # The one who asks is to have a core of its own, with all the processes it starts.
    os.sched_setaffinity(0, {cores()[1]})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    results = Results([*described(), f"at the beginning {busy()}"])
    print("\n".join(results.machine), flush=True)
    try:
        _measure(results, options)
    finally:  # What there is when it is ended early is worth having, too.
        results.machine.append(f"at the end {busy()}")
        if options.output:
            write(results, options.output)


def _measure(results: Results, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        servers = Servers(Path(folder), held)
        for load in LOADS:
            if load.name in options.only or not (options.only or (options.quick and load.is_long)):
                results.loads[load] = _compare(load, servers, options)
        if not options.only or "collapse" in options.only:
            results.collapse = measure_collapse(
                servers, 100 if options.quick else 1_000, options.rounds
            )
        if HTTP_2 in options.only or not options.only:
            results.http2 = measure_http2(servers, Path(folder), options.seconds, options.rounds)
        for curve in CURVES:
            if not options.only or curve.name in options.only:
                results.curves[curve] = measure_curve(
                    curve,
                    servers,
                    Path(folder),
                    options.seconds,
                    options.rounds,
                    quick=options.quick,
                )


def _options() -> argparse.Namespace:
    names = [*(load.name for load in LOADS), "collapse", HTTP_2, *(curve.name for curve in CURVES)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help=f"one or more of: {', '.join(names)}",
    )
    parser.add_argument("--seconds", type=float, default=1, help="of a burst (default 1)")
    parser.add_argument("--rounds", type=int, default=5, help="bursts of each (default 5)")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write a table and plots there"
    )
    options = parser.parse_args()
    if unknown := set(options.only) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.quick:
        options.seconds, options.rounds = 0.25, 1
    return options


def _compare(load: Load, servers: Servers, options: argparse.Namespace) -> dict[str, Figures]:
    """Medians of bursts in which the servers take turns."""
    found = {name: server for name in load.servers if (server := servers.get(name))}
    objects = min(load.objects, 300) if options.quick else load.objects
    for server in found.values():
        warm(load, server, objects)
        if not options.quick:
            measure(load, server, servers, objects, options.seconds)
    bursts: dict[str, list[Figures]] = {name: [] for name in found}
    for _ in range(options.rounds):
        for name, server in found.items():
            bursts[name].append(measure(load, server, servers, objects, options.seconds))
    print(f"\n{load.title}{f' (goal: {load.goal})' if load.goal else ''}")
    figures = {name: Figures.medians(each) for name, each in bursts.items()}
    for name in figures:
        print(shown(name, figures), flush=True)
    return figures


if __name__ == "__main__":
    main()
