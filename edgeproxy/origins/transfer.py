"""One request on one connection: the head, the upload, the answer, and who closes the connection.

Upload and answer run at the same time, since an origin may answer before it has read everything.
The body of an answer owns the connection until its end.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from edgeproxy.clock import Clock
from edgeproxy.http.body import EMPTY_BODY, Body, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Reached, Request, Response
from edgeproxy.origins.connections import OriginConnection
from edgeproxy.origins.destinations import Address
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.plain import PlainAnswer
from edgeproxy.origins.tunnel import OriginTunnel
from edgeproxy.tasks import Tasks

__all__ = ["Transfer", "format_head"]

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_FRAMING: Final = (
    "Connection",
    "Content-Length",
    "Expect",
    "Keep-Alive",
    "Proxy-Connection",
    "Transfer-Encoding",
    "Upgrade",
)
_ONE_WRITE_BYTES: Final = 2**15
"""Up to this size a body leaves with its head. A new or idle connection takes that without a
pause, however slow the origin is."""

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FORBIDDEN_IN_LINE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:[0-9]+|\*)")


class _OriginClosed(Exception):
    """The origin takes no more of the request; why is in the transfer."""


class Transfer:
    """``deadline`` is the loop's time at which the whole answer must be there, or None."""

    def __init__(
        self,
        connection: OriginConnection,
        request: Request,
        tasks: Tasks,
        *,
        read_timeout_s: float,
        deadline: float | None,
    ) -> None:
        self._connection = connection
        self._request = request
        self._tasks = tasks
        self._read_timeout_s = read_timeout_s
        self._deadline = deadline
        self._began = 0.0
        self._plain: PlainAnswer | None = None
        self._upload: asyncio.Task[None] | None = None
        self._upload_failure: OriginFailure | ConnectionError | None = None

    def begin(self, head: bytes) -> None:
        """Send the request."""
        body = self._request.body
        self._began = Clock.monotonic()
        protocol = self._connection.protocol
        is_whole = body.length == 0
        if isinstance(body, BytesBody) and 0 < len(body.data) <= _ONE_WRITE_BYTES:
            head, is_whole = head + body.data, True
        protocol.begin(
            head,
            has_body=self._request.method != "HEAD",
            silence_s=self._read_timeout_s,
        )
        if is_whole:
            protocol.expect_bytes()
        else:
            self._upload = self._tasks.start(self._send(body), "request body to an origin")

    def plain_then(self, arrived: Callable[[PlainAnswer | None], None]) -> None:
        """Have ``arrived`` called at once with what :meth:`plain` would give."""

        def taken(plain: PlainAnswer | None) -> None:
            self._plain = plain
            arrived(plain)

        self._connection.protocol.plain_then(taken)

    async def plain(self) -> PlainAnswer | None:
        """The answer to a request without a body, if it is whole and plain.

        Whoever takes it calls :meth:`finish`, and otherwise :meth:`answer`.
        """
        try:
            self._plain = await self._connection.protocol.plain()
        except BaseException:
            self.close()
            raise
        return self._plain

    async def answer(self) -> Response:
        """The answer, as soon as its head is there; failures as of the client's ``fetch``.

        A ``ConnectionError`` of the request body is the viewer's doing, and raised as it is.
        """
        connection = self._connection
        try:
            try:
                answer = self._plain or await connection.read_head()
            except OriginFailure as failure:
                if self._upload_failure is None:
                    raise
                raise self._upload_failure from failure
            reached = self._reached()
            if isinstance(answer, PlainAnswer):
                response = self._plain_response(answer, reached)
            else:
                response = self._response(*answer, reached)
        except BaseException:
            self.close()
            raise
        return response

    def _reached(self) -> Reached:
        connection = self._connection
        first_byte_s = Clock.monotonic() - self._began
        if connection.is_reused:
            return Reached(first_byte_s)
        return Reached(first_byte_s, connection.look_up_s, connection.connect_s)

    async def _send(self, body: Body) -> None:
        """The request body, at the origin's pace. A failure is left for the reader to find."""
        sent = 0
        is_settled = False
        try:
            async for chunk in body:
                sent += len(chunk)
                if body.length is not None and sent > body.length:
                    break
                is_chunked = body.length is None
                await self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk)
            if body.length is None or sent == body.length:
                if body.length is None:
                    await self._write(b"0\r\n\r\n")
                self._connection.protocol.expect_bytes()
                is_settled = True
        except _OriginClosed:
            is_settled = True
        except ConnectionError as error:
            self._upload_failure = error
        except (OSError, EOFError, aiohttp.ClientError, HttpProcessingError):
            pass  # Said below.
        finally:
            if not is_settled:
                self._upload_failure = self._upload_failure or self._connection.failure(
                    OriginFailureKind.WRITE,
                    f"got only part of the request: the upload broke off after {sent:,} bytes",
                )
                self._connection.abort()

    async def _write(self, data: bytes) -> None:
        """Bytes of the request.

        An origin that reads nothing for the response timeout is as dead as one that says nothing.
        """
        try:
            async with asyncio.timeout(self._read_timeout_s):
                await self._connection.protocol.send(data)
        except TimeoutError as error:
            self._upload_failure = self._connection.failure(
                OriginFailureKind.COMM,
                f"read nothing of the request for {self._read_timeout_s:g} s (response timeout)",
                status=504,
                timed_out=True,
            )
            self._connection.abort()
            raise _OriginClosed from error
        except (OSError, aiohttp.ClientError) as error:
            # If it answered before it closed, the answer still counts.
            self._upload_failure = self._connection.failure(
                OriginFailureKind.WRITE, "closed the connection before it had the whole request"
            )
            raise _OriginClosed from error

    def _response(
        self, message: RawResponseMessage, payload: StreamReader, reached: Reached
    ) -> Response:
        # The parser's own headers have lost the spelling of their names, its raw ones have not.
        headers = Headers(
            [
                (raw[0].decode("utf-8", "surrogateescape").strip(), value)
                for raw, value in zip(message.raw_headers, message.headers.values(), strict=True)
            ]
        )
        connection = self._connection
        reason = message.reason
        if message.code == 101:
            if not self._request.upgrade:
                raise connection.failure(
                    OriginFailureKind.INVALID_RESPONSE, "switched protocols without being asked"
                )
            tunnel = OriginTunnel(connection)
            return Response(101, headers, reason=reason, tunnel=tunnel, reached=reached)
        length = None if message.chunked else _content_length(headers)
        if _contradicts_range(message.code, headers, length):
            raise connection.failure(
                OriginFailureKind.CONTENT_RANGE,
                f"sent Content-Range {headers.get('Content-Range')!r} for {length} bytes",
            )
        if self._request.method == "HEAD" or message.code in (204, 304):
            self.finish()
            return Response(message.code, headers, EMPTY_BODY, reason, reached=reached)
        if length is not None and payload.is_eof() and payload.exception() is None:
            # It all came with the head: the connection is free before the body is looked at.
            data = payload.read_nowait()
            self.finish()
            return Response(message.code, headers, BytesBody(data), reason, reached=reached)
        body = StreamBody(_Download(self, connection, payload, self._deadline), length)
        return Response(message.code, headers, body, reason, reached=reached)

    def _plain_response(self, answer: PlainAnswer, reached: Reached) -> Response:
        """What has come all at once: the connection is free again."""
        status, reason, names, values, body = answer
        headers = Headers(
            [
                (name.decode("ascii"), value.decode("utf-8", "surrogateescape"))
                for name, value in zip(names, values, strict=True)
            ]
        )
        self.finish()
        return Response(status, headers, BytesBody(body), reason.decode(), reached=reached)

    def finish(self) -> None:
        """The answer is read to its end; an upload that still runs spoils the connection."""
        if self._upload is not None and not self._upload.done():
            self.close()
        else:
            self._connection.release()

    def close(self) -> None:
        """Drop the connection and what still runs on it."""
        self._connection.close()
        if self._upload is not None:
            self._upload.cancel()


class _Download:
    """The body of an answer as it comes; it owns the connection until its end."""

    def __init__(
        self,
        transfer: Transfer,
        connection: OriginConnection,
        payload: StreamReader,
        deadline: float | None,
    ) -> None:
        self._transfer = transfer
        self._connection = connection
        self._payload = payload
        self._deadline = deadline
        self._is_open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._read():
                yield chunk
            if self._is_open:
                self._is_open = False
                self._transfer.finish()
        finally:
            await self.aclose()

    async def _read(self) -> bytes:
        try:
            if self._deadline is None:
                return await self._payload.readany()
            async with asyncio.timeout_at(self._deadline):
                return await self._payload.readany()
        except aiohttp.SocketTimeoutError as error:
            raise self._broken(
                f"sent nothing for {self._connection.protocol.silence_s:g} s inside the body"
            ) from error
        except TimeoutError as error:
            raise self._broken(
                "did not complete its answer in time (ResponseCompletionTimeout)"
            ) from error
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise self._broken("broke off in the middle of the body") from error

    def _broken(self, what: str) -> OriginFailure:
        return self._connection.failure(OriginFailureKind.READ, what)

    async def aclose(self) -> None:
        """Give up what was not read."""
        if self._is_open:
            self._is_open = False
            self._transfer.close()


def format_head(request: Request, address: Address) -> bytes:
    """Request line and header lines as bytes, with the framing that fits the body."""
    headers = request.headers.without(*_FRAMING)
    if request.upgrade:
        framing = [("Upgrade", request.upgrade), ("Connection", "Upgrade")]
    else:
        framing = [("Connection", "Keep-Alive")]
    length = request.body.length
    if length is None:
        framing.append(("Transfer-Encoding", "chunked"))
    elif length or request.method in _WITH_BODY or "Content-Length" in request.headers:
        framing.append(("Content-Length", str(length)))
    lines = [f"{request.method} {address.base_path}{request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in [*headers, *framing]]
    text = "\n".join(lines)
    is_line_wrong = lines[0].count(" ") != 2
    if is_line_wrong or _FORBIDDEN.search(text) or text.count("\n") >= len(lines):
        wrong = lines[0]
        if not is_line_wrong:
            wrong = next(line for line in lines if _FORBIDDEN_IN_LINE.search(line))
        raise OriginFailure(
            OriginFailureKind.WRITE,
            502,
            f"the request cannot be sent to {address}: {wrong!r} holds a character that HTTP "
            "does not allow there",
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _content_length(headers: Headers) -> int | None:
    with suppress(ValueError):
        return int(headers.get("Content-Length"))
    return None


def _contradicts_range(status: int, headers: Headers, length: int | None) -> bool:
    """Whether a part has another length than its Content-Range says (CDN-RNG-12)."""
    if status != 206 or length is None:
        return False
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range"))
    return match is not None and int(match[2]) - int(match[1]) + 1 != length
