"""The API's XML."""

from xml.etree import ElementTree

import pytest

from edgeproxy.entrypoints.cloudfront_api.answers import ApiError
from edgeproxy.entrypoints.cloudfront_api.documents import (
    document,
    items,
    parse,
    read,
    read_base64,
    timestamp,
)


def test_values_as_elements() -> None:
    content = {"Yes": True, "Count": 3, "Gone": None, "Text": "<&é", "List": items("One", "ab")}
    text = document("Root", content).decode()
    assert text.splitlines()[1] == (
        '<Root xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Yes>true</Yes>'
        "<Count>3</Count><Text>&lt;&amp;é</Text><List><Quantity>2</Quantity><Items>"
        "<One>a</One><One>b</One></Items></List></Root>"
    )
    assert b"<List><Quantity>0</Quantity></List>" in document("Root", {"List": items("One", [])})


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\ud800", "\ufffe"])
def test_what_no_document_can_hold_is_replaced(char: str) -> None:
    text = ElementTree.fromstring(document("Root", f"a{char}b\n")).text
    assert text is not None
    assert (text[0], text[2:]) == ("a", "b\n")


def test_times_have_milliseconds() -> None:
    assert timestamp(1_700_000_000.0625) == "2023-11-14T22:13:20.062Z"


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://cloudfront.amazonaws.com/doc/x/"'])
def test_a_clients_document(namespace: str) -> None:
    element = parse(f"<R{namespace}><A><B>YWI=</B><E/></A></R>".encode(), "R")
    assert read_base64(element, "A/B") == b"ab"
    assert read(element, "A/E") == ""
    assert read(element, "A/C", "default") == "default"
    for path in ("A/C", "D"):
        with pytest.raises(ApiError, match=f"{path} is missing"):
            read(element, path)


@pytest.mark.parametrize("text", ["a", "YW.I=", "é"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="A is not base64"):
        read_base64(parse(f"<R><A>{text}</A></R>".encode(), "R"), "A")


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE R [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><R>&b;</R>',
        b'<!DOCTYPE R SYSTEM "file:///etc/passwd"><R/>',
        b'<!DOCTYPE R [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]><R/>',
        b"<R>&a;</R>",
        b"<R>",
        b"R",
        b"<S/>",
        b"\xff\xfe<R/>",
        b'<?xml version="1.0" encoding="shift_jis"?><R/>',
        b'<?xml version="1.0" encoding="none"?><R/>',
    ],
)
def test_a_document_that_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse(body, "R")
    assert (caught.value.status, caught.value.code) == (400, "MalformedInput")
