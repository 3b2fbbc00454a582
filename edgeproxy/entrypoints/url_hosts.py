"""Function URLs by host name: any of their ports serves whichever the ``Host`` names (FU-009)."""

import re
from collections.abc import Mapping
from typing import Final, Protocol

from edgeproxy.http.messages import Request, Response

__all__ = ["UrlDoor", "UrlHosts"]

_HOST: Final = re.compile(
    r"(?P<id>[a-z0-9]+)\.lambda-url\.[a-z0-9-]+\.(?:on\.aws|localhost)(?::\d+)?", re.IGNORECASE
)


class UrlDoor(Protocol):
    """The door of one function URL."""

    async def __call__(self, request: Request) -> Response: ...

    def unknown(self) -> Response:
        """The answer for a URL that is not there."""
        ...


class UrlHosts:
    """A Handler before ``own``; ``doors`` are those of all function URLs, by URL ID."""

    def __init__(self, own: UrlDoor, doors: Mapping[str, UrlDoor]) -> None:
        self._own = own
        self._doors = doors

    async def __call__(self, request: Request) -> Response:
        """The answer of the function URL that is asked for; of ``own`` under other names."""
        named = _HOST.fullmatch(request.host)
        if named is None:
            return await self._own(request)
        door = self._doors.get(named["id"].lower())
        return self._own.unknown() if door is None else await door(request)
