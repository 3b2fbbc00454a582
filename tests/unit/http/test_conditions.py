import pytest

from edgeproxy.http.conditions import asked_ranges, is_same_version, is_unchanged
from edgeproxy.http.headers import Headers
from edgeproxy.http.ranges import ByteRange, Unsatisfiable

DATE, LATER = "Sat, 21 Nov 2026 03:50:32 GMT", "Sun, 22 Nov 2026 03:50:32 GMT"
STORED = Headers([("ETag", '"1"'), ("Last-Modified", DATE)])


@pytest.mark.parametrize(
    ("name", "value", "unchanged"),
    [
        ("If-None-Match", '"1"', True),
        ("If-None-Match", '"2"', False),
        ("If-Modified-Since", DATE, True),
        ("If-Modified-Since", LATER, True),
        ("If-Modified-Since", "Fri, 20 Nov 2026 03:50:32 GMT", False),
        ("X-Other", "x", False),
    ],
)
def test_whether_an_object_is_unchanged(name: str, value: str, unchanged: bool) -> None:
    assert is_unchanged(Headers([(name, value)]), STORED) is unchanged


def test_the_tag_counts_before_the_date() -> None:
    asked = Headers([("If-None-Match", '"2"'), ("If-Modified-Since", DATE)])
    assert not is_unchanged(asked, STORED)


@pytest.mark.parametrize(
    ("validator", "same"), [('"1"', True), ('W/"1"', False), (DATE, True), (LATER, False)]
)
def test_the_version_of_an_if_range(validator: str, same: bool) -> None:
    assert is_same_version(validator, STORED) is same


@pytest.mark.parametrize(
    ("lines", "ranges"),
    [
        ([], None),
        ([("Range", "bytes=0-9")], (ByteRange(0, 9),)),
        ([("Range", "bytes=0-9"), ("If-Range", '"1"')], (ByteRange(0, 9),)),
        ([("Range", "bytes=0-9"), ("If-Range", '"2"')], None),
        ([("Range", "bytes=100-")], Unsatisfiable()),
    ],
)
def test_what_is_asked_of_an_object(lines: list[tuple[str, str]], ranges: object) -> None:
    assert asked_ranges(Headers(lines), STORED, 100) == ranges
