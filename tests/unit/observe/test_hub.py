"""The hub tells all readers, in the order in which they came."""

import asyncio
from collections.abc import Sequence
from typing import Any

from edgeproxy.exchange.model import Exchange, RepeatedHit
from edgeproxy.observe import hub as hub_module
from edgeproxy.observe.hub import Hub
from tests.unit.exchange.records import Again, exchange


class Reader:
    def __init__(self, name: str, heard: list[tuple[str, Exchange]]) -> None:
        self.name = name
        self.heard = heard

    def ended(self, exchange: Exchange) -> None:
        self.heard.append((self.name, exchange))


def test_all_are_told_in_order() -> None:
    hub, one = Hub(), exchange()
    heard: list[tuple[str, Exchange]] = []
    hub.ended(one)
    hub.add(Reader("first", heard))
    hub.add(Reader("second", heard))
    hub.ended(one)
    assert heard == [("first", one), ("second", one)]


class BatchReader:
    """Hears of repeated hits as they are, some at a time."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.told = asyncio.Event()

    def ended(self, exchange: Exchange) -> None:
        self.heard.append([exchange.id])

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        self.heard.append([hit.id for hit in hits])
        self.told.set()


def again(number: int) -> Any:
    return Again(exchange(id=f"hit-{number}"))


async def test_repeated_hits_are_told_together_and_in_order() -> None:
    hub, reader = Hub(), BatchReader()
    hub.add(reader)
    for number in range(3):
        hub.repeated(again(number))
    assert reader.heard == []
    hub.ended(exchange(id="other"))
    assert reader.heard == [["hit-0", "hit-1", "hit-2"], ["other"]]
    hub.repeated(again(3))
    hub.catch_up()
    hub.catch_up()
    assert reader.heard[2:] == [["hit-3"]]


async def test_repeated_hits_do_not_wait_for_long_or_for_many() -> None:
    hub, reader = Hub(), BatchReader()
    hub.add(reader)
    for number in range(hub_module._MOST + 1):
        hub.repeated(again(number))
    assert [len(batch) for batch in reader.heard] == [hub_module._MOST]
    reader.told.clear()
    await asyncio.wait_for(reader.told.wait(), 20)
    assert reader.heard[1:] == [[f"hit-{hub_module._MOST}"]]
