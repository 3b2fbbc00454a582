"""Header lines keep order, case and duplicates; every change makes a new object."""

from edgeproxy.http.headers import EMPTY_HEADERS, Headers

LINES = [("Host", "a"), ("X-One", "1"), ("x-one", "2"), ("Accept", "*/*")]
HEADERS = Headers(LINES)


def test_lines_come_back_as_they_were() -> None:
    assert HEADERS.lines() == LINES
    assert list(HEADERS) == LINES
    assert len(HEADERS) == 4
    assert repr(HEADERS) == f"Headers({LINES!r})"


def test_names_compare_without_case() -> None:
    assert HEADERS.get("HOST") == "a"
    assert HEADERS.get_all("X-ONE") == ["1", "2"]
    assert "ACCEPT" in HEADERS
    assert HEADERS.names() == ["host", "x-one", "accept"]


def test_absent_names() -> None:
    assert HEADERS.get("Via") == ""
    assert HEADERS.get("Via", "none") == "none"
    assert HEADERS.get_all("Via") == []
    assert HEADERS.joined("Via") is None


def test_joined_separates_by_comma_and_blank() -> None:
    assert HEADERS.joined("x-one") == "1, 2"
    assert Headers([("A", "")]).joined("a") == ""


def test_with_set_replaces_all_lines_where_the_first_stood() -> None:
    assert HEADERS.with_set("X-One", "3").lines() == [
        ("Host", "a"),
        ("X-One", "3"),
        ("Accept", "*/*"),
    ]
    assert HEADERS.with_set("X-One", "3", "4").get_all("X-One") == ["3", "4"]
    assert HEADERS.with_set("Via", "v").lines() == [*LINES, ("Via", "v")]
    assert HEADERS.lines() == LINES


def test_with_added_and_with_default() -> None:
    assert HEADERS.with_added("X-One", "3").get_all("x-one") == ["1", "2", "3"]
    assert HEADERS.with_default("x-one", "3") is HEADERS
    assert HEADERS.with_default("Via", "v").get("via") == "v"


def test_without_is_the_same_object_when_there_is_nothing_to_drop() -> None:
    assert HEADERS.without("Via", "Date") is HEADERS
    assert HEADERS.without("X-ONE", "Via").lines() == [("Host", "a"), ("Accept", "*/*")]
    assert HEADERS.lines() == LINES


def test_a_multidict_is_a_copy() -> None:
    copy = HEADERS.as_multidict()
    copy["Host"] = "b"
    assert HEADERS.get("Host") == "a"


def test_equality_is_by_lines() -> None:
    assert Headers(LINES) == HEADERS
    assert hash(Headers(LINES)) == hash(HEADERS)
    assert Headers(LINES[::-1]) != HEADERS
    assert HEADERS != LINES
    assert Headers() == EMPTY_HEADERS


def test_names_with_a_prefix() -> None:
    headers = Headers([("X-One", "1"), ("x-one", "2"), ("x-t", ""), ("wo-x", ""), ("X-Two", "")])
    assert headers.names_with("x-t") == ["x-t", "x-two"]
    assert headers.names_with("x-") == ["x-one", "x-t", "x-two"]
    assert headers.names_with("x-twowo") == []
    assert Headers([("a", ""), ("b", "")]).names_with("ab") == []


def test_a_multidict_is_adopted() -> None:
    assert Headers.adopted(HEADERS.as_multidict()) == HEADERS
