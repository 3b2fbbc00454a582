from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.http.ranges import (
    ByteRange,
    Unsatisfiable,
    format_content_range,
    is_range,
    multipart,
    parse_content_range,
    parse_ranges,
)


def parsed(header: str, size: int = 100) -> list[tuple[int, int]] | Unsatisfiable | None:
    ranges = parse_ranges(header, size)
    if isinstance(ranges, tuple):
        return [(part.first, part.last) for part in ranges]
    return ranges


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-0", [(0, 0)]),
        ("bytes=10-19", [(10, 19)]),
        ("bytes=10-", [(10, 99)]),
        ("bytes=-10", [(90, 99)]),
        ("bytes=-1000", [(0, 99)]),
        ("bytes=90-1000", [(90, 99)]),
        ("bytes=90-" + "9" * 50, [(90, 99)]),
        ("Bytes = 0-9", [(0, 9)]),
        ("bytes=0-9, 20-29 ,-10", [(0, 9), (20, 29), (90, 99)]),
        ("bytes=0-9,10-19", [(0, 9), (10, 19)]),
        ("bytes=0-9,200-300", [(0, 9)]),
        ("bytes=100-", Unsatisfiable()),
        ("bytes=100-200,300-", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=0-9,5-14", None),
        ("bytes=0-9,9-14", None),
        ("bytes=20-29,0-9", None),
        ("bytes=200-300,0-9", None),
        ("bytes=9-0", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=0-9,", None),
        ("bytes=a-b", None),
        ("bytes=-1-5", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "1" * 2_000 + "-", None),
        ("items=0-9", None),
        ("bytes", None),
        ("", None),
    ],
)
def test_the_ranges_of_100_bytes(
    header: str, ranges: list[tuple[int, int]] | Unsatisfiable | None
) -> None:
    assert parsed(header) == ranges


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=5-"])
def test_an_empty_object_has_no_ranges(header: str) -> None:
    assert parsed(header, 0) is None


@given(st.text("bytes=0123456789-, "), st.integers(0, 50))
def test_every_range_lies_inside_and_none_overlaps(header: str, size: int) -> None:
    ranges = parse_ranges(f"bytes={header}", size)
    if isinstance(ranges, tuple):
        ends = [-1]
        for part in ranges:
            assert ends[-1] < part.first <= part.last < size
            assert len(part.of(bytes(size))) == len(part)
            ends.append(part.last)


@given(st.text("bytes=0123456789-, "), st.integers(1, 50))
def test_what_is_no_range_is_none_of_any_object(header: str, size: int) -> None:
    if not is_range(f"bytes={header}"):
        assert parse_ranges(f"bytes={header}", size) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("bytes 0-9/100", (ByteRange(0, 9), 100)),
        ("bytes 99-99/100", (ByteRange(99, 99), 100)),
        ("bytes 0-100/100", None),
        ("bytes 9-0/100", None),
        ("bytes 0-9/*", None),
        ("bytes */100", None),
        ("0-9/100", None),
        ("", None),
    ],
)
def test_a_content_range(text: str, place: tuple[ByteRange, int] | None) -> None:
    assert parse_content_range(text) == place


def test_content_range() -> None:
    assert format_content_range(ByteRange(0, 9), 100) == "bytes 0-9/100"


def test_multipart_is_what_a_mime_parser_reads() -> None:
    data = bytes(range(100))
    pieces = multipart([ByteRange(0, 9), ByteRange(90, 99)], len(data), "image/png", "edge")
    body = b"".join(piece if isinstance(piece, bytes) else piece.of(data) for piece in pieces)
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: multipart/byteranges; boundary=edge\r\n\r\n" + body
    )
    parts = list(message.iter_parts())
    assert [part["Content-Range"] for part in parts] == ["bytes 0-9/100", "bytes 90-99/100"]
    assert [part.get_content_type() for part in parts] == ["image/png"] * 2
    assert body.count(b"\r\n\r\n" + data[:10] + b"\r\n--edge") == 1
    assert body.endswith(b"\r\n\r\n" + data[90:] + b"\r\n--edge--\r\n")
