"""Debuggers in a Python worker: ``pdb`` on the user's terminal, and ``debugpy`` for an editor.

``pdb`` asks edgeproxy for the terminal when it is about to prompt and gets a descriptor over the
control channel, or hears that there is none: then it meets the worker's empty standard input, as
on AWS. The terminal stays here from step to step and goes back when the code runs on. It keeps its
line mode, so that ending the worker at any moment leaves it usable.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CHANNEL = 3
LENT = b"+"


def listen(debugpy: str, port: str) -> None:
    """Let an editor attach. ``debugpy`` is the package's folder, which is not on the path."""
    from importlib.util import module_from_spec, spec_from_file_location

    path = list(sys.path)
    spec: Any = spec_from_file_location(
        "debugpy", f"{debugpy}/__init__.py", submodule_search_locations=[debugpy]
    )
    module = sys.modules["debugpy"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.listen(("127.0.0.1", int(port)), in_process_debug_adapter=True)
    finally:
        sys.path[:] = path


def pdb_spec(send: Callable[[bytes, bytes], None], pause: Any) -> Any:
    """``pdb`` as an import finds it, with a ``Pdb`` that can have the terminal.

    ``pause`` is the runtime's; ``send`` sends a frame.
    """
    desk = Desk(send, pause)
    pause.end = desk.close
    spec = importlib.machinery.PathFinder.find_spec("pdb")
    loader: Any = spec and spec.loader
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        if hasattr(module, "Pdb"):
            module.Pdb = on_terminal(module.Pdb, desk)

    loader.exec_module = exec_module
    return spec


class Terminal:
    """The user's terminal while it is lent."""

    def __init__(self, descriptor: int) -> None:
        text: Any = {"encoding": "utf-8", "errors": "replace"}
        self.stdin = open(descriptor, **text)  # noqa: SIM115
        self.stdout = open(os.dup(descriptor), "w", buffering=1, **text)  # noqa: PTH123, SIM115

    def close(self) -> None:
        try:
            self.stdin.close()
            self.stdout.close()
        except OSError:
            return  # the user has closed the terminal


class Desk:
    """Borrows the terminal for a ``Pdb`` and gives it back."""

    def __init__(self, send: Callable[[bytes, bytes], None], pause: Any) -> None:
        self.send = send
        self.pause = pause
        self.terminal: Terminal | None = None
        self.restore: Callable[[], None] = lambda: None

    def borrow(self, pdb: Any) -> bool:
        """Put ``pdb`` on the terminal, as soon as no other function has it, if there is one."""
        import socket

        if not self.pause.allowed:
            return False
        self.send(b"P", b"")
        with socket.socket(fileno=os.dup(CHANNEL)) as channel:
            answer, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if answer != LENT:
            return False
        if self.terminal is not None:
            os.close(descriptors[0])  # the one from the step before is still open
        else:
            self.terminal = Terminal(descriptors[0])
            # The name of a replica at the edge begins with a Region.
            name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "").rpartition(".")[2]
            words = f"\n{name} waits at a breakpoint: c goes on, q fails the invocation\n"
            self.terminal.stdout.write(words)
        self.restore()
        streams = {name: getattr(pdb, name) for name in ("stdin", "stdout", "use_rawinput")}
        self.restore = lambda: vars(pdb).update(streams)
        pdb.stdin, pdb.stdout = self.terminal.stdin, self.terminal.stdout
        pdb.use_rawinput = False
        return True

    def step(self) -> None:
        """Let the code run to the next line and keep the terminal."""
        self.send(b"Q", b"1")

    def give_back(self) -> None:
        """Let the code run on."""
        if self.terminal is not None:
            self.restore()
            self.restore = lambda: None
            self.terminal.close()
            self.terminal = None
            self.send(b"Q", b"")

    def close(self) -> None:
        """The invocation is over, although ``pdb`` may have a next line in mind."""
        if self.terminal is not None:
            sys.settrace(None)
            self.give_back()


def on_terminal(pdb: Any, desk: Desk) -> Any:
    class Pdb(pdb):  # type: ignore[misc]
        use_rawinput: Any
        skip: Any

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            # Who gave streams of their own wants those.
            self.takes_terminal = bool(self.use_rawinput)
            ours = (__name__, "python_runtime", "python_json", "python_logs")
            self.skip = {*(self.skip or ()), *ours}

        def interaction(self, *situation: Any, **more: Any) -> None:
            started = time.time()
            if not (self.takes_terminal and desk.borrow(self)):
                super().interaction(*situation, **more)
                return
            try:
                super().interaction(*situation, **more)
            finally:
                desk.pause.total_ms += (time.time() - started) * 1000
                if self.quitting or self.stoplineno == -1:
                    desk.give_back()
                else:
                    desk.step()

    Pdb.__module__, Pdb.__qualname__ = pdb.__module__, pdb.__qualname__
    return Pdb
