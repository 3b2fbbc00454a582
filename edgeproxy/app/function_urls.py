"""The doors of function URLs: a port for each, and one more over HTTPS where that is served."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from edgeproxy.app.doors import Doors
from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Recorder
from edgeproxy.http.messages import Response
from edgeproxy.server.limits import Limits
from edgeproxy.server.listener import Refuse
from edgeproxy.tasks import Tasks

if TYPE_CHECKING:
    from edgeproxy.app.secure_doors import SecureDoors
    from edgeproxy.entrypoints.function_url import FunctionUrlDoor

__all__ = ["FunctionUrls"]

_LIMITS: Final = Limits(max_head_bytes=10 * 1024)
"""UNSURE how much a function URL takes (FU-127)."""


class FunctionUrls:
    """Makes and opens them; ``refusals`` is for what is no request."""

    def __init__(
        self,
        lambdas: LambdaService,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        tasks: Tasks,
        access: Access,
        refusals: Callable[[Callable[[int], Response]], Refuse],
        *,
        strict: bool,
    ) -> None:
        self._lambdas = lambdas
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._tasks = tasks
        self._access = access
        self._refusals = refusals
        self._strict = strict
        self._by_id: dict[str, FunctionUrlDoor] = {}

    def door(self, url: FunctionUrl, access: Access | None = None) -> "FunctionUrlDoor":
        from edgeproxy.entrypoints.function_url import FunctionUrlDoor

        return FunctionUrlDoor(
            url,
            self._lambdas,
            self._clock,
            self._chance,
            self._recorder,
            self._tasks,
            access=access or self._access,
            strict=self._strict,
        )

    async def open(
        self, doors: Doors, urls: Iterable[FunctionUrl], secure: "SecureDoors | None"
    ) -> dict[str, str]:
        """The doors' URLs by their keys; from now on these function URLs are all there are."""
        self._by_id = {}
        opened: dict[str, str] = {}
        for url in urls:
            opened |= await self.open_one(doors, url, secure)
        return opened

    async def open_one(
        self, doors: Doors, url: FunctionUrl, secure: "SecureDoors | None"
    ) -> dict[str, str]:
        """The same for one beside those that there are."""
        from edgeproxy.entrypoints.url_hosts import UrlHosts

        door = self._by_id[url.url_id] = self.door(url)
        handler, refuse = UrlHosts(door, self._by_id), self._refusals(door.refuse)
        key = f"function-url {url.logical_id}"
        name = url.logical_id
        opened = {key: await doors.open(key, handler, name, refuse=refuse, limits=_LIMITS)}
        if secure is not None:
            key = f"https {key}"
            tls = secure.context(key)
            opened[key] = await doors.open(
                key, handler, name, refuse=refuse, tls=tls, limits=_LIMITS
            )
        return opened

    def close_one(self, url: FunctionUrl) -> list[str]:
        """Know it no more; the keys of its doors."""
        self._by_id.pop(url.url_id, None)
        return [f"{scheme}function-url {url.logical_id}" for scheme in ("", "https ")]
