"""wrk, which asks servers over many connections at once."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine import tool

__all__ = ["Asked", "ask"]

_SCRIPT = Path(__file__).with_name("requests.lua")
_LONGEST_S = 1200


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
        text=True,
    )
    try:
        said, _ = running.communicate(timeout=seconds or _LONGEST_S)
    except subprocess.TimeoutExpired:
        # Its own -d knows whole seconds only; this ends it in the same way.
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate()
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", said)
    if found is None:
        raise SystemExit(f"wrk failed at {url}:\n{said}")
    requests, duration_us, p50_us, p99_us, refused, broken = map(int, found.groups())
    if not requests and seconds and seconds < _LONGEST_S:
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
