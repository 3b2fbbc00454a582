"""Measures what the README and the changelog claim: start, memory, stop, reload, hooks, a big body.

Every figure comes from real `edgeproxy dev` processes on loopback. Times on a shared machine are
noisy: they are medians, and what a hook costs is the difference between two edges asked in turn.
`--quick` makes few repetitions: it shows that the benchmark runs, not how fast anything is.
"""

import argparse
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASS = "def handler(event, context):\n    return event['Records'][0]['cf']['request']\n"
PASS_JS = "exports.handler = async (event) => event.Records[0].cf.request;\n"
HEADERS = "".join(f"x-header-{n}: {'v' * 60}\r\n" for n in range(20))
MEGABYTE = 1024 * 1024


class Edge:
    """A running `edgeproxy dev`."""

    def __init__(self, folder: Path, target: str, *options: str) -> None:
        self._endpoints = folder / f"endpoints-{time.monotonic_ns()}.json"
        self.log = folder / f"{self._endpoints.stem}.log"
        started = time.perf_counter()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "edgeproxy", "dev", target,
                    "--port", "0", "--control-port", "0", "--quiet",
                    "--endpoints-file", str(self._endpoints),
                    "--state-dir", str(folder / "state"), *options,
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        while not self._endpoints.exists():
            if self.process.poll() is not None:
                raise SystemExit(f"the edge did not start:\n{self.log.read_text()}")
            time.sleep(0.001)
        self.ready_s = time.perf_counter() - started
        self.port = int(json.loads(self._endpoints.read_text())["viewer"].rpartition(":")[2])

    def memory_mb(self) -> float:
        """Resident memory of the proxy's own process."""
        shown = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True
        )
        return int(shown.stdout) / 1024

    def stop(self) -> float:
        """Seconds from SIGTERM to the end of the process."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - started


@contextmanager
def edge(folder: Path, target: str, *options: str) -> Iterator[Edge]:
    """An edge for the duration of a block."""
    running = Edge(folder, target, *options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


class Viewer:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str, headers: str = "") -> tuple[int, bytes]:
        """Status and body."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def skim(self, path: str) -> int:
        """The size of a body that is read and thrown away."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        got = len(body)
        while got < length:
            got += len(self._receive())
        return got

    def _receive(self) -> bytes:
        piece = self._socket.recv(MEGABYTE)
        if not piece:
            raise SystemExit("the edge closed the connection")
        return piece


def median_ms(call: object, times: int) -> float:
    """The median duration of a call in milliseconds."""
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        call()  # type: ignore[operator]
        durations.append(time.perf_counter() - started)
    return statistics.median(durations) * 1000


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


def measure_hooks(folder: Path, times: int) -> None:
    site = folder / "site"
    (folder / "hook.py").write_text(PASS)
    (folder / "hook.js").write_text(PASS_JS)
    (folder / "cff.js").write_text("function handler(event) { return event.request; }\n")
    hooks = {
        "Python": ("--viewer-request", "hook.py", 0.5),
        "Node.js": ("--viewer-request", "hook.js", 1.0),
        "CloudFront Function": ("--viewer-request-cff", "cff.js", None),
    }
    with edge(folder, str(site), "--cache-policy", "CachingOptimized") as plain:
        without = Viewer(plain.port)
        for name, (option, file, limit) in hooks.items():
            with edge(
                folder, str(site), "--cache-policy", "CachingOptimized", option, str(folder / file)
            ) as hooked:
                with_hook = Viewer(hooked.port)
                for viewer in (without, with_hook):
                    for _ in range(20):
                        assert viewer.get("/index.html", HEADERS)[0] == 200
                added = []
                for _ in range(times):
                    base = median_ms(lambda: without.get("/index.html", HEADERS), 100)
                    hook = median_ms(lambda v=with_hook: v.get("/index.html", HEADERS), 100)
                    added.append(hook - base)
                bound = "" if limit is None else f"  (limit {limit})"
                label = f"a {name} hook adds to a hit"
                print(f"{label:<36} {statistics.median(added):.3f} ms{bound}")


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
        measure_hooks(folder, 2 if quick else 15)
        measure_big_body(folder, (128 if quick else 1024) * MEGABYTE)


if __name__ == "__main__":
    main()
