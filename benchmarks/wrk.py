"""wrk, which asks servers over many connections at once."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from machine import tool

__all__ = ["Asked", "ask"]

_SCRIPT = Path(__file__).with_name("requests.lua")
_LONGEST_S = 3600
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Asked:
    """What wrk says of one burst; times are in microseconds, as the viewers saw them."""

    requests: int
    duration_s: float
    p50_us: int
    p99_us: int
    failed: int


def ask(
    url: str,
    *,
    load: str = "same",
    objects: int = 1,
    first: int = 0,
    connections: int = 32,
    seconds: float = 0,
    limit: int = 0,
) -> Asked:
    """Ask for ``seconds``, or until ``limit`` requests are sent; `requests.lua` tells the loads.

    What is too slow to give a single answer is asked again for twice as long.
    """
    environ = {"LOAD": load, "OBJECTS": objects, "FIRST": first, "LIMIT": limit}
    command = [tool("wrk") or "wrk", "-t1", f"-c{connections}", f"-d{_LONGEST_S}s", "--timeout=30s"]
    running = subprocess.Popen(
        [*command, "--latency", "-s", str(_SCRIPT), url],
        env=os.environ | {name: str(value) for name, value in environ.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_deaf,
    )
    if limit and running.stderr is not None:
        running.stderr.readline()
    else:
        time.sleep(seconds)
    said = _ended(running)
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", said)
    if found is None:
        raise SystemExit(f"wrk failed at {url}:\n{said}")
    requests, duration_us, p50_us, p99_us, refused, broken = map(int, found.groups())
    if not requests and 0 < seconds < _PATIENCE_S:
        return ask(
            url,
            load=load,
            objects=objects,
            first=first,
            connections=connections,
            seconds=2 * seconds,
        )
    if not requests:
        raise SystemExit(f"{url} gives no answers")
    if refused:
        raise SystemExit(f"{refused} of {requests} answers of {url} have a status of 400 or more")
    return Asked(requests, duration_us / 1e6, p50_us, p99_us, broken)


def _deaf() -> None:
    # Until wrk handles the signal that ends it, it shall do nothing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ended(running: "subprocess.Popen[str]") -> str:
    """What wrk said. It knows whole seconds only, and how to stop earlier, once it is under way."""
    while True:
        running.send_signal(signal.SIGINT)
        try:
            return "".join(running.communicate(timeout=0.02))
        except subprocess.TimeoutExpired:
            continue
