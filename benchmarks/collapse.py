"""Many viewers who ask for the same slow object at the same time."""

import selectors
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

from edges import Viewer
from origin import SLOW_S
from servers import EDGE, NGINX, Server, Servers

__all__ = ["Collapsed", "measure_collapse"]


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Medians: until the last viewer has an answer, and the server's CPU time for all of them."""

    viewers: int
    last_s: float
    cpu_s: float
    origin_requests: float


def measure_collapse(servers: Servers, viewers: int, rounds: int) -> dict[str, Collapsed]:
    print(
        f"\n{viewers} viewers at once, of an object that takes the origin {SLOW_S} s "
        f"(goal: one request of the origin, {SLOW_S * 1.5 + 0.1:.1f} s)"
    )
    measured = {}
    for name in (NGINX, "Varnish", "aiohttp", EDGE):
        if server := servers.get(name):
            found = [_once(servers, server, viewers) for _ in range(rounds)]
            last_s, cpu_s, requests = (statistics.median(each) for each in zip(*found, strict=True))
            measured[name] = Collapsed(viewers, last_s, cpu_s, requests)
            print(f"{name:<26}{last_s:8.3f} s, {cpu_s:6.3f} s of CPU, {requests:g} at the origin")
    return measured


def _once(servers: Servers, server: Server, viewers: int) -> tuple[float, float, int]:
    port = int(server.doors["viewer"].rpartition(":")[2])
    path = f"/slow/1024/{time.time_ns()}"
    with ExitStack() as held, selectors.DefaultSelector() as selector:
        for _ in range(viewers):
            viewer = Viewer(port)
            held.callback(viewer.socket.close)
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        asked_before, cpu_before = servers.asked_of_origin(), server.cpu_s()
        waiting = {key.data for key in selector.get_map().values()}
        started = time.perf_counter()
        for viewer in waiting:
            viewer.send(path)
        while waiting:
            for key, _ in selector.select():
                status, _ = key.data.receive()
                if status != 200:
                    raise SystemExit(f"status {status} instead of 200")
                waiting.discard(key.data)
        last_s = time.perf_counter() - started
    return last_s, server.cpu_s() - cpu_before, servers.asked_of_origin() - asked_before
