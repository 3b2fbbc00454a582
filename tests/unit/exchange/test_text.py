"""Whatever the wire brought becomes text that JSON can carry."""

import orjson
import pytest

from edgeproxy.exchange.text import carried


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
