"""Asynchronous events: how fast they are accepted, and when the last of them has run."""

import json
import re
import selectors
import socket
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from edges import Edge, edge

__all__ = ["measure_events"]

_CONNECTIONS: Final = 50
_BODY: Final = b'{"order": 1234567, "items": ["a", "b", "c"]}'
_REQUEST: Final = (
    b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: localhost\r\n"
    b"X-Amz-Invocation-Type: Event\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_TEMPLATE: Final = {
    "Resources": {
        "f": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "f",
                "Runtime": "python3.12",
                "Handler": "app.handler",
                "Code": "./events",
            },
        }
    }
}


def measure_events(folder: Path, events: int, rounds: int) -> None:
    """Events over many connections, each on the disk before it is answered; its function runs."""
    (folder / "events").mkdir()
    (folder / "events" / "app.py").write_text("def handler(event, context):\n    return event\n")
    template = folder / "events.json"
    template.write_text(json.dumps(_TEMPLATE))
    with edge(folder, str(template), "--no-reload") as running:
        _accept(running, 100)  # a first one opens the queue and starts the function
        accepted, behind, cpu_us = [], [], []
        for _ in range(rounds):
            _wait_until_done(running)
            cpu_s = running.cpu_s()
            accepted.append(events / _accept(running, events))
            started = time.perf_counter()
            _wait_until_done(running)
            behind.append(time.perf_counter() - started)
            cpu_us.append((running.cpu_s() - cpu_s) / events * 1e6)
    print(
        f"{'asynchronous events accepted':<33}{statistics.median(accepted):8.0f} /s  (goal 2000)  "
        f"the last has run {statistics.median(behind):.2f} s later; "
        f"{statistics.median(cpu_us):.0f} µs of the proxy's CPU time to accept and run one"
    )


def _accept(running: Edge, events: int) -> float:
    """Seconds until all have been accepted."""
    with ExitStack() as held, selectors.DefaultSelector() as selector:
        started, left, waiting = time.perf_counter(), events, 0
        for _ in range(min(_CONNECTIONS, events)):
            connection = socket.create_connection(("127.0.0.1", running.control_port))
            held.callback(connection.close)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(_REQUEST)
            left, waiting = left - 1, waiting + 1
        while waiting:
            for key, _ in selector.select():
                answer = key.data.recv(65_536)
                # It has no body, so that it comes as one piece.
                if not re.match(rb"HTTP/1.1 202 .*\r\n\r\n\Z", answer, re.DOTALL):
                    raise SystemExit(f"not accepted: {answer[:300]!r}")
                waiting -= 1
                if left:
                    key.data.sendall(_REQUEST)
                    left, waiting = left - 1, waiting + 1
        return time.perf_counter() - started


def _wait_until_done(running: Edge) -> None:
    while True:
        with urlopen(f"{running.control}/api/events?limit=1") as answer:
            if json.load(answer)["count"] == 0:
                return
        time.sleep(0.02)
