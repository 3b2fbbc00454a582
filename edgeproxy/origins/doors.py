"""Doors of the same project as origins: function URLs and load balancers.

There is no connection to wait for, but their answers have the time of any origin's. A function
that takes longer runs on, as it does at AWS.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import Final

from edgeproxy.distribution.model import Origin
from edgeproxy.http.body import Body, BytesBody, StreamBody
from edgeproxy.http.messages import Handler, Request, Response
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind

__all__ = ["ask_door"]

_REPEATED: Final = frozenset({"GET", "HEAD"})


async def ask_door(
    door: Handler, request: Request, origin: Origin, is_debugging: Callable[[], bool]
) -> Response:
    """The door's answer, within the time that ``origin`` has (CDN-ORG-03 to 06).

    Time does not count until the request is read, nor while a person ``is_debugging``. Raises
    :class:`OriginFailure`.
    """
    upload = _Upload(request.body)
    if not isinstance(request.body, BytesBody):
        request = replace(request, body=StreamBody(upload, request.body.length))

    def is_patient() -> bool:
        return upload.is_under_way or is_debugging()

    limit_s = origin.config.read_timeout_s
    left_s: float = origin.response_completion_timeout_s or inf
    attempts = origin.connection_attempts if request.method in _REPEATED else 1
    why = f"sent nothing for {limit_s:g} s (response timeout)"
    for _ in range(attempts):
        if left_s <= limit_s:
            why = "did not complete its answer in time (ResponseCompletionTimeout)"
        try:
            async with _limit(min(limit_s, left_s), is_patient):
                return await door(request)
        except TimeoutError:
            left_s -= limit_s
            if left_s <= 0:
                break
    raise OriginFailure(
        OriginFailureKind.COMM,
        504,
        f"{origin.domain_name} {why}",
        timed_out=True,
        connected=True,
    )


class _Upload:
    """A request's body on its way to a door."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.is_under_way = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.is_under_way = True
        async for chunk in self._body:
            yield chunk
        self.is_under_way = False

    async def aclose(self) -> None:
        await self._body.close()


@asynccontextmanager
async def _limit(limit_s: float, is_patient: Callable[[], bool]) -> AsyncIterator[None]:
    """Raises ``TimeoutError`` after so long, or later."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as scope:

        def end() -> None:
            nonlocal timer
            if is_patient():
                timer = loop.call_later(limit_s, end)
            else:
                scope.reschedule(loop.time())

        timer = loop.call_later(limit_s, end)
        try:
            yield
        finally:
            timer.cancel()
