"""Measures what the README and the changelog claim: start, memory, stop, reload, hooks, a big body.

Every figure comes from real `edgeproxy dev` processes on loopback. Times on a shared machine are
noisy: they are medians, and what a hook costs is the difference between two edges asked in turn.
`--quick` makes few repetitions, and leaves out the 200 callers: it shows that the benchmark runs,
not how fast anything is.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from edges import MEGABYTE, Viewer, edge
from environments import measure_environments
from events import measure_events
from invocations import measure_invocations

from functions import measure_cold_starts, measure_crowd, measure_hooks


def measure_start(folder: Path, times: int) -> None:
    site = folder / "site"
    ready, memory, stopped = [], [], []
    for _ in range(times):
        with edge(folder, str(site)) as running:
            ready.append(running.ready_s)
            memory.append(running.memory_mb())
            stopped.append(running.stop())
    print(
        f"ready after the command          {statistics.median(ready):8.2f} s   (limit 1, goal 0.5)"
    )
    print(f"idle memory without functions    {statistics.median(memory):8.1f} MB  (limit 60)")
    print(f"stopped after SIGTERM            {statistics.median(stopped):8.2f} s   (limit 2)")


def measure_big_body(folder: Path, size: int) -> None:
    big = folder / "site" / "big.bin"
    with big.open("wb") as file:
        file.truncate(size)
    with edge(folder, str(folder / "site")) as running:
        viewer = Viewer(running.port)
        viewer.get("/index.html")
        before = running.memory_mb()
        started = time.perf_counter()
        assert viewer.skim("/big.bin") == size
        took = time.perf_counter() - started
        growth = running.memory_mb() - before
    print(
        f"{size / MEGABYTE:.0f} MB through: {size / MEGABYTE / took:.0f} MB/s, "
        f"memory grew by {growth:.1f} MB (limit 30 for 1 GB)"
    )
    big.unlink()


def measure_reload(folder: Path, times: int) -> None:
    hook = folder / "reloaded.py"
    source = "def handler(event, context):\n    return {'status': '200', 'body': '%d'}\n"
    hook.write_text(source % 0)
    with edge(folder, str(folder / "site"), "--viewer-request", str(hook)) as running:
        viewer = Viewer(running.port)
        viewer.get("/")
        durations = []
        for number in range(1, times + 1):
            expected = str(number).encode()
            started = time.perf_counter()
            hook.write_text(source % number)
            while viewer.get("/")[1] != expected:
                if time.perf_counter() - started > 10:
                    raise SystemExit("the save never took effect")
            durations.append(time.perf_counter() - started)
    print(
        f"a save of a function serves after {statistics.median(durations) * 1000:7.0f} ms  "
        "(limit 100 after it is seen; the watcher waits about 60 for quiet)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    quick = parser.parse_args().quick
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_bytes(b"x" * 1024)
        measure_start(folder, 2 if quick else 7)
        measure_reload(folder, 2 if quick else 15)
        measure_hooks(folder, 1 if quick else 15)
        measure_cold_starts(folder, 1 if quick else 21)
        measure_crowd(folder, 1 if quick else 21)
        measure_invocations(folder, 20 if quick else 1_000)
        if not quick:
            measure_environments(folder, 10)
        measure_events(folder, 500 if quick else 4_000, 2 if quick else 7)
        measure_big_body(folder, (128 if quick else 1024) * MEGABYTE)


if __name__ == "__main__":
    main()
