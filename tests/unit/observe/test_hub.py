"""The hub tells all readers, in the order in which they came."""

from edgeproxy.exchange.model import Exchange
from edgeproxy.observe.hub import Hub
from tests.unit.exchange.records import exchange


class Reader:
    def __init__(self, name: str, heard: list[tuple[str, str, Exchange]]) -> None:
        self.name = name
        self.heard = heard

    def begun(self, exchange: Exchange) -> None:
        self.heard.append((self.name, "begun", exchange))

    def ended(self, exchange: Exchange) -> None:
        self.heard.append((self.name, "ended", exchange))


def test_all_are_told_in_order() -> None:
    hub, one = Hub(), exchange()
    heard: list[tuple[str, str, Exchange]] = []
    hub.begun(one)
    hub.add(Reader("first", heard))
    hub.add(Reader("second", heard))
    hub.begun(one)
    hub.ended(one)
    assert heard == [
        ("first", "begun", one),
        ("second", "begun", one),
        ("first", "ended", one),
        ("second", "ended", one),
    ]
