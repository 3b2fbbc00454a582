"""Keys that do things while `edgeproxy dev` runs, and a terminal that is left as it was found."""

import json
import os
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import dev
from tests.support.origin import Answer, Origin
from tests.support.terminal import Screen, on_terminal

_KEYS = "keys: o page"


@pytest.fixture
def browser_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that notes which page it is to show; the fifo where it does."""
    told = tmp_path / "told"
    os.mkfifo(told)
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    return told


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[Screen, dict[str, str]]]:
    with on_terminal(
        "dev", *arguments, "--port", "0", "--control-port", "0",
        "--endpoints-file", "endpoints.json", cwd=folder,
    ) as screen:  # fmt: skip
        screen.wait_for("edgeproxy is ready")
        yield screen, json.loads((folder / "endpoints.json").read_text())


def _does(screen: Screen, key: str, then: str) -> str:
    """What appears after a key is pressed, as soon as ``then`` is there."""
    since = len(screen.text)
    screen.press(key)
    return screen.wait_for(then, since)[since:]


def _x_cache(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as response:
        response.read()  # Who has seen all of an object finds it stored.
        return str(response.headers["X-Cache"]).partition(" ")[0]


def test_keys_do_what_the_greeting_says(tmp_path: Path, origin: Origin, browser_told: Path) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    with running(tmp_path, origin.url) as (screen, endpoints):
        screen.wait_for(_KEYS)
        url = endpoints["viewer"]
        assert [_x_cache(url), _x_cache(url)] == ["Miss", "Hit"]
        _does(screen, "c", "cache cleared: 1 object\n")
        assert [_x_cache(url), _x_cache(url)] == ["Miss", "Hit"]
        _does(screen, "x", "cache off")
        assert [_x_cache(url), _x_cache(url)] == ["Miss", "Miss"]
        _does(screen, "x", "cache on")
        assert _x_cache(url) == "Hit"
        _does(screen, "r", "reloaded everything")
        _does(screen, "h", _KEYS)
        _does(screen, "?", _KEYS)
        screen.press("o")
        assert browser_told.read_text().strip() == url
        screen.press("i")
        assert browser_told.read_text().strip() == endpoints["control"] + "/"
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize("end", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_the_terminal_is_left_as_it_was_found(tmp_path: Path, end: str) -> None:
    with running(tmp_path, ".") as (screen, _):
        screen.wait_for(_KEYS)
        assert not screen.waits_for_enter()
        screen.press(end)
        assert screen.ended() == 0
        assert screen.waits_for_enter()


def test_the_terminal_is_left_as_it_was_found_after_a_crash(tmp_path: Path) -> None:
    crashing = (
        "import asyncio, sys; from edgeproxy.app.keys import Keys\n"
        "async def main():\n"
        "    Keys.of_this_process(sys.exit).start()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with on_terminal("-c", crashing, cwd=tmp_path, program=sys.executable) as screen:
        screen.wait_for("ready")
        assert not screen.waits_for_enter()
        screen.press("1")
        assert screen.ended() == 1
        assert screen.waits_for_enter()


def test_a_stopped_job_gives_the_terminal_back_and_takes_it_again(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edgeproxy dev . --port 0 --control-port 0"
    with on_terminal(
        "-c", f"set -m; {command}; stty -a; fg", cwd=tmp_path, program="bash"
    ) as screen:
        screen.wait_for(_KEYS)
        screen.press("\x1a")
        mode = screen.wait_for("echoctl")
        assert " icanon" in mode
        assert " echo " in mode
        screen.wait_for("edgeproxy dev", mode.index("echoctl"))
        while screen.waits_for_enter():
            pass
        _does(screen, "h", _KEYS)
        screen.press("q")
        assert screen.ended() == 0


def test_pasted_text_is_no_key(tmp_path: Path) -> None:
    with running(tmp_path, ".") as (screen, _):
        screen.wait_for(_KEYS)
        screen.press("quit\x1b[A")
        told = ""
        while _KEYS not in told:  # A key that is read together with the text is none either.
            screen.press("h")
            told += screen.watch(0.2)
        assert "reloaded" not in told


def test_a_debugger_s_prompt_has_the_keys_for_itself(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(
        "def handler(event, context):\n    breakpoint()\n    return {'status': '200'}\n"
    )
    with running(tmp_path, ".", "--viewer-request", "hook.py") as (screen, endpoints):
        asking = threading.Thread(
            target=lambda: urllib.request.urlopen(endpoints["viewer"], timeout=20).close()
        )
        asking.start()
        screen.wait_for("(Pdb) ")
        assert screen.waits_for_enter()
        screen.type("c", "hook")
        asking.join(20)
        _does(screen, "h", _KEYS)


def test_there_are_no_keys_without_a_terminal(tmp_path: Path) -> None:
    with dev(".", cwd=tmp_path) as command:
        assert "keys:" not in command.wait_for("inspector")


@pytest.mark.parametrize("options", [("--quiet",), ("--log-format", "json")])
def test_there_are_no_keys_where_nobody_reads_of_them(
    tmp_path: Path, browser_told: Path, options: tuple[str, ...]
) -> None:
    with on_terminal(
        "dev", ".", *options, "--port", "0", "--control-port", "0", "--open", cwd=tmp_path
    ) as screen:
        browser_told.read_text()
        assert screen.waits_for_enter()


def test_open_shows_the_page(tmp_path: Path, browser_told: Path) -> None:
    with dev(".", "--open", cwd=tmp_path) as command:
        assert browser_told.read_text().strip() == command.endpoints["viewer"]


def test_without_a_browser_the_page_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with dev(".", "--open", cwd=tmp_path) as command:
        command.wait_for(f"there is no browser to open here: {command.endpoints['viewer']}")
