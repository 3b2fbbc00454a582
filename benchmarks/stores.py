"""Stores of the cache: what an object costs, how long invalidations and lookups take, and hits.

All but the hits ask the store itself, in this process; the hits are those of a real edge over HTTP.
`--quick` only shows that it runs.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edges import Viewer, edge

from edgeproxy.cache.entry import Entry, make_entry
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.invalidation import invalidation
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.stores import Store
from edgeproxy.cache.stores.disk import DiskStore
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.http.headers import Headers

HEADERS = Headers([("Content-Type", "text/plain"), ("ETag", '"0123456789abcdef"')])
GB = 1024**3


def entry(number: int, body: bytes) -> Entry:
    path = f"/section{number % 10}/{number}.html"
    key = CacheKey(number.to_bytes(16, "big"), "E1", path, None, ())
    tags = (f"tag{number % 1000}",)
    return make_entry(key, 200, "", HEADERS, body, Storable(60, "max-age=60", tags=tags), 1e9)


async def filled(store: Store, count: int, size: int = 0) -> None:
    await store.open()
    for number in range(count):
        await store.put(number.to_bytes(16, "big"), entry(number, bytes(size)))


def row(what: str, found: str, goal: str = "") -> None:
    print(f"{what:<62} {found:>14}  {goal}", flush=True)


async def overhead(count: int) -> None:
    gc.collect()
    tracemalloc.start()
    store = MemoryStore(8 * GB)
    await filled(store, count, 1024)
    taken = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    row("memory: bytes of an object of 1 KB beyond its body", f"{taken - 1024:.0f}", "under 1500")


async def lookups(counts: tuple[int, ...]) -> None:
    for count in counts:
        store = MemoryStore(8 * GB)
        await filled(store, count)
        asked = [(n * 7919 % count).to_bytes(16, "big") for n in range(20_000)]
        best = 1e9
        for _ in range(5):
            began = time.perf_counter()
            for digest in asked:
                await store.get(digest)
            best = min(best, time.perf_counter() - began)
        row(f"memory: a lookup among {count:,}", f"{best / len(asked) * 1e6:.2f} us", "constant")
        await store.close()


async def longest_pause(work: Awaitable[Any]) -> tuple[Any, float, float]:
    """The result, how long it took, and for how long at most nobody else had a turn."""
    pauses, done = [0.0], False

    async def watch() -> None:
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0.001)  # Not at once: that would keep a store's threads waiting.
            now = time.perf_counter()
            pauses.append(now - last - 0.001)
            last = now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    began = time.perf_counter()
    result = await work
    took = time.perf_counter() - began
    await asyncio.sleep(0)
    done = True
    await watching
    return result, took, max(pauses)


async def invalidations(name: str, make: Callable[[], Store], count: int, goal: str) -> None:
    store = make()
    await filled(store, count, 100 if name == "disk" else 0)
    gc.collect()
    gc.freeze()
    for item in ("/section1/1.html", "#tag2", "/section3/*", "/*"):
        work = store.drop(invalidation("E1", [item]))
        dropped, took, pause = await longest_pause(work)
        what = f"{name}: {item} among {count:,}, {dropped.count:,} dropped"
        row(what, f"{took * 1e3:.1f} ms", goal if item == "/*" else "")
        row("  the longest time for which the event loop stood", f"{pause * 1e3:.1f} ms")
    await store.close()
    gc.unfreeze()


def hits(store: str, requests: int) -> float:
    """Hits a second of one connection."""
    with tempfile.TemporaryDirectory() as name:
        site = Path(name) / "site"
        site.mkdir()
        body = bytes(1024)
        for number in range(50):
            (site / str(number)).write_bytes(body)
        options = ("--cache-policy", "CachingOptimized", "--cache-store", store)
        with edge(Path(name), str(site), *options) as running:
            connection = Viewer(running.port)
            rates = []
            for turn in range(6):
                began = time.perf_counter()
                for number in range(requests):
                    assert connection.get(f"/{number % 50}") == (200, body)
                if turn:  # the first one fetches
                    rates.append(requests / (time.perf_counter() - began))
            return statistics.median(rates)


async def main(quick: bool) -> None:
    million = 10_000 if quick else 1_000_000
    disk_count = 1_000 if quick else 100_000
    await overhead(1_000 if quick else 20_000)
    await lookups((1_000, million))
    await invalidations("memory", lambda: MemoryStore(8 * GB), million, "under 50 ms")
    with tempfile.TemporaryDirectory() as folder:
        make = lambda: DiskStore(Path(folder), 8 * GB, print)  # noqa: E731
        await invalidations("disk", make, disk_count, "")
    requests = 200 if quick else 3_000
    memory, disk = (hits(store, requests) for store in ("memory", "disk"))
    row("memory: hits a second over one connection", f"{memory:.0f}")
    row("disk: the same", f"{disk:.0f}", f"at least a third of memory: {disk / memory:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    asyncio.run(main(parser.parse_args().quick))
