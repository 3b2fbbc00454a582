"""The three date forms of HTTP, and nothing else."""

import pytest

from edgeproxy.http.dates import format_date, parse_date

MOMENT = 1_795_233_032


def test_format() -> None:
    assert format_date(MOMENT) == "Sat, 21 Nov 2026 03:50:32 GMT"
    assert format_date(MOMENT + 0.9) == "Sat, 21 Nov 2026 03:50:32 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 21 Nov 2026 03:50:32 GMT",
        "Saturday, 21-Nov-26 03:50:32 GMT",
        "Sat Nov 21 03:50:32 2026",
        "sat, 21 NOV 2026 03:50:32 gmt",
    ],
)
def test_parse(text: str) -> None:
    assert parse_date(text) == MOMENT


def test_a_day_of_one_digit() -> None:
    assert parse_date("Sun Nov  1 03:50:32 2026") == parse_date("Sun, 01 Nov 2026 03:50:32 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "now",
        "Sat, 99 Nov 2026 03:50:32 GMT",
        "Sat, 21 Nov 2026 03:50:32 UTC",
        "Sat, 21 Nov 2026 03:50:32 AEST",
        "Sat, 21 Nov 2026 03:50:32 +0100",
        "Sat 21 Nov 2026 03:50:32 GMT",
        "Sat,  21 Nov 2026 03:50:32 GMT",
        "Sat, 21-Nov-2026 03:50:32 GMT",
        "Sat, 21 Nov 2026 03.50.32 GMT",
        "Sat, 21 Nov 2026 3:50:32 GMT",
        "Sat, 21 Nov 26 03:50:32 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None
