"""What edge functions cost: warm hooks, cold starts, and many viewers at once."""

import selectors
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edges import Edge, Viewer, edge

from edgeproxy.runtimes.interpreters import find_interpreter

__all__ = ["measure_cold_starts", "measure_crowd", "measure_hooks"]

_BROWSER: Final = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Host": "www.example.com",
        "User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        "image/apng,*/*;q=0.8",
        "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Cookie": "session=3f9a1c7e5b2d4860; theme=dark; consent=analytics%2Cmarketing; "
        "_ga=GA1.2.1234567890.1700000000; cart=a1b2c3d4e5f60718293a4b5c6d7e8f90; "
        "experiment=checkout-b.banner-a",
        "Referer": "https://www.example.com/products/shoes?page=2&sort=price",
        "Sec-Ch-Ua": '"Chromium";v="131", "Not_A Brand";v="24"',
        "Sec-Ch-Ua-Mobile": "?0",
        "Sec-Ch-Ua-Platform": '"macOS"',
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-User": "?1",
        "Upgrade-Insecure-Requests": "1",
        "Dnt": "1",
        "Priority": "u=0, i",
        "Authorization": f"Bearer {'eyJhbGciOiJIUzI1NiJ9' * 2}.{'eyJzdWIiOiIx' * 24}.{'c2ln' * 10}",
    }.items()
)
_PATH: Final = "/products/shoes/photo.jpg?width=640&format=auto"

_REQUEST_PY: Final = """def handler(event, context):
    return event['Records'][0]['cf']['request']
"""
_RESPONSE_PY: Final = _REQUEST_PY.replace("request", "response")
_REQUEST_JS: Final = "exports.handler = async (event) => event.Records[0].cf.request;\n"
_RESPONSE_JS: Final = _REQUEST_JS.replace("request", "response")
_SIZE_PY: Final = """import json
def handler(event, context):
    return {'status': '200', 'body': str(len(json.dumps(event, separators=(',', ':'))))}
"""
_SIZE_CFF: Final = """function handler(event) {
    return {statusCode: 200, body: String(JSON.stringify(event).length)};
}
"""
_DYING: Final = {
    "py": "import os\ndef handler(event, context):\n"
    "    request = event['Records'][0]['cf']['request']\n"
    "    if request['uri'] == '/die':\n        os._exit(1)\n    return {'status': '200'}\n",
    "js": "exports.handler = async (event) => {\n"
    "  if (event.Records[0].cf.request.uri === '/die') process.exit(1);\n"
    "  return { status: '200' };\n};\n",
}
_SLEEP_S: Final = 0.05
_SLEEPING: Final = f"""import time
def handler(event, context):
    time.sleep({_SLEEP_S})
    return {{'status': '200', 'body': 'slept'}}
"""
_VIEWERS: Final = 100
_WARM_UP: Final = 30
"""Bursts until there is an environment for each viewer: only a few start at the same time."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What some functions cost: ``options`` switch them on, ``policy`` makes hits or misses."""

    label: str
    options: Mapping[str, str]
    policy: str
    goal_ms: float


def _every_event(request: str, response: str) -> Mapping[str, str]:
    return {
        "--viewer-request": request,
        "--origin-request": request,
        "--origin-response": response,
        "--viewer-response": response,
    }


_HIT, _MISS = "CachingOptimized", "CachingDisabled"
_HOOKS: Final = (
    _Measured("Python at viewer-request", {"--viewer-request": "request.py"}, _HIT, 0.3),
    _Measured("Node.js at viewer-request", {"--viewer-request": "request.js"}, _HIT, 0.3),
    _Measured("CloudFront Function", {"--viewer-request-cff": "request.cff"}, _HIT, 0.1),
    _Measured("Python at all 4 events", _every_event("request.py", "response.py"), _MISS, 1.2),
    _Measured("Node.js at all 4 events", _every_event("request.js", "response.js"), _MISS, 1.2),
)


def measure_hooks(folder: Path, rounds: int) -> None:
    """What hooks add to the answer of an edge without any, asked in turn with it."""
    photo = folder / "site" / "products" / "shoes" / "photo.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"x" * 1024)
    for name, code in {
        "request.py": _REQUEST_PY,
        "response.py": _RESPONSE_PY,
        "request.js": _REQUEST_JS,
        "response.js": _RESPONSE_JS,
        "request.cff": "function handler(event) { return event.request; }\n",
        "size.py": _SIZE_PY,
        "size.cff": _SIZE_CFF,
    }.items():
        (folder / name).write_text(code)
    sizes = [
        _ask_once(folder, "--viewer-request", "size.py"),
        _ask_once(folder, "--viewer-request-cff", "size.cff"),
    ]
    print(f"viewer-request event: {sizes[0]} bytes for Lambda@Edge, {sizes[1]} for CloudFront")
    for measured in _HOOKS:
        _measure_hook(folder, measured, rounds)


def _ask_once(folder: Path, option: str, file: str) -> int:
    with edge(folder, str(folder / "site"), option, str(folder / file)) as running:
        return int(Viewer(running.port).get(_PATH, _BROWSER)[1])


def _measure_hook(folder: Path, measured: _Measured, rounds: int, requests: int = 200) -> None:
    site, policy = str(folder / "site"), ("--cache-policy", measured.policy)
    options = [f"{option}={folder / file}" for option, file in measured.options.items()]
    with edge(folder, site, *policy) as plain, edge(folder, site, *policy, *options) as hooked:
        without, with_hook = _Asked(plain), _Asked(hooked)
        added = []
        for _ in range(rounds):
            base = without.median_ms(requests)
            added.append(with_hook.median_ms(requests) - base)
        cpu_us = with_hook.cpu_us() - without.cpu_us()
    goal = f"(goal {measured.goal_ms})"
    label = f"{measured.label} adds"
    print(
        f"{label:<33}{statistics.median(added):8.3f} ms  {goal:<11} "
        f"and {cpu_us:.0f} µs of the proxy's CPU time"
    )


class _Asked:
    """An edge and a viewer who asks it for the same thing again and again."""

    def __init__(self, running: Edge) -> None:
        self._edge = running
        self._viewer = Viewer(running.port)
        for _ in range(300):
            status, _ = self._viewer.get(_PATH, _BROWSER)
            if status != 200:
                raise SystemExit(f"status {status} instead of 200")
        self._cpu_s, self._requests = running.cpu_s(), 0

    def median_ms(self, requests: int) -> float:
        durations = []
        for _ in range(requests):
            started = time.perf_counter()
            self._viewer.get(_PATH, _BROWSER)
            durations.append(time.perf_counter() - started)
        self._requests += requests
        return statistics.median(durations) * 1000

    def cpu_us(self) -> float:
        """CPU time of the proxy for each request."""
        return (self._edge.cpu_s() - self._cpu_s) / self._requests * 1e6


def measure_cold_starts(folder: Path, rounds: int) -> None:
    """A request that has to start a process, over one that has not and over the bare interpreter.

    The function ends its own process when it is told to; the next request then starts another.
    """
    for label, suffix, bare, goal in (
        ("Python", "py", [sys.executable, "-c", "pass"], 60),
        ("Node.js", "js", [find_interpreter("nodejs22.x").path, "-e", "0"], 80),
    ):
        file = folder / f"dying.{suffix}"
        file.write_text(_DYING[suffix])
        cold, alone = [], []
        with edge(folder, str(folder / "site"), "--viewer-request", str(file)) as running:
            viewer = Viewer(running.port)
            for _ in range(rounds):
                viewer.get("/die")
                cold.append(_ms(viewer.get, "/") - _ms(viewer.get, "/"))
                alone.append(_ms(subprocess.run, bare))
        interpreter = statistics.median(alone)
        print(
            f"{label + ' cold start':<33}{statistics.median(cold) - interpreter:8.0f} ms  "
            f"{f'(goal {goal})':<11} over the interpreter alone, {interpreter:.0f} ms"
        )


def _ms(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - started) * 1000


def measure_crowd(folder: Path, rounds: int) -> None:
    """Viewers who come at the same time, each with a connection, to a function that sleeps."""
    file = folder / "sleeping.py"
    file.write_text(_SLEEPING)
    with (
        edge(folder, str(folder / "site"), "--viewer-request", str(file)) as running,
        ExitStack() as held,
        selectors.DefaultSelector() as selector,
    ):
        for _ in range(_VIEWERS):
            viewer = Viewer(running.port)
            held.callback(viewer.socket.close)
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        first = _burst(selector)
        for _ in range(_WARM_UP):
            _burst(selector)
        cpu_s = running.cpu_s()
        served = [_burst(selector) for _ in range(rounds)]
        cpu_us = (running.cpu_s() - cpu_s) / rounds / _VIEWERS * 1e6
    print(
        f"{f'{_VIEWERS} viewers, function sleeps 50 ms':<33}"
        f"{statistics.median(served) * 1000:8.0f} ms  (goal 100)  "
        f"until the last is served, {first * 1000:.0f} ms when cold, "
        f"and {cpu_us:.0f} µs of the proxy's CPU time each"
    )


def _burst(selector: selectors.BaseSelector) -> float:
    """Seconds until all viewers that ask at once have their answers."""
    started = time.perf_counter()
    waiting = {key.data for key in selector.get_map().values()}
    for viewer in waiting:
        viewer.send("/")
    while waiting:
        for key, _ in selector.select():
            status, _ = key.data.receive()
            if status != 200:
                raise SystemExit(f"status {status} instead of 200")
            waiting.discard(key.data)
    return time.perf_counter() - started
