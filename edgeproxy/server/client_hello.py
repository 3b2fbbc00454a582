"""The ClientHello of a TLS connection, word for word, for the viewer's fingerprints (CDN-CFH-16).

Python shows handshake messages to a callback only that it keeps to itself. Where it has none, no
ClientHello is known, and CloudFront's headers about it are left out.
"""

import ssl
from typing import Final

__all__ = ["GreetedObject", "client_hello", "keep_client_hello"]

_CALLBACK: Final = "_msg_callback"
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1


class GreetedObject(ssl.SSLObject):
    """A connection that may know with what the viewer opened it."""

    client_hello: bytes = b""


def keep_client_hello(context: ssl.SSLContext) -> None:
    """Connections of ``context``, which are :class:`GreetedObject`, know theirs from now on."""
    if hasattr(ssl.SSLContext, _CALLBACK):
        setattr(context, _CALLBACK, _hear)


def client_hello(connection: ssl.SSLObject) -> bytes:
    """The whole handshake message, its four bytes of type and length first; else nothing."""
    return connection.client_hello if isinstance(connection, GreetedObject) else b""


def _hear(
    connection: object, direction: str, _: object, content: int, message: int, data: bytes
) -> None:
    if (direction, content, message) != ("read", _HANDSHAKE, _CLIENT_HELLO):
        return
    # After a HelloRetryRequest there is a second one; the first is the viewer's own.
    if isinstance(connection, GreetedObject) and not connection.client_hello:
        connection.client_hello = data
