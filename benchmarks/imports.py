"""What `edgeproxy dev` imports before it is ready: how many modules, and which take the longest.

A program of its own. The time of a module is CPU time of its own body and of finding and reading
it, without what it imports in turn: unlike the wall clock it is much the same on a busy machine.
"""

import argparse
import statistics
import subprocess
import sys
from collections import defaultdict
from typing import Final

_PROFILE: Final = """
import os, signal, sys, time
from importlib import _bootstrap
own, inside, find = {}, [0], _bootstrap._find_and_load
def timed(name, import_):
    if name in sys.modules:
        return find(name, import_)
    inside.append(0)
    started = time.process_time_ns()
    try:
        found = find(name, import_)
    finally:
        took = time.process_time_ns() - started
        own[name] = took - inside.pop()
        inside[-1] += took
    if name == "edgeproxy.app.running":
        tell_when_ready(found.Running)
    return found
def tell_when_ready(running):
    enter = running.__aenter__
    async def entered(self):
        await enter(self)
        for name, took in own.items():
            print("#", name, took)
        os.kill(os.getpid(), signal.SIGTERM)
    running.__aenter__ = entered
_bootstrap._find_and_load = timed
from edgeproxy.cli.main import main
sys.exit(main(["dev", "--quiet", "--port", "0", "--control-port", "0", *sys.argv[1:]]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of which the medians are shown")
    parser.add_argument("--slowest", type=int, default=30, help="how many modules are shown")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of `edgeproxy dev`")
    options = parser.parse_args()
    runs: defaultdict[str, list[int]] = defaultdict(list)
    for _ in range(options.runs):
        command = [sys.executable, "-c", _PROFILE, *options.arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            if line.startswith("# "):
                _, name, nanoseconds = line.split()
                runs[name].append(int(nanoseconds))
    modules = {name: statistics.median(each) / 1e6 for name, each in runs.items()}
    packages: defaultdict[str, list[float]] = defaultdict(list)
    for name, took in modules.items():
        parts = name.split(".")
        packages[".".join(parts[:2] if parts[0] == "edgeproxy" else parts[:1])].append(took)
    print(f"{len(modules)} modules, {sum(modules.values()):.0f} ms of CPU time")
    print("\nms      modules")
    for name, each in sorted(packages.items(), key=lambda item: -sum(item[1]))[: options.slowest]:
        print(f"{sum(each):6.1f} {len(each):4}   {name}")
    print("\nms      module")
    for name, took in sorted(modules.items(), key=lambda item: -item[1])[: options.slowest]:
        print(f"{took:6.1f}        {name}")


if __name__ == "__main__":
    main()
