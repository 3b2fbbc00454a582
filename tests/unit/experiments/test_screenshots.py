"""Browsers that take no picture."""

import os
from pathlib import Path

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.experiments import screenshots
from edgeproxy.experiments.screenshots import Screenshots, browser

_PICTURE = """\
#!/bin/sh
for each; do case $each in --screenshot=*) printf '%s' "$*" > "${each#*=}";; esac; done
"""
_HANGS = """\
#!/bin/sh
exec 3> "{pipe}"
sleep 1000 &
wait
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for Chromium."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "chromium"


def write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


async def test_the_newest_pictures_are_kept(program: Path) -> None:
    write(program, _PICTURE)
    taken = Screenshots()
    numbers = [await taken.take(f"http://b.localhost:1/{each}", "127.0.0.1") for each in range(17)]
    assert taken.get(numbers[0]) is None
    told = (taken.get(numbers[-1]) or b"").decode()
    assert told.endswith(" http://b.localhost:1/16")
    assert "--host-resolver-rules=MAP b.localhost 127.0.0.1" in told
    assert ("--no-sandbox" in told) == (os.geteuid() == 0)
    assert not Path(told.partition("--user-data-dir=")[2].partition("/profile")[0]).exists()


async def test_a_browser_that_hangs_is_ended_with_all_that_it_has_started(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(program, _HANGS.format(pipe=pipe))
    monkeypatch.setattr(screenshots, "_TAKES_S", 0.5)
    with pytest.raises(UsageError, match="took no picture within"):
        await Screenshots().take("http://b.localhost:1/", "127.0.0.1")
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # Nobody is left who could write.
    os.close(reader)


async def test_a_browser_that_fails_is_told(program: Path) -> None:
    write(program, "#!/bin/sh\nexit 1\n")
    with pytest.raises(UsageError, match="took no picture of"):
        await Screenshots().take("http://b.localhost:1/", "127.0.0.1")


async def test_without_a_browser_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser() is None
    with pytest.raises(UsageError) as caught:
        await Screenshots().take("http://b.localhost:1/", "127.0.0.1")
    assert caught.value.remedy == "install Chromium or Chrome"
