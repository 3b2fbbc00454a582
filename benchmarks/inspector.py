"""Measures the inspector: its first paint, how soon a request is shown, frames, and what it costs.

The page is opened in Chromium without a window. What recording and followers cost is told as CPU
time of the edge for each repeated hit, of edges that are asked in turn. `--quick` makes few
repetitions.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from definitions import plain
from edges import Viewer, edge
from machine import cores
from playwright.sync_api import Page, sync_playwright
from servers import Server, Servers
from wrk import ask

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_KEPT: Final = 1000
_SHOWN: Final = """() => new Promise((resolve) => {
  const path = "%s";
  const look = () => document.querySelector(".list")?.textContent.includes(path)
    && resolve(performance.timeOrigin + performance.now());
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true,
    characterData: true});
  look();
})"""
_FRAMES: Final = """(seconds) => new Promise((resolve) => {
  const times = [];
  const frame = (now) => {
    times.push(now);
    if (now - times[0] < 1000 * seconds) requestAnimationFrame(frame);
    else resolve(times);
  };
  requestAnimationFrame(frame);
})"""


def measure_page(folder: Path, times: int, seconds: float) -> None:
    site = str(folder / "site")
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    with edge(folder, site) as running, sync_playwright() as playwright:
        viewer = Viewer(running.port)
        for number in range(_KEPT):
            viewer.get(f"/a.txt?{number}")
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        paints, delays = [], []
        for number in range(times):
            with closing(chromium.new_page()) as page:
                page.goto(running.control)
                page.locator(".list .space > .row").first.wait_for()
                paints.append(
                    page.evaluate("performance.getEntriesByType('paint').at(-1).startTime")
                )
                delays.append(_shown_after_ms(page, viewer, f"/a.txt?new-{number}"))
        print(f"first contentful paint, {_KEPT:,} requests kept {_median(paints)} ms  (goal 300)")
        print(f"a request is shown after its end       {_median(delays)} ms  (goal 100)")
        with closing(chromium.new_page()) as page:
            page.goto(running.control)
            page.locator(".list .space > .row").first.wait_for()
            asking = threading.Thread(target=_ask_200_a_second, args=(viewer, seconds + 1))
            asking.start()
            frames = page.evaluate(_FRAMES, seconds)
            asking.join()
        apart = [after - before for before, after in itertools.pairwise(frames)]
        rate = 1000 * len(apart) / (frames[-1] - frames[0])
        print(
            f"frames a second at 200 requests/s      {rate:8.1f}  (goal 50), "
            f"longest {max(apart):.0f} ms"
        )
        chromium.close()


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):8.1f}"


def _shown_after_ms(page: Page, viewer: Viewer, path: str) -> float:
    """From the end of an answer, as the viewer sees it, until the page's list has the request."""
    page.evaluate(f"() => {{ window.shown = ({_SHOWN % path})(); }}")
    viewer.get(path)
    ended = time.time() * 1000
    shown: float = page.evaluate("() => window.shown")
    return shown - ended


def _ask_200_a_second(viewer: Viewer, seconds: float) -> None:
    due = time.perf_counter()
    end = due + seconds
    number = 0
    while due < end:
        viewer.get(f"/a.txt?busy-{number}")
        number += 1
        due += 0.005
        time.sleep(max(0.0, due - time.perf_counter()))


def measure_cost(folder: Path, rounds: int, seconds: float) -> None:
    """CPU time for each repeated hit: without a history, with one, with somebody who follows."""
    options = {"without history": "0", "with history": "1000", "with one inspector": "1000"}
    costs: dict[str, list[float]] = {kind: [] for kind in options}
    with ExitStack() as held:
        servers = Servers(folder, held)
        edges: dict[str, Server] = {}
        for kind, history in options.items():
            (at := folder / kind).mkdir()
            edges[kind] = held.enter_context(servers.edge(at, plain(), "--history", history))
        os.sched_setaffinity(0, {cores()[1]})
        stream = f"{edges['with one inspector'].doors['control']}/api/exchanges/stream"
        follower = subprocess.Popen(["curl", "-sN", "-o", os.devnull, stream])
        held.callback(follower.terminate)
        for number in range(rounds + 1):
            for kind, server in edges.items():
                before = server.cpu_s()
                asked = ask(f"{server.doors['viewer']}/hit/1024/0", seconds=seconds)
                if number:  # The first burst is for warming up.
                    costs[kind].append(1e6 * (server.cpu_s() - before) / asked.requests)
    base = statistics.median(costs["without history"])
    for kind, each in costs.items():
        cost = statistics.median(each)
        print(f"a repeated hit {kind:24}{cost:8.1f} us of CPU, {cost / base:.2f} of that without")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        (folder / "site" / "a.txt").write_bytes(b"x" * 1024)
        measure_page(folder, 3 if options.quick else 15, 1 if options.quick else 10)
        measure_cost(folder, 1 if options.quick else 9, 0.3 if options.quick else 2)


if __name__ == "__main__":
    main()
