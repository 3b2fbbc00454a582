"""Whatever comes from elsewhere becomes text that JSON can carry and a terminal may show."""

import orjson
import pytest

from edgeproxy.exchange.text import carried, visible


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("grün €", "grün €"),
        (b"/caf\xe9".decode("utf-8", "surrogateescape"), "/café"),
        (b"\xc3\xa9\xff".decode("utf-8", "surrogateescape"), "éÿ"),
        ("\ud800", "\ufffd"),
        (None, None),
        (1.5, 1.5),
        ({"\udce9": ["\udce9", ("\udce9", {"x": "\udce9"})]}, {"é": ["é", ["é", {"x": "é"}]]}),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert carried(value) == expected
    orjson.dumps(carried(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/plain?a=b", "/plain?a=b"),
        ("grün 日本 🙂", "grün 日本 🙂"),
        ("a\tb", "a\tb"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b", r"\x9b"),
        ("\r\n", r"\r\n"),
        ("\u202e\u2028", r"\u202e\u2028"),
        ("\udcff", r"\udcff"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_visible(text: str, expected: str) -> None:
    assert visible(text) == expected
