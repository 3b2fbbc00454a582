"""What Lambda's Invoke API costs: a warm function that returns its event, on one connection."""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Final

from edges import Viewer, edge

__all__ = ["measure_invocations"]

_PY: Final = "def handler(event, context):\n    return event\n"
_JS: Final = "exports.handler = async (event) => event;\n"
_EVENT: Final = json.dumps({"key": "value", "items": list(range(10))}).encode()
_GOAL_MS: Final = 1.0


def measure_invocations(folder: Path, times: int) -> None:
    functions = {
        "Python": (f"python3.{sys.version_info.minor}", _PY),
        "Node.js": ("nodejs22.x", _JS),
    }
    resources = {
        f"Echo{number}": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": f"echo{number}",
                "Runtime": runtime,
                "Handler": "index.handler",
                "Role": "arn:aws:iam::123456789012:role/r",
                "Code": {"ZipFile": code},
            },
        }
        for number, (runtime, code) in enumerate(functions.values())
    }
    template = folder / "invocations.json"
    template.write_text(json.dumps({"Resources": resources}))
    with edge(folder, str(template)) as running:
        viewer = Viewer(running.control_port)
        for number, label in enumerate(functions):
            head = (
                f"POST /2015-03-31/functions/echo{number}/invocations HTTP/1.1\r\n"
                f"Host: localhost\r\nContent-Length: {len(_EVENT)}\r\n\r\n"
            )
            took = [_invoked(viewer, head.encode() + _EVENT) for _ in range(times + 20)][20:]
            print(
                f"{f'Invoke of a warm {label} echo':<33}{statistics.median(took):8.2f} ms  "
                f"(goal {_GOAL_MS:.0f})  p90 {statistics.quantiles(took, n=10)[-1]:.2f}"
            )


def _invoked(viewer: Viewer, request: bytes) -> float:
    """Milliseconds until the answer is there."""
    started = time.perf_counter()
    viewer.socket.sendall(request)
    status, body = viewer.receive()
    took = (time.perf_counter() - started) * 1000
    if status != 200 or json.loads(body) != json.loads(_EVENT):
        raise SystemExit(f"status {status} and {body!r} instead of the event")
    return took
