"""Cookies are read raw, in order, and only in ``name=value`` form."""

import pytest

from edgeproxy.http.cookies import format_cookies, parse_cookies


def test_all_lines_are_read_in_order() -> None:
    assert parse_cookies(["b=2; a=1", "c=3"]) == [("b", "2"), ("a", "1"), ("c", "3")]


def test_a_repeated_name_keeps_both_values() -> None:
    assert parse_cookies(["a=1; a=2"]) == [("a", "1"), ("a", "2")]


def test_case_quotes_escapes_and_further_equals_signs_are_kept() -> None:
    assert parse_cookies(['A="x y"; t=a=b%20']) == [("A", '"x y"'), ("t", "a=b%20")]


@pytest.mark.rule("CDN-KEY-13")
@pytest.mark.parametrize("line", ["flag", "$Version=1", "=value", "", " ; ;"])
def test_anything_else_is_no_cookie(line: str) -> None:
    assert parse_cookies([line]) == []


def test_an_empty_value_is_a_value() -> None:
    assert parse_cookies(["a="]) == [("a", "")]


def test_format_is_one_line() -> None:
    assert format_cookies([("a", "1"), ("b", "2")]) == "a=1; b=2"
