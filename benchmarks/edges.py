"""Running edges, and the viewers that ask them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["COMMAND", "MEGABYTE", "Edge", "Viewer", "edge"]

COMMAND = (sys.executable, "-m", "edgeproxy")

MEGABYTE = 1024 * 1024
_STAT = "/proc/{}/stat"


class Edge:
    """A running `edgeproxy dev`."""

    def __init__(
        self,
        folder: Path,
        target: str,
        *options: str,
        command: Sequence[str] = COMMAND,
        quiet: bool = True,
    ) -> None:
        self._endpoints = folder / f"endpoints-{time.monotonic_ns()}.json"
        self.log = folder / f"{self._endpoints.stem}.log"
        started = time.perf_counter()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *command, "dev", target,
                    "--port", "0", "--control-port", "0", *(["--quiet"] if quiet else []),
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
        endpoints: dict[str, Any] = json.loads(self._endpoints.read_text())
        self.endpoints = endpoints
        self.control: str = endpoints["control"]
        self.port = _port(endpoints["viewer"]) if endpoints["viewer"] else 0
        self.control_port = _port(self.control)

    def memory_mb(self) -> float:
        """Resident memory of the proxy's own process."""
        shown = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True
        )
        return int(shown.stdout) / 1024

    def cpu_s(self) -> float:
        """CPU time of the proxy's own process so far, workers not counted; 0 where unknown."""
        stat = Path(_STAT.format(self.process.pid))
        if not stat.exists():
            return 0.0
        # The command's name stands in parentheses and may hold spaces.
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> float:
        """Seconds from SIGTERM to the end of the process."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - started


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextmanager
def edge(
    folder: Path,
    target: str,
    *options: str,
    command: Sequence[str] = COMMAND,
    quiet: bool = True,
) -> Iterator[Edge]:
    """An edge for the duration of a block."""
    running = Edge(folder, target, *options, command=command, quiet=quiet)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


class Viewer:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, path: str, headers: str = "Host: bench\r\n") -> None:
        """Ask, without waiting for the answer."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode())

    def receive(self) -> tuple[int, bytes]:
        """Status and body of the answer."""
        head, body, length = self._head()
        while len(body) < length:
            body += self._piece()
        return int(head[9:12]), body

    def get(self, path: str, headers: str = "Host: bench\r\n") -> tuple[int, bytes]:
        """Status and body."""
        self.send(path, headers)
        return self.receive()

    def skim(self, path: str) -> int:
        """The size of a body that is read and thrown away."""
        self.send(path)
        _, body, length = self._head()
        got = len(body)
        while got < length:
            got += len(self._piece())
        return got

    def _head(self) -> tuple[bytes, bytes, int]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._piece()
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length is None:
            raise SystemExit(f"an answer without a length: {head!r}")
        return head, body, int(length[1])

    def _piece(self) -> bytes:
        piece = self.socket.recv(MEGABYTE)
        if not piece:
            raise SystemExit("the edge closed the connection")
        return piece
