"""An origin over bare sockets that does what a test's script says with each connection."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Connection", "Script", "ScriptedOrigin", "running_scripted_origin"]


@dataclass
class Connection:
    """One connection, from the origin's side."""

    socket: socket.socket

    def head(self) -> bytes:
        """The next request's head; empty when the edge has closed the connection."""
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                return b""
            received += byte
        return received

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """Close with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_until_closed(self) -> None:
        while self.socket.recv(65_536):
            pass


Script: TypeAlias = Callable[[Connection], None]


@dataclass
class ScriptedOrigin:
    """Runs ``script`` after each request's head; the connection stays open until it is closed."""

    script: Script
    url: str = ""
    connections: int = 0
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    """The number of the connection, and the head."""

    def serve(self, accepted: socket.socket) -> None:
        self.connections += 1
        number, connection = self.connections, Connection(accepted)
        with suppress(OSError), accepted:
            while head := connection.head():
                self.requests.append((number, head))
                self.script(connection)


@contextmanager
def running_scripted_origin(script: Script) -> Iterator[ScriptedOrigin]:
    """A :class:`ScriptedOrigin` on a free port of 127.0.0.1."""
    origin = ScriptedOrigin(script)
    open_sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        origin.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted = listening.accept()[0]
                    open_sockets.append(accepted)
                    threading.Thread(target=origin.serve, args=(accepted,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield origin
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for each in open_sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            thread.join()
