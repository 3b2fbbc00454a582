"""Shows where an edge's time goes under one of the loads of `compare.py`.

Samples with py-spy when that is installed, which hardly costs the edge anything; else with
cProfile, which makes small functions look dearer than they are. The functions with the largest
shares of their own come first; "below" is a function with all that it calls. It is the main
thread's time: what worker processes do is not in it.
"""

import argparse
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from definitions import plain, with_functions
from loads import LOADS, Load, measure, warm
from machine import cores
from servers import EDGE, FUNCTIONS, Server, Servers


def main() -> None:
    loads = {load.name: load for load in LOADS if {EDGE, FUNCTIONS} & set(load.servers)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("load", choices=loads, metavar="LOAD", help=", ".join(loads))
    parser.add_argument("--seconds", type=float, default=5, help="default 5")
    parser.add_argument("--lines", type=int, default=40, help="functions to show (default 40)")
    options = parser.parse_args()
    load = loads[options.load]
    os.sched_setaffinity(0, {cores()[1]})
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        folder = Path(name)
        servers = Servers(folder, held)
        template = plain() if EDGE in load.servers else with_functions()
        if spy := shutil.which(
            "py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        ):
            _sampled(spy, servers, folder, template, load, options)
        else:
            _traced(servers, folder, template, load, options)


def _ask(load: Load, server: Server, servers: Servers, seconds: float) -> None:
    figures = measure(load, server, servers, load.objects, seconds)
    print(f"{load.title}: {figures.requests_per_s:,.0f} requests/s, profiled\n")


def _sampled(
    spy: str,
    servers: Servers,
    folder: Path,
    template: dict[str, Any],
    load: Load,
    options: argparse.Namespace,
) -> None:
    stacks = folder / "stacks"
    with servers.edge(folder, template) as server:
        warm(load, server, load.objects)
        command = [spy, "record", "--pid", str(server.process), "--function", "--rate", "500"]
        sampling = subprocess.Popen(
            [
                *command,
                "--duration",
                f"{options.seconds:.0f}",
                "--format",
                "raw",
                "-o",
                str(stacks),
            ],
            stdout=subprocess.DEVNULL,
        )
        _ask(load, server, servers, options.seconds)
        if sampling.wait():
            raise SystemExit("py-spy may not look at other processes here; try it as root")
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if frames[0].startswith("_run_module_as_main "):  # another thread begins elsewhere
            own[frames[-1]] += int(samples)
            below.update(dict.fromkeys(frames, int(samples)))
    print("   own  below")
    for frame, count in own.most_common(options.lines):
        print(f"{count / own.total():6.1%} {below[frame] / own.total():6.1%}  {frame}")


def _traced(
    servers: Servers,
    folder: Path,
    template: dict[str, Any],
    load: Load,
    options: argparse.Namespace,
) -> None:
    file = folder / "stats"
    command = (sys.executable, "-m", "cProfile", "-o", str(file), "-m", "edgeproxy")
    with servers.edge(folder, template, command=command) as server:
        warm(load, server, load.objects)
        _ask(load, server, servers, options.seconds)
    pstats.Stats(str(file)).strip_dirs().sort_stats("tottime").print_stats(options.lines)


if __name__ == "__main__":
    main()
