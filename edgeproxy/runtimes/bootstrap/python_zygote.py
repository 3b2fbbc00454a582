"""A Python that has started, and forks: each child begins where a fresh one would load its code.

Runs where ``python.py`` runs, with the proxy's socket as file descriptor 3, and imports nothing of
edgeproxy. A request to fork is a message with three descriptors (the worker's channel, its stdout
and stderr), of the folder and the variables with null bytes between them. A message without any is
the number of a worker that has ended: a worker is reaped only then, so that nobody else gets its
number before. The answers are ``ready``, ``forked PID``, ``failed ERRNO``, ``ended PID STATUS`` and
``running PID``.
"""

from __future__ import annotations

import _socket
import errno
import os
import sys

from python_json import make_loads  # type: ignore[import-not-found]
from python_kept import be_another_process, keep  # type: ignore[import-not-found]

__all__ = ["serve"]

PROXY = 3
MARK = "_EDGEPROXY_WORKER"
LONGEST_REQUEST = 65536
LARGEST_PID = 10**10


class ShownVariables:
    """What ``/proc/PID/environ`` shows: the memory of the variables that a program began with.

    The warden knows workers by what stands there, and a function may look. So it is made to show
    what the worker has, where the zygote's own variables have left room for that.
    """

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib takes memory
            fields = file.read().rpartition(b")")[2].split()
        self.start, end = int(fields[47]), int(fields[48])
        self.room = end - self.start
        self.write(bytes(self.room))

    def write(self, text: bytes) -> None:
        memory = os.open("/proc/self/mem", os.O_WRONLY)
        os.pwrite(memory, text, self.start)
        os.close(memory)


def serve() -> None:
    """Fork as long as there is the proxy. Returns in each worker."""
    proxy = _socket.socket(fileno=PROXY)
    os.set_inheritable(PROXY, False)
    # Its folder, without the number of this process.
    mark = os.environb.pop(MARK.encode())[:-1].rpartition(b"/")[0] + b"/"
    own = dict(os.environb)
    os.environb.clear()
    os.environb.update(own)  # The C library has them elsewhere now than where they are shown.
    shown = ShownVariables()
    shown.write(b"%s=%s%d/\0" % (MARK.encode(), mark, os.getpid()))
    make_loads()  # What it imports is there for everybody.
    keep()
    proxy.send(b"ready")
    while True:
        request, ancillary, _, _ = proxy.recvmsg(LONGEST_REQUEST, _socket.CMSG_SPACE(3 * 4))
        if not request:
            os._exit(0)
        if not ancillary:
            reap(proxy, int(request))
            continue
        given = memoryview(ancillary[0][2]).cast("i").tolist()
        folder, _, variables = request.partition(b"\0")
        marked = b"%s\0%s=%s%d/\0" % (variables, MARK.encode(), mark, LARGEST_PID)
        try:
            if len(marked) > shown.room:
                raise OSError(errno.E2BIG, "too many variables")
            os.chdir(folder)
            worker = os.fork()
        except OSError as error:
            proxy.send(b"failed %d" % (error.errno or errno.EIO))
        else:
            if worker == 0:
                break
            # Not by the worker, which may have to wait for its turn on a busy machine.
            proxy.send(b"forked %d" % worker)
        for descriptor in given:
            os.close(descriptor)
    os.setsid()
    pid = os.getpid()
    marked = b"%s\0%s=%s%d/\0" % (variables, MARK.encode(), mark, pid)
    shown.write(marked)
    locale = os.environb.get(b"LC_CTYPE")  # Where it was C, Python itself has set another.
    os.environb.clear()
    for line in filter(None, marked.split(b"\0")):
        name, _, value = line.partition(b"=")
        os.environb[name] = value
    if locale is not None:
        os.environb[b"LC_CTYPE"] = locale
    if path := os.environ.get("PYTHONPATH"):
        sys.path[1:1] = map(os.path.abspath, path.split(os.pathsep))
    proxy.detach()
    channel, stdout, stderr = given
    for descriptor, number in ((channel, 3), (stdout, 1), (stderr, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    be_another_process()
    for module in (__name__, "python_kept", "_socket", "errno"):
        del sys.modules[module]  # as if it had never been imported


def reap(proxy: _socket.socket, worker: int) -> None:
    try:
        pid, status = os.waitpid(worker, os.WNOHANG)
    except ChildProcessError:
        return  # asked twice
    proxy.send(b"ended %d %d" % (pid, status) if pid else b"running %d" % worker)
