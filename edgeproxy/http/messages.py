"""Requests and responses: frozen values. A step that changes one returns a new one."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal, Protocol, TypeAlias

from edgeproxy.http.body import EMPTY_BODY, Body
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.http.location import NOWHERE, Location

__all__ = [
    "Asked",
    "Coming",
    "Delivered",
    "Handler",
    "MutualTls",
    "Played",
    "Reached",
    "Repeat",
    "Repeated",
    "Request",
    "Rerun",
    "Response",
    "Tunnel",
    "Viewer",
    "reason_phrase",
]


@dataclass(frozen=True, slots=True)
class MutualTls:
    """What mutual TLS made of a connection: whose demands it has met, and the certificate."""

    distribution: str
    """The logical ID of the distribution that let the viewer in."""
    headers: tuple[tuple[str, str], ...]
    """The CloudFront-Viewer-Cert-* headers, made once (CDN-CFH-21, CDN-CFH-22)."""
    connection_id: str = ""
    """What connection functions and access logs call the TLS connection."""


@dataclass(frozen=True, slots=True)
class Played:
    """A viewer that a person plays, and the side of an experiment that it has been put on."""

    name: str
    experiment: str = ""
    variant: str = ""
    version: tuple[str, str] | None = None
    """A function and the version of it that answers, whatever an alias with weights would draw."""

    def version_of(self, function: str) -> str:
        """The version of that function; empty where it makes no difference to it."""
        return self.version[1] if self.version and self.version[0] == function else ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is on the other end of the viewer's connection, as the edge is told to see it."""

    ip: str
    port: int = 0
    scheme: Literal["http", "https"] = "http"
    country: str = ""
    """ISO 3166-1 alpha-2 in capitals; empty when unknown (CDN-CFH-35)."""
    tls_protocol: str = ""
    """``TLSv1.3`` and the like; empty over HTTP."""
    tls_cipher: str = ""
    mutual_tls: MutualTls | None = None
    location: Location = NOWHERE
    tls_handshake: Literal["fullHandshake", "sessionResumed", "connectionReused"] = "fullHandshake"
    """How this request came by its TLS connection (CDN-CFH-15)."""
    client_hello: bytes = b""
    """The handshake message with which TLS began; kept only where somebody asks for it."""
    played: Played | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``path`` and ``query`` are the raw text of the request line.

    ``query`` is None when the target has no question mark and ``""`` for a bare one. ``version`` is
    the viewer's: ``1.0``, ``1.1``, ``2.0``. An upgrade handshake has ``upgrade`` set to the
    lower-case protocol name; only then may a handler answer with a tunnel.
    """

    method: str
    path: str
    query: str | None = None
    version: str = "1.1"
    headers: Headers = EMPTY_HEADERS
    body: Body = EMPTY_BODY
    viewer: Viewer = Viewer("127.0.0.1")
    upgrade: str = ""
    has_left: Callable[[], bool] = field(default=lambda: False, compare=False, repr=False)
    """Whether the viewer is gone, so that nobody waits for the answer any more."""

    @property
    def host(self) -> str:
        """The Host header as sent, port included; empty when there is none."""
        return self.headers.get("Host")

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def with_headers(self, headers: Headers) -> "Request":
        """It with ``headers`` in place of its own, in half the time that ``replace`` takes."""
        return Request(
            self.method,
            self.path,
            self.query,
            self.version,
            headers,
            self.body,
            self.viewer,
            self.upgrade,
            self.has_left,
        )


class Tunnel(Protocol):
    """The far end of a connection that has left HTTP (a WebSocket after its 101)."""

    async def send(self, data: bytes) -> None:
        """Pass bytes on; waits while the far end is slow."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Bytes from the far end until it closes."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """How the delivery of a response to the viewer ended."""

    bytes_sent: int
    """Head and body, as written to the connection."""
    aborted: bool = False
    """The viewer left, or the body broke off, before the last byte."""
    broken: bool = False
    """Of an aborted one: the body broke off at its source, while the viewer was there."""
    received: int = 0
    """Bytes that the viewer sent after its head: of a body, read or not, or through a tunnel."""


class Asked(Protocol):
    """A request that is read when somebody wants it."""

    @property
    def head(self) -> bytes:
        """Request line and header lines as received."""
        ...

    @property
    def target(self) -> bytes:
        """Path and query as received; over HTTP/1.1 they are visible ASCII here."""
        ...

    @property
    def viewer(self) -> Viewer:
        """The other end of the connection; who the viewer is, the request tells."""
        ...

    def request(self) -> "Request": ...


class Repeated(Protocol):
    """One more answer: bytes that are ready to be written."""

    @property
    def head(self) -> bytes: ...

    @property
    def body(self) -> bytes | memoryview: ...

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        """To be called once: all of it is out, or the viewer left before its end."""
        ...


class Repeat(Protocol):
    """How requests are answered without their handler that are like one which it has answered.

    They have its method and those of its header lines that matter; their targets are their own.
    For requests over HTTP/1.1 on connections that stay open, without a body.
    """

    @property
    def depends_on(self) -> frozenset[bytes]:
        """Lower-case names of the header lines that matter."""
        ...

    def answer(self, asked: Asked) -> Repeated | None:
        """The answer to ``asked``; None: ask the handler."""
        ...

    def joined(self, earlier: "Repeat") -> "Repeat":
        """What answers all that this one and ``earlier`` do, which was learned of such requests."""
        ...


class Coming(Protocol):
    """One more answer, for which somebody is at work."""

    def then(self, arrived: Callable[[Repeated | None], None]) -> None:
        """Have ``arrived`` called once with the answer, during this call or later.

        With None there is none that could be written as it is: either :meth:`ordinary` or
        :meth:`abandon` is to be called then.
        """
        ...

    async def ordinary(self, request: Request) -> "Response":
        """The answer by the whole story, of which the beginning has been told already.

        ``request`` is the one that was asked, as the parser has read it.
        """
        ...

    def abandon(self) -> None:
        """The viewer has left before the story could go on."""
        ...


class Rerun(ABC):
    """How a request with the very same head is answered when somebody has to be asked each time."""

    __slots__ = ()

    @abstractmethod
    def begin(self, asked: Asked) -> Coming | None:
        """Ask for the answer to ``asked``; None: ask the handler."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """How long it took to have an answer's first byte from an origin, in seconds."""

    first_byte_s: float
    """Since the request was sent."""
    look_up_s: float = 0.0
    connect_s: float | None = None
    """None when a connection was reused, or none is needed."""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. ``reason`` may be empty: the standard phrase is sent then.

    Framing is the sender's business: a ``Content-Length`` header is advice for HEAD and 304 only,
    ``Transfer-Encoding`` and ``Connection`` are never passed on as they stand. Whoever delivers
    the response calls ``on_delivered`` once, when the last byte is out or the viewer is gone.
    ``why`` gives the reason for an error to the record, ``reached`` how long the origin took; they
    are never sent.
    """

    status: int
    headers: Headers = EMPTY_HEADERS
    body: Body = EMPTY_BODY
    reason: str = ""
    tunnel: Tunnel | None = None
    on_delivered: Callable[[Delivered], None] | None = None
    why: str = ""
    reached: Reached | None = field(default=None, compare=False, repr=False)
    repeat: Repeat | Rerun | None = field(default=None, compare=False, repr=False)
    """For the listener that the request came in by."""
    trailers: Callable[[], Headers] | None = field(default=None, compare=False, repr=False)
    """What follows the body, to be asked for at its end; for viewers of gRPC alone."""

    def with_headers(self, headers: Headers) -> "Response":
        """It with ``headers`` in place of its own, in half the time that ``replace`` takes.

        What a repetition would send is another answer than this one: ``repeat`` is not kept.
        """
        return Response(
            self.status,
            headers,
            self.body,
            self.reason,
            self.tunnel,
            self.on_delivered,
            self.why,
            self.reached,
            trailers=self.trailers,
        )


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""The one signature at both ends: listeners call one, origins, function URLs and ALBs are one."""


_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


def reason_phrase(status: int) -> str:
    """The standard phrase of ``status``, or an empty string for a code without one."""
    return _PHRASES.get(status, "")
