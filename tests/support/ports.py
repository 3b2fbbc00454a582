"""Ports for servers that must be told theirs, and ports where nobody listens.

They lie below those that a system gives to whoever asks for any port (Linux from 32768, others from
49152), and processes that start one after the other have a hundred each: so nobody is likely to get
one between the choice and the use.
"""

import itertools
import os
import socket

__all__ = ["free_port"]

_FIRST = 10_000 + os.getpid() % 200 * 100
_ports = itertools.cycle(range(_FIRST, _FIRST + 100))


def free_port() -> int:
    """A port of loopback where nobody listens."""
    while True:
        port = next(_ports)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
