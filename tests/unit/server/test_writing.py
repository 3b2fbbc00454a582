"""The head is a pure function of response and request; the wire tests prove the rest."""

import pytest

from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.server.writing import Framing, IllegalHead, frame


async def nothing():  # type: ignore[no-untyped-def]
    for part in ():
        yield part


KNOWN = BytesBody(b"abc")


@pytest.mark.rule("CDN-VER-04")
@pytest.mark.parametrize(
    ("status", "method", "version", "known", "framing", "keep_alive"),
    [
        (200, "GET", "1.1", True, Framing.LENGTH, True),
        (200, "GET", "1.1", False, Framing.CHUNKED, True),
        (200, "GET", "1.0", True, Framing.LENGTH, True),
        (200, "GET", "1.0", False, Framing.CLOSE, False),
        (200, "HEAD", "1.0", False, Framing.NONE, True),
        (204, "GET", "1.1", False, Framing.NONE, True),
        (304, "GET", "1.1", False, Framing.NONE, True),
    ],
)
def test_framing(
    status: int, method: str, version: str, known: bool, framing: Framing, keep_alive: bool
) -> None:
    response = Response(status, body=KNOWN if known else StreamBody(nothing()))
    framed = frame(response, method=method, version=version, keep_alive=True)
    assert (framed.framing, framed.keep_alive) == (framing, keep_alive)
    assert (b"chunked" in framed.head) == (framing is Framing.CHUNKED)


@pytest.mark.parametrize("reason", ["a\r\nX: y", "a\nb", "a\0b"])
def test_a_reason_cannot_break_out(reason: str) -> None:
    with pytest.raises(IllegalHead):
        frame(Response(200, reason=reason), method="GET", version="1.1", keep_alive=True)


def test_the_response_itself_stays_as_it_is() -> None:
    headers = Headers([("Connection", "x"), ("Content-Length", "9")])
    frame(Response(200, headers, KNOWN), method="GET", version="1.1", keep_alive=True)
    assert headers.lines() == [("Connection", "x"), ("Content-Length", "9")]
