"""Heads of answers made by a template, and what keeps one from being made."""

import pytest

from edgeproxy.cache.entry import Entry
from edgeproxy.edge.prepared_heads import (
    MARK_AGE,
    MARK_DATE,
    MARK_ID,
    PreparedHead,
    Template,
    marked,
    mattering,
    with_marks,
)
from edgeproxy.http.dates import format_date

OBJECT = b"ETag\x00%s\x00Vary\x00Accept\x00Content-Length\x0010\x00X\x00b"


def answer(lines: bytes = b"", age: int = MARK_AGE) -> bytes:
    """The pipeline's, of an object with marks."""
    date = format_date(MARK_DATE).encode()
    return (
        b"HTTP/1.1 200 OK\r\n%bAge: %d\r\nDate: %b\r\nX-Amz-Cf-Id: %b\r\nVia: 1.1 x\r\n\r\n"
    ) % (lines, age, date, MARK_ID.encode())


def entry(size: int = 3) -> Entry:
    return Entry("E1", "/", None, 200, "", b"", b"x" * size, "", 0.0, 1.0, 0.0, 0.0)


def lines(head: bytes, size: int) -> bytes:
    """Header lines as the pipeline passes them on, with the length of the body."""
    parts = head.split(b"\0")
    pairs = [(name, value) for name, value in zip(parts[::2], parts[1::2], strict=True)]
    return b"".join(
        b"%b: %b\r\n" % (name, b"%d" % size if name == b"Content-Length" else value)
        for name, value in pairs
    )


def made(body_size: int = 10) -> Template:
    head = marked(answer(lines(with_marks(OBJECT), body_size)))
    assert head is not None
    template = Template.of(head, None, body_size)
    assert template is not None
    return template


def test_one_template_makes_the_heads_of_many_objects() -> None:
    template = made()
    other = OBJECT.replace(b"%s", b'"100%"').replace(b"b", b"")
    names, values = mattering(other)
    assert names == mattering(OBJECT)[0]
    head = template.filled(values, 12_345)
    assert head is not None
    before, after = PreparedHead(head, None, entry()).around_id(7, 86_400.0)
    assert before + b"ID" + after == (
        b'HTTP/1.1 200 OK\r\nETag: "100%"\r\nVary: Accept\r\nContent-Length: 12345\r\nX: \r\n'
        b"Age: 7\r\nDate: Fri, 02 Jan 1970 00:00:00 GMT\r\nX-Amz-Cf-Id: ID\r\nVia: 1.1 x\r\n\r\n"
    )


def test_other_names_or_another_vary_need_another_template() -> None:
    kinds = {
        mattering(head)[0]
        for head in (
            OBJECT,
            OBJECT.replace(b"Accept", b"Origin"),
            OBJECT.replace(b"X\0b", b"Y\0b"),
            OBJECT.replace(b"X\0b", b"x\0b"),
            OBJECT + b"\0X\0b",
            b"",
        )
    }
    assert len(kinds) == 6


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: a", b"a\n", b"a\r"])
def test_a_value_that_breaks_lines_makes_no_head(value: bytes) -> None:
    _, values = mattering(OBJECT.replace(b"%s", value))
    assert made().filled(values, 10) is None


def test_a_length_that_is_not_the_body_s_makes_no_template() -> None:
    head = marked(answer(lines(with_marks(OBJECT), 11)))
    assert head is not None
    assert Template.of(head, None, 10) is None
    head = marked(answer(b"Content-Length: 10\r\ncontent-length: 10\r\n"))
    assert head is not None
    assert Template.of(head, None, 10) is None
    head = marked(answer(b"Content-Length: about 10\r\n"))
    assert head is not None
    assert Template.of(head, None, 10) is None


def test_what_cannot_be_told_from_a_mark_is_not_marked() -> None:
    assert marked(answer(b"X-Amz-Cf-Id: %b\r\n" % MARK_ID.encode())) is None
    assert marked(answer(b"Age: %d\r\n" % MARK_AGE)) is None


def test_it_is_of_objects_with_the_same_status_and_size() -> None:
    prepared = PreparedHead(b"HTTP/1.1 200 OK\r\n\0I\r\n\r\n", None, entry())
    assert prepared.is_of(entry())
    assert not prepared.is_of(entry(4))
    assert prepared.around_id(1, 0.0) == (b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n")
