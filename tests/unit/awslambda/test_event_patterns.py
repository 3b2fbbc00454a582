"""Event patterns beside the records that they fit and do not fit."""

import json
from typing import Any

import pytest

from edgeproxy.awslambda.event_patterns import InvalidPattern, compile_pattern

RECORD = {
    "kind": "Order",
    "n": 7,
    "flag": True,
    "none": None,
    "empty": "",
    "tags": ["a", "b"],
    "inner": {"state": "paid"},
    "items": [{"id": 1}, {"id": 2}],
}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({"kind": ["Order", "Other"]}, True),
        ({"kind": ["order"]}, False),
        ({"kind": ["Order"], "n": [8]}, False),
        ({"inner": {"state": ["paid"]}}, True),
        ({"inner": {"state": ["open"]}}, False),
        ({"tags": ["b", "c"]}, True),
        ({"tags": ["c"]}, False),
        ({"items": {"id": [2]}}, True),
        ({"none": [None]}, True),
        ({"absent": [None]}, False),
        ({"empty": [""]}, True),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"n": [{"numeric": ["=", 7]}]}, True),
        ({"n": [{"numeric": [">", 5, "<=", 7]}]}, True),
        ({"n": [{"numeric": ["<", 7]}]}, False),
        ({"kind": [{"numeric": ["=", 7]}]}, False),
        ({"flag": [{"numeric": [">", 0]}]}, False),
        ({"kind": [{"exists": True}]}, True),
        ({"kind": [{"exists": False}]}, False),
        ({"absent": [{"exists": False}]}, True),
        ({"inner": {"absent": [{"exists": False}]}}, True),
        ({"kind": [{"prefix": "Or"}]}, True),
        ({"kind": [{"prefix": "or"}]}, False),
        ({"kind": [{"prefix": {"equals-ignore-case": "or"}}]}, True),
        ({"kind": [{"suffix": "er"}]}, True),
        ({"kind": [{"equals-ignore-case": "ORDER"}]}, True),
        ({"kind": [{"anything-but": ["Order"]}]}, False),
        ({"kind": [{"anything-but": "Other"}]}, True),
        ({"kind": [{"anything-but": {"prefix": "Or"}}]}, False),
        ({"kind": [{"anything-but": {"prefix": ["X", "Y"]}}]}, True),
        ({"absent": [{"anything-but": ["Order"]}]}, False),
        ({"inner": [{"anything-but": ["Order"]}]}, False),
        ({"$or": [{"kind": ["No"]}, {"n": [7]}]}, True),
        ({"$or": [{"kind": ["No"]}, {"n": [8]}]}, False),
    ],
)
def test_what_fits(pattern: Any, fits: bool) -> None:
    assert compile_pattern(json.dumps(pattern))(RECORD) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "", "{", "[]", "{}", '{"a": "x"}', '{"a": []}', '{"a": [["x"]]}', '{"a": {}}',
        '{"a": [{"other": 1}]}', '{"a": [{"prefix": 1}]}', '{"a": [{"numeric": [">"]}]}',
        '{"a": [{"numeric": ["!", 1]}]}', '{"a": [{"prefix": "a", "suffix": "b"}]}',
        '{"$or": [{"a": [1]}]}', '{"$or": [1, 2]}', '{"a": [{"exists": 1}]}',
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)
