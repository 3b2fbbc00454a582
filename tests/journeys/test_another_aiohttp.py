"""`edgeproxy dev` with an aiohttp that has changed inside, or whose parser was not compiled."""

import http.client
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command import Command, dev
from tests.support.origin import Answer, Got, Origin

OTHER_NAMES = '''
"""Gives names inside aiohttp to others, as a later version might."""

import importlib.machinery
import re
import sys


class Renaming(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        source = re.sub(rb"\\b(_waiter|_ErrInfo)\\b", rb"\\1_now", self.get_data(self.path))
        return compile(source, self.path, "exec", dont_inherit=True)


class Finder:
    def find_spec(self, name, path=None, target=None):
        if not name.startswith("aiohttp."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Renaming(name, spec.origin)
        return spec


sys.meta_path.insert(0, Finder())
'''
HOOK = """
def handler(event, context):
    request = event['Records'][0]['cf']['request']
    if request['uri'] == '/made':
        return {'status': '202', 'headers': {'x-made': [{'key': 'X-MADE', 'value': 'here'}]}}
    request['headers']['x-hook'] = [{'key': 'x-HOOK', 'value': 'was here'}]
    return request
"""


def answer(got: Got) -> Answer:
    if got.target == "/stream":
        return Answer(200, {"Cache-Control": "no-store"}, b"in chunks", chunked=True)
    if got.method == "POST":
        return Answer(201, {"X-ODD-case": "Kept"}, got.body.upper())
    return Answer(200, {"Cache-Control": "max-age=60", "ETag": '"1"'}, b"0123456789")


@pytest.fixture(params=["renamed", "not compiled"])
def command(
    request: pytest.FixtureRequest,
    origin: Origin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Command]:
    if request.param == "renamed":
        (tmp_path / "changed").mkdir()
        (tmp_path / "changed" / "sitecustomize.py").write_text(OTHER_NAMES)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "changed"), prepend=":")
        missing = "_waiter, _ErrInfo"
    else:
        monkeypatch.setenv("AIOHTTP_NO_EXTENSIONS", "1")
        missing = "parser in C"
    origin.answer = answer
    (tmp_path / "hook.py").write_text(HOOK)
    with dev(origin.url, "--viewer-request", "hook.py", cwd=tmp_path) as command:
        notices = re.findall(r"\* aiohttp [\d.]+ has no (.*):", command.wait_for("remedy: install"))
        assert notices == [missing]
        yield command


def test_viewers_are_served_all_the_same(command: Command, origin: Origin) -> None:
    viewer = http.client.HTTPConnection(urlsplit(command.endpoints["viewer"]).netloc, timeout=20)

    def ask(
        method: str, path: str, body: object = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        viewer.request(method, path, body, headers, encode_chunked=True)  # type: ignore[arg-type]
        response = viewer.getresponse()
        return response, response.read()

    first, body = ask("GET", "/")
    connection = viewer.sock
    assert (first.status, body) == (200, b"0123456789")
    assert first.headers.get_all("X-Cache") == ["Miss from cloudfront"]
    assert (first.headers.get_all("Server"), len(first.headers.get_all("Date", ()))) == (None, 1)
    assert origin.got[-1].header("x-hook") == "was here"
    again, body = ask("GET", "/")
    assert (again.headers["X-Cache"], body) == ("Hit from cloudfront", b"0123456789")
    head, body = ask("HEAD", "/")
    assert (head.status, head.headers["Content-Length"], body) == (200, "10", b"")
    unchanged, body = ask("GET", "/", **{"If-None-Match": '"1"'})
    assert (unchanged.status, body) == (304, b"")
    part, body = ask("GET", "/", Range="bytes=2-4")
    assert (part.status, part.headers["Content-Range"], body) == (206, "bytes 2-4/10", b"234")
    assert ask("GET", "/stream")[1] == b"in chunks"
    made, _ = ask("GET", "/made")
    assert (made.status, made.headers.get_all("x-made")) == (202, ["here"])
    posted, body = ask("POST", "/form", b"sent whole")
    assert (posted.status, body) == (201, b"SENT WHOLE")
    assert ("X-ODD-case", "Kept") in posted.getheaders()
    assert ask("POST", "/form", iter([b"in ", b"pieces"]))[1] == b"IN PIECES"
    assert viewer.sock is connection
    command.wait_for("/form")
    assert command.stop(signal.SIGTERM) == 0
    viewer.close()
