"""Looking up the names of origins: who is asked, and how often."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from edgeproxy.clock import Clock
from edgeproxy.origins import names
from edgeproxy.origins.names import Names


class Resolver(AbstractResolver):
    """Answers one address when it may, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: OSError | None = None
        self.has_answered = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        await self.may_answer.wait()
        self.has_answered.set()
        if self.error is not None:
            raise self.error
        return [
            ResolveResult(
                hostname=host, host="192.0.2.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing to release."""


@pytest.fixture
async def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(names, "DefaultResolver", lambda: made)
    return made


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its one number is by how many seconds real time has moved on."""
    ahead = [0.0]
    real = Clock.monotonic
    monkeypatch.setattr(Clock, "monotonic", staticmethod(lambda: real() + ahead[0]))
    return ahead


async def test_an_answer_is_kept_for_a_few_seconds(resolver: Resolver, moved: list[float]) -> None:
    looked_up = Names()
    for _ in range(3):
        [answer] = await looked_up.resolve("a.example", 80)
        assert answer["host"] == "192.0.2.1"
    await looked_up.resolve("b.example", 80)
    assert resolver.asked == ["a.example", "b.example"]
    moved[0] = 11
    await looked_up.resolve("a.example", 80)
    assert resolver.asked == ["a.example", "b.example", "a.example"]
    await looked_up.close()


async def test_who_asks_at_the_same_time_shares_an_answer(resolver: Resolver) -> None:
    resolver.may_answer.clear()
    looked_up = Names()
    leaving, *staying = [
        asyncio.ensure_future(looked_up.resolve("a.example", 80)) for _ in range(3)
    ]
    await asyncio.sleep(0)
    leaving.cancel()
    resolver.may_answer.set()
    assert len(await asyncio.gather(*staying)) == 2
    assert resolver.asked == ["a.example"]
    await looked_up.close()


async def test_a_failure_that_nobody_waited_for_is_not_kept(resolver: Resolver) -> None:
    looked_up = Names()
    resolver.may_answer.clear()
    resolver.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    leaving = asyncio.ensure_future(looked_up.resolve("a.example", 80))
    await asyncio.sleep(0)
    leaving.cancel()
    resolver.may_answer.set()
    await asyncio.gather(leaving, return_exceptions=True)
    await resolver.has_answered.wait()
    resolver.error = None
    assert await looked_up.resolve("a.example", 80)
    await looked_up.close()


async def test_what_cannot_be_a_name_has_no_address() -> None:
    looked_up = Names()
    for name in ("a..example", f"{'a' * 64}.example"):
        with pytest.raises(OSError, match="label"):
            await looked_up.resolve(name, 80)
    await looked_up.close()


async def test_a_failure_is_told_to_all_and_not_kept(resolver: Resolver) -> None:
    looked_up = Names()
    resolver.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    asked = (looked_up.resolve("a.example", 80) for _ in range(2))
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(failure) for failure in failures] == [str(resolver.error)] * 2
    assert resolver.asked == ["a.example"]
    resolver.error = None
    assert await looked_up.resolve("a.example", 80)
    await looked_up.close()
