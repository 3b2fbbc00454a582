"""A cache, a scripted origin and viewers, for tests that read like a story."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace

from edgeproxy.cache.cache import Cache, Obtained
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.clock import Clock
from edgeproxy.http.body import Body, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.tasks import Tasks

YEAR = 31_536_000

FLEXIBLE = CacheRules(0, 86_400, YEAR)
"""MinTTL 0: the origin decides."""
OPTIMIZED = CacheRules(1, 86_400, YEAR)
"""The TTLs of CachingOptimized."""
DISABLED = CacheRules(0, 0, 0)


def key(path: str = "/a", query: str | None = None, distribution_id: str = "E1") -> CacheKey:
    """A cache key with nothing in it but path and query."""
    target = f"{distribution_id}{path}?{query}"
    return CacheKey(target.encode(), distribution_id, path, query, ())


def answer(
    status: int = 200, body: bytes | Body = b"hello", detail: str = "", **headers: str
) -> Fetched:
    """An origin's answer; ``cache_control="no-store"`` becomes a header line."""
    lines = [(name.replace("_", "-").title(), value) for name, value in headers.items()]
    content = BytesBody(body) if isinstance(body, bytes) else body
    return Fetched(Response(status, Headers(lines), content), detail=detail)


def stream(chunks: Iterable[bytes], length: int | None = None) -> StreamBody:
    """A body that comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return StreamBody(pieces(), length)


@dataclass
class ManualBody:
    """A body whose next piece, end or failure the test gives when it likes."""

    length: int | None = None
    closed: bool = False
    taken: int = 0
    queue: "asyncio.Queue[bytes | Exception | None]" = field(default_factory=asyncio.Queue)
    preview: bytes = b""
    passed: int = 0

    def give(self, *pieces: bytes | Exception | None) -> None:
        """Pieces; None is the end."""
        for piece in pieces:
            self.queue.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            self.taken += 1
            yield piece

    async def close(self) -> None:
        self.closed = True


class ScriptedOrigin:
    """Answers in the order given, repeating the last; remembers the validators it was sent.

    While ``gate`` is closed no answer leaves.
    """

    def __init__(self, *answers: Fetched | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Headers | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def then(self, *answers: Fetched | Exception) -> None:
        """From now on these answers."""
        self.answers = list(answers)

    async def __call__(self, validators: Headers | None) -> Fetched:
        self.asked.append(validators)
        await self.gate.wait()
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return given

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.asked)


class Edge:
    """A cache with a clock that stands still unless moved."""

    def __init__(self, *, max_bytes: int = 10_000_000, **limits: int) -> None:
        self.clock = StandingClock()
        self.tasks = Tasks()
        self.store = MemoryStore(max_bytes)
        self.cache = Cache(self.store, self.clock, self.tasks, **limits)

    async def get(
        self,
        origin: ScriptedOrigin,
        rules: CacheRules = FLEXIBLE,
        path: str = "/a",
        *,
        may_store: bool = True,
    ) -> Obtained:
        """One viewer's request, its body read to the end."""
        obtained = await self.cache.obtain(key(path), rules, origin, may_store=may_store)
        body = BytesBody(await read(obtained.response.body))
        return replace(obtained, response=replace(obtained.response, body=body))

    async def landed(self) -> None:
        """Until every flight has ended, its object stored."""
        while flights := [
            task for task in asyncio.all_tasks() if task.get_name().startswith("fetch of ")
        ]:
            await asyncio.wait(flights)

    async def settle(self) -> None:
        """Until nothing runs that needs no outside event."""
        for _ in range(30):
            await asyncio.sleep(0)


class StandingClock(Clock):
    """A clock that moves only when told; ``reset`` goes back to its start."""

    def now(self) -> float:
        return 1_800_000_000.0 + self.offset_s


def text(obtained: Obtained) -> bytes:
    """The body of an answer that ``Edge.get`` has read."""
    assert isinstance(obtained.response.body, BytesBody)
    return obtained.response.body.data


async def read(body: Body) -> bytes:
    """All of a body."""
    return b"".join([chunk async for chunk in body])


def with_error_ttls(rules: CacheRules, error_ttls: Mapping[int, int]) -> CacheRules:
    """``rules`` with entries for error statuses."""
    return replace(rules, error_ttls=error_ttls)
