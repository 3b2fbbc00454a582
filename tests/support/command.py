"""The `edgeproxy` command as a user runs it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Command", "dev", "run"]

_TIMEOUT_S = 30


def run(
    *arguments: str, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edgeproxy", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


class Command:
    """`edgeproxy dev` on free ports, with its console as lines that can be waited for."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.endpoints_file = cwd / "endpoints.json"
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "edgeproxy", "dev", *arguments,
                "--port", "0", "--control-port", "0",
                "--endpoints-file", str(self.endpoints_file),
            ],
            cwd=cwd,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._lines.append("")
            self._changed.notify_all()

    @property
    def console(self) -> str:
        """What has been printed so far."""
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(self, text: str) -> str:
        """The console as soon as ``text`` stands in it."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: text in "\n".join(self._lines) or self.process.poll() is not None,
                _TIMEOUT_S,
            )
            console = "\n".join(self._lines)
        assert found, f"waited in vain for {text!r} in:\n{console}"
        assert text in console, f"the command ended without {text!r}:\n{console}"
        return console

    @property
    def endpoints(self) -> dict[str, Any]:
        """The endpoints file, once the command is ready."""
        self.wait_for("edgeproxy is ready")
        endpoints: dict[str, Any] = json.loads(self.endpoints_file.read_text())
        return endpoints

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(_TIMEOUT_S)
        self._reader.join(_TIMEOUT_S)
        return status

    def __enter__(self) -> "Command":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(_TIMEOUT_S)
        self._reader.join(_TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def dev(*arguments: str, cwd: Path) -> Iterator[Command]:
    """`edgeproxy dev` for the duration of a block."""
    with Command(*arguments, cwd=cwd) as command:
        yield command
