"""A request to the Runtime or the Extensions API, as those who answer it see it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import orjson

__all__ = ["JSON", "Call", "Caller", "Headers", "error_body"]

Headers: TypeAlias = Iterable[tuple[str, str]]

JSON: Final = (("Content-Type", "application/json"),)


def error_body(message: str, kind: str) -> bytes:
    """The body of an error that these APIs answer."""
    return orjson.dumps({"errorMessage": message, "errorType": kind}) + b"\n"


class Caller(Protocol):
    """The connection that a request has come by."""

    def answer(self, call: "Call", status: int, body: bytes, headers: Headers) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Call:
    """One request. ``headers`` have names in lower case.

    Whoever takes it sets what is to be told: ``on_data`` each piece of the body, ``on_end`` the
    trailers, ``on_cut`` that the caller is gone before either the body or the answer was complete.
    It is answered when its body has ended, or later.
    """

    __slots__ = ("_connection", "headers", "method", "on_cut", "on_data", "on_end", "path")

    def __init__(
        self, connection: "Caller", method: str, path: str, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self.method = method
        self.path = path
        self.headers = headers
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.on_end: Callable[[Mapping[str, str]], None] = lambda trailers: None
        self.on_cut: Callable[[], None] = lambda: None

    def collect(self, then: Callable[[bytes | None], None], limit: int) -> None:
        """Call ``then`` with the whole body; with None when it is larger than ``limit``."""
        body = bytearray()
        size = 0

        def add(data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size <= limit:
                body.extend(data)

        self.on_data = add
        self.on_end = lambda trailers: then(bytes(body) if size <= limit else None)

    def answer(self, status: int, body: bytes, headers: Headers = JSON) -> None:
        """Send the answer; nothing happens when the caller is gone."""
        self._connection.answer(self, status, body, headers)

    def pause(self) -> None:
        """Read no more of the body until :meth:`resume`."""
        self._connection.pause()

    def resume(self) -> None:
        """Read on."""
        self._connection.resume()
