"""Ranges are slices: a model that counts bytes one by one agrees with what is parsed (CDN-RNG)."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeproxy.http.ranges import ByteRange, Unsatisfiable, multipart, parse_ranges

number = st.integers(0, 12).map(str)
part = st.one_of(
    st.builds("{}-{}".format, number, number),
    st.builds("{}-".format, number),
    st.builds("-{}".format, number),
    st.sampled_from(["", "-", "a-b", "1-2-3", "+1-2"]),
)
header = st.lists(part, min_size=1, max_size=3).map(lambda parts: "bytes=" + ",".join(parts))


def bytes_asked_for(text: str, size: int) -> list[int] | None:
    """The places of the bytes of one range, in order; None for a text that is no range."""
    match = re.fullmatch(r"(\d*)-(\d*)", text)
    if match is None or text == "-":
        return None
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return None
    if not first:
        return list(range(size))[max(0, size - int(last)) :]
    return [place for place in range(size) if int(first) <= place and place <= int(last or size)]


@pytest.mark.rule("CDN-RNG-05", "CDN-RNG-07")
@given(part, st.binary(min_size=1, max_size=10))
@example("-0", b"abc")
@example("3-", b"abc")
def test_one_range_is_a_slice(text: str, data: bytes) -> None:
    places = bytes_asked_for(text, len(data))
    match parse_ranges(f"bytes={text}", len(data)):
        case None:
            assert places is None
        case Unsatisfiable():
            assert places == []
        case (one,):
            assert places is not None
            assert one.of(data) == bytes(data[place] for place in places)
        case several:
            pytest.fail(f"one range became {several}")


@pytest.mark.rule("CDN-RNG-05")
@given(header, st.binary(min_size=1, max_size=10))
def test_several_ranges_are_ascending_slices_or_the_whole(text: str, data: bytes) -> None:
    asked = [bytes_asked_for(each, len(data)) for each in text.removeprefix("bytes=").split(",")]
    parsed = parse_ranges(text, len(data))
    if None in asked:
        assert parsed is None
        return
    places = [place for each in asked if each for place in each]
    if isinstance(parsed, tuple):
        # Bytes in order, none twice.
        assert places == sorted(set(places))
        assert b"".join(one.of(data) for one in parsed) == bytes(data[p] for p in places)
    elif parsed is None:
        assert len(asked) > 1
    else:
        assert not places


@given(st.binary(min_size=1, max_size=30), st.sets(st.integers(0, 29), min_size=2, max_size=6))
def test_a_multipart_body_can_be_taken_apart_again(data: bytes, cuts: set[int]) -> None:
    ends = sorted(cut for cut in cuts if cut <= len(data))
    parts = [ByteRange(a, b - 1) for a, b in pairwise(ends)][::2]
    pieces = multipart(parts, len(data), "text/plain", "LIMIT")
    body = b"".join(p if isinstance(p, bytes) else p.of(data) for p in pieces)
    *framed, end = body.split(b"\r\n--LIMIT")[1:]
    assert end == b"--\r\n"
    for piece, part_ in zip(framed, parts, strict=True):
        head, _, content = piece.partition(b"\r\n\r\n")
        assert b"Content-Range: bytes %d-%d/%d" % (part_.first, part_.last, len(data)) in head
        assert content == part_.of(data)
