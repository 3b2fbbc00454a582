"""The edge that an experiment runs through: its doors, its clock, its records.

It is asked through its control listener, as any program would.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import aiohttp
import orjson

from edgeproxy.errors import UsageError
from edgeproxy.experiments.doors import door_in
from edgeproxy.tasks import Tasks

__all__ = ["EdgeLost", "Records", "RunningEdge"]

Document: TypeAlias = dict[str, Any]

_RECORD_S: Final = 30
"""How long a record may take after its answer; it comes at once on a machine that runs."""


class EdgeLost(Exception):
    """The edge does not answer any more."""


class RunningEdge:
    """An edge whose control listener is at ``control``, asked over somebody's ``session``."""

    def __init__(self, session: aiohttp.ClientSession, control: str) -> None:
        self._session = session
        self._control = control
        self._offset_s = 0.0

    async def door(self, logical_id: str) -> str:
        """The URL of a distribution, function URL or load balancer; of the only one for ``""``.

        It is that of HTTPS where the edge serves it.
        """
        endpoints = await self._call("GET", "/api/endpoints")
        return door_in(endpoints, logical_id)[1]

    async def now(self) -> float:
        """The edge's time, in seconds since the epoch."""
        clock = await self._call("GET", "/api/clock")
        self._offset_s = clock["offset_s"]
        return _epoch(clock["now"])

    async def advance(self, seconds: float) -> float:
        """Move the edge's clock forward; its time afterwards."""
        return _epoch((await self._call("POST", "/api/clock", {"advance_s": seconds}))["now"])

    async def turn_back(self) -> None:
        """Set the clock to where it was when it was first read."""
        _ = await self._call("DELETE", "/api/clock")
        if self._offset_s:
            _ = await self.advance(self._offset_s)

    async def exchange(self, exchange_id: str) -> Document:
        """The record of a request with its steps. Raises ``EdgeLost`` when it is not kept."""
        try:
            return await self._call("GET", f"/api/exchanges/{quote(exchange_id, safe='')}")
        except UsageError as error:
            raise EdgeLost(
                f"the edge does not keep the records that the experiment needs ({error}): start it "
                "with a higher --history"
            ) from error

    async def newest(self, limit: int) -> list[Document]:
        """The records of the newest requests, with their steps."""
        page = await self._call("GET", f"/api/exchanges?limit={limit}")
        return [await self.exchange(summary["id"]) for summary in page["exchanges"]]

    async def explain(self, url: str, headers: list[tuple[str, str]]) -> Document:
        """What ``edgeproxy explain`` tells of a URL."""
        question = {"url": url, "headers": [list(line) for line in headers]}
        return await self._call("POST", "/api/explain", question)

    async def _call(
        self, method: str, path: str, document: Mapping[str, object] | None = None
    ) -> Document:
        try:
            async with self._session.request(
                method, self._control + path, json=document
            ) as response:
                answer: Document | list[Any] | None = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            raise EdgeLost(f"no running edge answers at {self._control}") from error
        match answer:
            case {"error": {"message": str(message)}}:
                raise UsageError(message)
            case dict():
                return answer
            case _:
                raise EdgeLost(f"{self._control} is no control listener")

    @asynccontextmanager
    async def records(self, tasks: Tasks) -> AsyncIterator["Records"]:
        """The edge's records from now on, until the block ends."""
        url = f"{self._control}/api/exchanges/stream"
        timeout = aiohttp.ClientTimeout(total=None)
        try:
            async with self._session.get(url, timeout=timeout, read_bufsize=1 << 22) as stream:
                await stream.content.readline()  # Its first line says that it follows from here on.
                records = Records()
                reading = tasks.start(records.read(stream.content), "records of the edge")
                try:
                    yield records
                finally:
                    reading.cancel()
                    await asyncio.wait([reading])
        except (aiohttp.ClientError, OSError) as error:
            raise EdgeLost(f"no running edge answers at {self._control}") from error


class Records:
    """Records as they arrive; each is asked for once."""

    def __init__(self) -> None:
        self._arrived: dict[str, Document] = {}
        self._awaited: dict[str, asyncio.Future[Document]] = {}
        self._ended: EdgeLost | None = None

    async def of(self, exchange_id: str) -> Document:
        """The summary of a request, as ``GET /api/exchanges`` has it."""
        if exchange_id in self._arrived:
            return self._arrived.pop(exchange_id)
        if self._ended is not None:
            raise self._ended
        future: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._awaited[exchange_id] = future
        try:
            async with asyncio.timeout(_RECORD_S):
                return await future
        except TimeoutError as error:
            raise EdgeLost(f"the edge has no record of {exchange_id}") from error
        finally:
            self._awaited.pop(exchange_id, None)

    def forget(self) -> None:
        """Drop what nobody has asked for: other people's requests."""
        self._arrived.clear()

    async def read(self, content: aiohttp.StreamReader) -> None:
        """Take records from the stream until it ends."""
        try:
            # A stream that breaks off ends as one that ends.
            with suppress(aiohttp.ClientError, OSError):
                async for line in content:
                    if line.startswith(b"data: "):
                        self._take(orjson.loads(line[6:]))
        finally:
            self._ended = EdgeLost("the edge does not tell what it records any more")
            for future in self._awaited.values():
                if not future.done():
                    future.set_exception(self._ended)

    def _take(self, record: Document) -> None:
        future = self._awaited.get(record["id"])
        if future is None:
            self._arrived[record["id"]] = record
        elif not future.done():
            future.set_result(record)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
