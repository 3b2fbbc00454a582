"""What execution environments cost, and how fast a function gets more of them."""

import json
import re
import selectors
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from edges import Viewer, edge

__all__ = ["measure_environments"]

_CALLERS: Final = 200
_SLEEP_MS: Final = 20
_PY: Final = f"""
import os, time
def handler(event, context):
    time.sleep({_SLEEP_MS} / 1000)
    return os.getpid()
"""
_JS: Final = (
    f"exports.handler = () => new Promise((done) => setTimeout(done, {_SLEEP_MS}, process.pid));"
)
_GOALS_MB: Final = {"Python": "(goal 12)", "Node.js": ""}


def measure_environments(folder: Path, seconds: float) -> None:
    """200 callers invoke a function that sleeps 20 ms, each again as soon as it has its answer."""
    functions = {
        "Python": (f"python3.{sys.version_info.minor}", _PY),
        "Node.js": ("nodejs22.x", _JS),
    }
    for label, (runtime, code) in functions.items():
        function = {
            "FunctionName": "sleeper",
            "Runtime": runtime,
            "Handler": "index.handler",
            "Role": "arn:aws:iam::123456789012:role/r",
            "Code": {"ZipFile": code},
        }
        resources = {"Sleeper": {"Type": "AWS::Lambda::Function", "Properties": function}}
        template = folder / "environments.json"
        template.write_text(json.dumps({"Resources": resources}))
        with edge(folder, str(template)) as running:
            took, environments = _crowd(running.control_port, seconds)
            unique = [_unique_mb(process) for process in environments]
        last = took[len(took) // 2 :]
        print(
            f"{f'{_CALLERS} callers, {label} sleeps {_SLEEP_MS} ms':<33}"
            f"{len(took) / seconds:8.0f} /s  in {len(environments)} environments; "
            f"p50 {statistics.median(last):.0f} ms, p99 {statistics.quantiles(last, n=100)[98]:.0f}"
            " ms in the second half"
        )
        print(
            f"{f'an idle {label} environment':<33}{statistics.median(unique):8.1f} MB  "
            f"{_GOALS_MB[label]:<11} of its own"
        )


def _crowd(port: int, seconds: float) -> tuple[list[float], set[int]]:
    """Milliseconds of each invocation in the order of their ends, and the processes that ran."""
    request = (
        b"POST /2015-03-31/functions/sleeper/invocations HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Length: 2\r\n\r\n{}"
    )
    took: list[float] = []
    processes: set[int] = set()
    with ExitStack() as held, selectors.DefaultSelector() as selector:
        asked: dict[Viewer, float] = {}
        for _ in range(_CALLERS):
            viewer = Viewer(port)
            held.callback(viewer.socket.close)
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
            asked[viewer] = time.perf_counter()
            viewer.socket.sendall(request)
        ends = time.perf_counter() + seconds
        while asked:
            for key, _ in selector.select():
                viewer = key.data
                status, body = viewer.receive()
                if status != 200 or not body.isdigit():
                    raise SystemExit(f"status {status} and {body!r} instead of a process ID")
                now = time.perf_counter()
                took.append((now - asked.pop(viewer)) * 1000)
                processes.add(int(body))
                if now < ends:
                    asked[viewer] = now
                    viewer.socket.sendall(request)
    return took, processes


def _unique_mb(process: int) -> float:
    """Memory that no other process shares."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))) / 1024
