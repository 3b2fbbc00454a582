"""From a request to an answer that may be sent, whatever protocol the viewer speaks."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from aiohttp.web_protocol import RequestPayloadError

from edgeproxy.http.messages import Handler, Request, Response, reason_phrase
from edgeproxy.server.limits import Limits
from edgeproxy.server.reading import BodyStopped

if TYPE_CHECKING:
    from edgeproxy.server.listener import Refuse

__all__ = ["ask", "instead_of", "page"]

_log = logging.getLogger("edgeproxy")


class _Door(Protocol):
    """The part of a door that answers."""

    handler: Handler
    refuse: "Refuse"
    limits: Limits


async def ask(
    door: _Door,
    request: Request,
    handler: Handler | None = None,
    *,
    has_left: Callable[[], bool],
    broken: Callable[[], BaseException | None],
) -> Response | None:
    """What the handler says, or an error page in its place; None for a viewer who has left.

    ``handler`` is who answers this one in place of the door's. ``broken`` tells what became of the
    request's body, if it did not come to its end.
    """
    try:
        return await (handler or door.handler)(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, the viewer gets an answer
        if has_left() and isinstance(error, ConnectionError):
            return None
        why = broken()
        if isinstance(why, (ConnectionError, RequestPayloadError)):
            waited = door.limits.tells_of_waiting and isinstance(why, BodyStopped)
            return page(door, 408 if waited else 400, str(error))
        _log.exception("%s %s failed", request.method, request.path)
    return page(door, 500, "the handler failed")


async def instead_of(door: _Door, request: Request, response: Response, detail: str) -> Response:
    """An error page for an answer that cannot be sent; the edge still hears of its delivery."""
    _log.error("%s %s: %s", request.method, request.path, detail)
    await response.body.close()
    if response.tunnel is not None:
        await response.tunnel.close()
    failed = page(door, 500, "the answer cannot be sent")
    return replace(failed, on_delivered=response.on_delivered)


def page(door: _Door, status: int, detail: str) -> Response:
    """The door's own."""
    return door.refuse(status, reason_phrase(status), detail)
