"""The hub tells all readers, in the order in which they came."""

from edgeproxy.exchange.model import Exchange
from edgeproxy.observe.hub import Hub
from tests.unit.exchange.records import exchange


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
