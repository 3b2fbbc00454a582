"""The program is the same over asyncio's event loop and over uvloop's, if that is installed."""

import signal
import ssl
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Command, dev
from tests.support.origin import Answer, Got, Origin

PASS = "def handler(event, context):\n    return event['Records'][0]['cf']['request']\n"
RESPOND = "function handler(event) { return event.response; }\n"
LARGE = bytes(range(256)) * 20_000


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the loop over which programs run that are started now."""
    name = str(request.param)
    if name == "uvloop":
        pytest.importorskip("uvloop")
    else:
        hidden = tmp_path / "hidden"
        hidden.mkdir()
        (hidden / "uvloop.py").write_text("raise ImportError('not installed')\n")
        monkeypatch.setenv("PYTHONPATH", str(hidden), prepend=":")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return name


def loop_of(command: Command) -> str | None:
    """The loop that a program has loaded; None where the system does not tell."""
    maps = Path(f"/proc/{command.process.pid}/maps")
    if not maps.exists():
        return None
    return "uvloop" if "uvloop" in maps.read_text() else "asyncio"


def get(url: str, body: bytes | None = None) -> tuple[str, bytes]:
    """X-Cache and the body."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(url, body, timeout=10, context=trusting) as answer:
        assert answer.status == 200
        return answer.headers["X-Cache"], answer.read()


def slow(held: threading.Event, reached: threading.Event) -> Callable[[Got], Answer]:
    def answer(got: Got) -> Answer:
        reached.set()
        assert held.wait(20)
        return Answer(body=b"at last")

    return answer


def test_functions_large_bodies_tls_and_a_reload(loop: str, tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, body=LARGE, chunked=True)
    hook, function = tmp_path / "hook.py", tmp_path / "function.js"
    hook.write_text(PASS)
    function.write_text(RESPOND)
    functions = ("--viewer-request", "hook.py", "--viewer-response-cff", "function.js")
    options = ("--cache-policy", "CachingOptimized", "--https-port", "0")
    with dev(origin.url, *functions, *options, cwd=tmp_path) as command:
        plain, secure = command.endpoints["viewer"], command.endpoints["https_viewer"]
        assert loop_of(command) in (loop, None)
        assert get(f"{plain}/large") == ("Miss from cloudfront", LARGE)
        assert get(f"{secure}/large") == ("Hit from cloudfront", LARGE)
        assert get(f"{secure}/form", body=LARGE[:500_000])[0] == "Miss from cloudfront"
        assert origin.got[-1].body == LARGE[:500_000]
        hook.write_text(
            "def handler(event, context):\n    return {'status': '200', 'body': 'new'}\n"
        )
        command.wait_for("reloaded hook")
        assert get(f"{plain}/large") == ("LambdaGeneratedResponse from cloudfront", b"new")


def test_a_request_in_flight_is_finished_before_the_end(
    loop: str, tmp_path: Path, origin: Origin
) -> None:
    held, reached = threading.Event(), threading.Event()
    origin.answer = slow(held, reached)
    answers: list[bytes] = []
    with dev(origin.url, cwd=tmp_path) as command:
        url = command.endpoints["viewer"]
        viewer = threading.Thread(target=lambda: answers.append(get(url)[1]))
        viewer.start()
        assert reached.wait(20)
        command.process.send_signal(signal.SIGTERM)
        held.set()
        viewer.join(20)
        assert command.process.wait(20) == 0
    assert answers == [b"at last"]
