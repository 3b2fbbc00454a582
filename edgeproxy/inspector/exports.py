"""A recorded request as something to take away: a curl command, a pytest test."""

import re
import shlex
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Request

__all__ = ["curl_command", "pytest_test"]

_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
_ADDED_BY_CURL = ("Accept", "User-Agent")


def curl_command(
    request: Request, door: str, authority: Path | None, viewer: Iterable[tuple[str, str]]
) -> str:
    """A command that sends the request again to the URL ``door``, byte for byte.

    ``viewer`` are the headers that make the edge see the same viewer.
    """
    words = ["curl", "--include", "--path-as-is", "--globoff"]
    if door.startswith("https:") and authority is not None:
        words += ["--cacert", str(authority)]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != "GET" or request.body.preview:
        words += ["--request", request.method]
    for name, value in (*request.headers, *viewer):
        if name.lower() not in _FRAMING:
            words += ["--header", f"{name}: {value}" if value else f"{name};"]
    added = list(_ADDED_BY_CURL)
    command = ""
    if data := request.body.preview:
        added.append("Content-Type")
        try:
            words += ["--data-raw", _text(data)]
        except ValueError:
            command = f"printf %s {b64encode(data).decode()} | base64 -d | "
            words += ["--data-binary", "@-"]
    for name in added:
        if name not in request.headers:
            words += ["--header", f"{name}:"]
    words.append(door + request.target)
    return command + " ".join(map(shlex.quote, words)) + "\n"


def pytest_test(exchange: Exchange, target: str | None) -> str:
    """A test that sends the request to an edge of its own and expects what this one answered.

    ``target`` is what that edge serves; None for the definition in the folder of the tests.
    """
    request, response = exchange.request, exchange.response
    name = re.sub(r"\W+", "_", f"{request.method}{request.path}".lower(), flags=re.ASCII).strip("_")
    lines = [pair for pair in request.headers if pair[0].lower() not in _FRAMING | {"host"}]
    arguments = [repr(request.method), ascii(request.target)]
    if lines:
        arguments.append(f"headers={lines!a}")
    if request.body.preview:
        arguments.append(f"body={request.body.preview!r}")
    text = [f"def test_{name}(edge):", f"    site = edge.serve({ascii(target) if target else ''})"]
    text.append(f"    response = site.request({', '.join(arguments)})")
    if response is not None:
        text.append(f"    assert response.status == {response.status}")
        if cached := response.headers.get("X-Cache"):
            text.append(f"    assert response.x_cache == {cached!a}")
    return "\n".join(text) + "\n"


def _text(data: bytes) -> str:
    text = data.decode("utf-8")
    if not all(char.isprintable() or char in "\n\t" for char in text):
        raise ValueError("a terminal would not show it as it is")
    return text
