"""Query strings are raw text split on ampersands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.http.query import format_query, parse_query


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        ("", []),
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("b=2&a=1&b=3", [("b", "2"), ("a", "1"), ("b", "3")]),
        ("a", [("a", None)]),
        ("a=", [("a", "")]),
        ("a=1=2", [("a", "1=2")]),
        ("%61=%20+", [("%61", "%20+")]),
        ("&a=1&&", [("a", "1")]),
        pytest.param("a=1;b=2", [("a", "1;b=2")], marks=pytest.mark.rule("CDN-KEY-09")),
    ],
)
def test_parameters(raw: str, pairs: list[tuple[str, str | None]]) -> None:
    assert parse_query(raw) == pairs


@given(st.text("ab=;%+", min_size=1, max_size=8).map(lambda piece: f"n{piece}"))
def test_a_parameter_survives_the_round_trip(piece: str) -> None:
    raw = f"{piece}&{piece}"
    assert format_query(parse_query(raw)) == raw
