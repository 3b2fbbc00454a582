"""Requests and responses are frozen values with AWS-shaped defaults."""

from dataclasses import FrozenInstanceError, fields

import pytest

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Reached, Request, Response, Viewer, reason_phrase


@pytest.mark.parametrize(("query", "target"), [(None, "/a"), ("", "/a?"), ("b=1", "/a?b=1")])
def test_the_target_is_the_raw_text(query: str | None, target: str) -> None:
    assert Request("GET", "/a", query).target == target


def test_the_host_is_the_header_port_included() -> None:
    assert Request("GET", "/", headers=Headers([("host", "a.example:81")])).host == "a.example:81"
    assert Request("GET", "/").host == ""


def test_defaults() -> None:
    request = Request("GET", "/")
    assert (request.version, request.body.length, request.upgrade) == ("1.1", 0, "")
    assert request.viewer == Viewer("127.0.0.1", 0, "http")
    assert Response(204).body.length == 0


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Request("GET", "/").path = "/b"  # type: ignore[misc]


@pytest.mark.parametrize(("status", "phrase"), [(200, "OK"), (404, "Not Found"), (599, "")])
def test_reason_phrases(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_other_headers_leave_all_else_as_it_is() -> None:
    def ended(delivered: Delivered) -> None: ...

    headers, body = Headers([("a", "b")]), BytesBody(b"x")
    request = Request(
        "PUT", "/a", "q", "1.0", Headers(), body, Viewer("::1"), "websocket", lambda: True
    )
    response = Response(
        404, Headers(), body, "No", on_delivered=ended, why="gone", reached=Reached(1.0)
    )
    for message in (request, response):
        changed = message.with_headers(headers)
        assert changed.headers is headers
        for field in fields(message):
            if field.name != "headers":
                assert getattr(changed, field.name) is getattr(message, field.name)
