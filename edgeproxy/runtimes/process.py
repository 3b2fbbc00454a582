"""A worker process: started, fed, listened to, ended; always as a whole process group.

It gets pipes as stdout and stderr and, if it is one of our bootstraps, one end of a socket pair as
file descriptor 3.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from edgeproxy.runtimes.framing import BrokenFrame, FrameReader, Kind
from edgeproxy.runtimes.launching import launch
from edgeproxy.runtimes.warden import Warden
from edgeproxy.runtimes.zygotes import Forked, Zygotes

__all__ = ["Worker", "WorkerOwner"]

_PIECE: Final = 65536
_DRAIN_LIMIT: Final = 64
"""Pieces of output read at one go, so that endless output cannot hold up everybody else."""
_REAP_PERIOD_S: Final = 0.002


class WorkerOwner(Protocol):
    """Who is told what a worker does."""

    def frame_received(self, kind: Kind, body: bytes) -> None: ...

    def output_received(self, stream: str, data: bytes) -> None: ...

    def worker_ended(self, status: int) -> None:
        """The process is gone; ``status`` is its exit status, or a signal's number below 0."""


class Worker:
    """One running worker process. Raises ``OSError`` when it cannot be started."""

    def __init__(
        self,
        owner: WorkerOwner,
        command: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        warden: Warden,
        *,
        framed: bool = True,
        zygotes: Zygotes | None = None,
    ) -> None:
        """``framed``: it is one of our bootstraps, which answers in frames.

        ``zygotes`` are for a bootstrap that knows them.
        """
        self._owner: WorkerOwner | None = owner
        self._warden = warden
        self._loop = asyncio.get_running_loop()
        self._frames = FrameReader()
        self._unsent = b""
        self._process: Forked | subprocess.Popen[bytes]
        if zygotes is not None and (forked := zygotes.fork(command, folder, environ)) is not None:
            self._process, self._channel = forked, forked.channel
        else:
            self._channel, theirs = socket.socketpair()
            try:
                channel = theirs.fileno()
                self._process = launch(command, folder, environ, warden, channel, framed=framed)
            except OSError:
                self._channel.close()
                raise
            finally:
                theirs.close()
        self.pid = self._process.pid
        warden.watch(self.pid)
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._outputs = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        self._written = select.poll()
        self._channel.setblocking(False)
        if framed:
            self._loop.add_reader(self._channel, self._read_channel)
        for stream, pipe in self._outputs.items():
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._written.register(pipe, select.POLLIN)
            self._loop.add_reader(pipe, self._read_output, stream)
        # Where there are process descriptors the end is seen at once, even while a child of the
        # worker holds the channel open. Elsewhere the end of the channel must do.
        self._descriptor = _process_descriptor(self.pid)
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._end)

    def send(self, frame: bytes) -> None:
        """Send a frame; what does not fit now follows later."""
        if not self._unsent:
            try:
                sent = self._channel.send(frame)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the worker is gone: its end will be told
            if sent == len(frame):
                return
            self._unsent = frame[sent:]
            self._loop.add_writer(self._channel, self._send_rest)
        else:
            self._unsent += frame

    def pause(self) -> None:
        """Read no more frames; the worker then waits to send them."""
        self._loop.remove_reader(self._channel)

    def resume(self) -> None:
        """Read on."""
        if not self.ended.done():
            self._loop.add_reader(self._channel, self._read_channel)

    def lend(self, descriptor: int | None) -> None:
        """Answer a worker that asked for a terminal: with one, or that there is none."""
        with contextlib.suppress(OSError):  # if the worker is gone, its end will be told
            if descriptor is None:
                self._channel.send(b"-")
            else:
                socket.send_fds(self._channel, [b"+"], [descriptor])

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""
        if not self._unsent:
            self._loop.remove_writer(self._channel)

    def _read_channel(self) -> None:
        try:
            data = self._channel.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        try:
            frames = self._frames.feed(data)
        except BrokenFrame:
            self._end()
            return
        for kind, body in frames:
            if self._owner is not None:
                self._owner.frame_received(kind, body)

    def _read_output(self, stream: str) -> bool:
        pipe = self._outputs[stream]
        if pipe is None:
            return False
        try:
            data = os.read(pipe.fileno(), _PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(pipe)
            pipe.close()
            self._outputs[stream] = None
        elif self._owner is not None:
            self._owner.output_received(stream, data)
        return bool(data)

    def drain(self) -> None:
        """Hand on the output that the worker has written by now."""
        if not self._written.poll(0):
            return  # as after most invocations, and quicker to know than by two reads
        for stream in self._outputs:
            for _ in range(_DRAIN_LIMIT):
                if not self._read_output(stream):
                    break

    def poll(self) -> None:
        """Look whether the process has ended, for systems that do not tell."""
        if self._descriptor is None and self._process.poll() is not None:
            self._end()

    def leave(self, owner: WorkerOwner, within_s: float, *, ask: bool) -> None:
        """Kill the group unless its leader ends ``within_s``; from now on ``owner`` is told.

        ``ask`` it to, with SIGTERM.
        """
        self._owner = owner
        if ask:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        self._loop.call_later(within_s, self._end)

    def abandon(self) -> None:
        """Kill the group and tell nobody about it."""
        self._owner = None
        self._end()

    def _end(self) -> None:
        """Kill what is left of the group, then reap its leader and tell."""
        if self.ended.done():
            return
        # Harmless to an exit status: it is fixed before the channel closes.
        with contextlib.suppress(PermissionError):
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # Just forked, it has no group of its own yet; or is gone.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
        self._loop.remove_reader(self._channel)
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
        self._reap()

    def _reap(self) -> None:
        if self.ended.done():
            return  # told to another who asked: the end may be seen twice before it is
        status = self._process.poll()
        if status is None:
            self._loop.call_later(_REAP_PERIOD_S, self._reap)
            return
        self.ended.set_result(None)
        self._warden.forget(self.pid)
        self._read_last_frames()
        self.drain()
        self._close()
        if self._owner is not None:
            self._owner.worker_ended(status)

    def _read_last_frames(self) -> None:
        """A worker may answer and exit in one breath."""
        with contextlib.suppress(OSError, BrokenFrame):
            while data := self._channel.recv(_PIECE):
                for kind, body in self._frames.feed(data):
                    if self._owner is not None:
                        self._owner.frame_received(kind, body)

    def _close(self) -> None:
        self._loop.remove_writer(self._channel)
        self._channel.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
        for stream, pipe in self._outputs.items():
            if pipe is not None:
                self._loop.remove_reader(pipe)
                pipe.close()
                self._outputs[stream] = None


def _process_descriptor(pid: int) -> int | None:
    """A descriptor that can be read when the process has ended, where there are such."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        descriptor: int = os.pidfd_open(pid)
    except OSError:  # An old kernel, a sandbox that forbids it, too many open files.
        return None
    return descriptor
