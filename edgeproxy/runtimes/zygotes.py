"""Zygotes: interpreters that have started and fork workers, in a tenth of the time of a start.

A zygote is started beside the first worker of its kind, and serves those that come once it is
ready. Of one kind are workers with the same command, and with the same variables among those that
an interpreter reads as it starts. How a worker was started makes no difference to it, but that
workers of one zygote hash texts with the same secret.

What a zygote cannot do is left to the ordinary start: on systems other than Linux, for a worker
with very many variables, for kinds beyond the first eight, and when a zygote has died: until the
next one is ready, or for good if it never was.
"""

import asyncio
import contextlib
import logging
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, TypeAlias

from edgeproxy.runtimes.launching import launch
from edgeproxy.runtimes.warden import Warden

__all__ = ["Forked", "Zygotes"]

_log = logging.getLogger("edgeproxy")

_READ_AT_START: Final = re.compile(
    r"PYTHON(?!PATH\Z)|LD_|LC_|LANG|LOCPATH|TZ(DIR)?\Z|MALLOC_|GLIBC_|GCONV_|OPENSSL_"
)
"""Names of variables that an interpreter and the libraries under it read once and for all.

But for where modules are: a zygote imports nothing of the functions'.
"""

_ROOM: Final = "_EDGEPROXY_ZYGOTE"
_ROOM_BYTES: Final = 16 * 1024
"""For the variables of workers: AWS lets a function have 4 KB of its own (LR-169)."""

_MOST: Final = 8
"""Kinds of workers that have a zygote, each of which takes some 10 MB."""
_PATIENCE_MS: Final = 1000
"""How long it may be silent: a fork takes one or two, but the machine may be busy."""

_LONGEST_ANSWER: Final = 64

_Kind: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


class Zygotes:
    """The zygotes of one warden's workers. Has to be closed, after the workers."""

    def __init__(self, warden: Warden) -> None:
        self._warden = warden
        self._by_kind: dict[_Kind, _Zygote] = {}

    def fork(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str]
    ) -> "Forked | None":
        """A worker with ``command``; None when it has to be started in the ordinary way."""
        if sys.platform != "linux":
            return None
        at_start = {name: value for name, value in environ.items() if _READ_AT_START.match(name)}
        kind = (tuple(command), tuple(sorted(at_start.items())))
        zygote = self._by_kind.get(kind)
        if zygote is not None and zygote.is_ready:
            return zygote.fork(folder, environ)
        if (zygote is None and len(self._by_kind) < _MOST) or (zygote and zygote.was_ready):
            with contextlib.suppress(OSError):  # of which the ordinary start will tell
                self._by_kind[kind] = _Zygote(command, at_start, self._warden)
        return None

    def close(self) -> None:
        """End them."""
        for zygote in self._by_kind.values():
            zygote.close()


class _Zygote:
    """One of them; it is listened to when something is wanted of it."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], warden: Warden) -> None:
        self._name = Path(command[0]).name
        self._warden = warden
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._said_ready = False
        self._has_ended = False
        self._forked: list[int] = []
        self._statuses: dict[int, int] = {}
        self._silent_since: float | None = None
        # Its workers cannot seek in their output, so nor can it, as it could in /dev/null. What it
        # writes goes nowhere, and nothing comes of it.
        nowhere = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._process = launch(
                command,
                warden.folder.parent,
                {**environ, _ROOM: "x" * _ROOM_BYTES},
                warden,
                theirs.fileno(),
                nowhere.fileno(),
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
            nowhere.close()
        warden.watch(self._process.pid)

    @property
    def is_ready(self) -> bool:
        self._listen()
        return self._said_ready and not self._has_ended

    @property
    def was_ready(self) -> bool:
        """Whether it has ended, and another would be of use for a time as well."""
        return self._said_ready and self._has_ended

    def fork(self, folder: Path, environ: Mapping[str, str]) -> "Forked | None":
        lines = [str(folder), *(f"{name}={value}" for name, value in environ.items())]
        if any("\0" in line for line in lines):
            return None  # which the ordinary start explains
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            try:
                channel, its_channel = socket.socketpair()
                ours.enter_context(channel), theirs.enter_context(its_channel)
                given = [its_channel.fileno()]
                outputs = []
                for _ in ("stdout", "stderr"):
                    reader, writer = os.pipe()
                    outputs.append(ours.enter_context(FileIO(reader)))
                    given.append(theirs.enter_context(FileIO(writer, "w")).fileno())
                socket.send_fds(self._socket, [b"\0".join(map(os.fsencode, lines))], given)
                pid = self._wait_for_fork()
            except OSError:
                return None  # It has ended, the request is too long, or too many files are open.
            if not pid:
                return None
            ours.pop_all()
            stdout, stderr = outputs
            return Forked(pid, channel, stdout, stderr, self)

    def _wait_for_fork(self) -> int:
        """The new worker's number, 0 if there is none. As short as the start of a process."""
        self._forked.clear()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not (self._forked or self._has_ended):
            if not poll.poll(_PATIENCE_MS):
                # What it forks from now on cannot say so, and ends.
                self._socket.shutdown(socket.SHUT_RDWR)
            self._listen()
        pid = self._forked.pop() if self._forked else 0
        self._statuses.pop(pid, None)  # of another with the same number
        return pid

    def status(self, worker: int) -> int | None:
        """The exit status of a worker, or a signal's number below 0; None until it is told.

        Has to be asked again and again. The status of a worker that has survived its zygote is
        not to be had; whoever asks has killed it.
        """
        self._listen()
        if worker in self._statuses:
            return self._statuses.pop(worker)
        if self._has_ended:
            return -signal.SIGKILL
        with contextlib.suppress(OSError):  # a full socket: there is a next time
            self._socket.send(b"%d" % worker)
        now = asyncio.get_running_loop().time()
        if self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since > _PATIENCE_MS / 1000:
            self._end()  # Stopped or stuck, it must not hold up those who wait for the worker.
        return None

    def _listen(self) -> None:
        while not self._has_ended:
            try:
                said = self._socket.recv(_LONGEST_ANSWER).split()
            except BlockingIOError:
                return
            except OSError:
                said = []
            self._silent_since = None
            match said:
                case [b"ready"]:
                    self._said_ready = True
                case [b"forked", pid]:
                    self._forked.append(int(pid))
                case [b"failed", _]:
                    self._forked.append(0)
                case [b"ended", pid, status]:
                    self._statuses[int(pid)] = os.waitstatus_to_exitcode(int(status))
                case [b"running", _]:
                    pass
                case _:
                    self._end()

    def _end(self) -> None:
        until = "until there is another" if self._said_ready else "as long as edgeproxy runs"
        _log.warning(
            "%s starts functions more slowly %s: the process that forks them has ended",
            self._name,
            until,
        )
        self.close()

    def close(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._socket.close()
            self._process.kill()
            self._process.wait()
            self._warden.forget(self._process.pid)


@dataclass(slots=True)
class Forked:
    """A worker that a zygote has forked, with what :class:`subprocess.Popen` tells of its own."""

    pid: int
    channel: socket.socket
    stdout: FileIO
    stderr: FileIO
    _zygote: _Zygote
    _status: int | None = None

    def poll(self) -> int | None:
        """As of ``Popen``, but that the status is told a moment after it has been asked for."""
        if self._status is None:
            self._status = self._zygote.status(self.pid)
        return self._status
