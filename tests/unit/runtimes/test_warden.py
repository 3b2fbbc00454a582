import contextlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from edgeproxy.runtimes.warden import MARK, Warden
from tests.unit.runtimes.account import Account, until, value_of


def sleeper(environ: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env=environ, start_new_session=True)


def test_watched_groups_and_the_folder_go_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    warden = Warden(folder)
    watched, forgotten = sleeper(), sleeper()
    for process in (watched, forgotten):
        warden.watch(process.pid)
    warden.forget(forgotten.pid)
    warden.close()
    assert watched.wait(20) == -9
    assert forgotten.poll() is None
    assert not folder.exists()
    forgotten.kill()
    forgotten.wait()


def test_a_killed_warden_is_replaced(tmp_path: Path) -> None:
    warden = Warden(tmp_path / "scratch")
    first, second = sleeper(), sleeper()
    warden.watch(first.pid)
    os.kill(warden._process.pid, 9)
    warden._process.wait()
    warden.watch(second.pid)
    warden.close()
    assert first.wait(20) == -9
    assert second.wait(20) == -9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows others' variables")
async def test_children_in_sessions_of_their_own_end_with_their_worker(tmp_path: Path) -> None:
    code = """
import subprocess
def handler(event, context):
    nested = ["/bin/sh", "-c", "setsid sleep 777 & exec sleep 778"]
    return subprocess.Popen(nested, start_new_session=True, stdout=-3, stderr=-3).pid
"""
    other = sleeper({**os.environ, MARK: "/elsewhere/1/"})
    try:
        async with Account(tmp_path) as account:
            marks = []
            for name in ("one", "two"):
                await account.service.deploy(account.define(code, name=name))
                pid = value_of(await account.call(name=name))
                await until(partial(_mark, pid))
                marks.append(_mark(pid))
            first, second = marks
            await until(lambda: _sleeping(first) == _sleeping(second) == 2)
            await account.service.remove("one")
            await until(lambda: not _sleeping(first))
            assert _sleeping(second) == 2
        assert not _sleeping(second)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


HOPPER = """
import os
for _ in range(20000):
    if os.fork():
        os._exit(0)
    os.setsid()
"""
CROWD = """
import os, time
for _ in range(6):
    os.fork()
    os.setsid() if os.getpid() != os.getsid(0) else None
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows others' variables")
@pytest.mark.parametrize("bomb", [HOPPER, CROWD], ids=["hopper", "crowd"])
async def test_who_forks_again_and_again_does_not_get_away(tmp_path: Path, bomb: str) -> None:
    code = f"""
import os, subprocess, sys
def handler(event, context):
    subprocess.Popen([sys.executable, "-S", "-c", {bomb!r}], start_new_session=True)
    return os.environ[{MARK!r}]
"""
    async with Account(tmp_path) as account:
        mark = f"{MARK}={value_of(await account.run(code))}"
        await until(lambda: _count(mark) > 1)
    # By itself it would go on for longer.
    await until(lambda: not _count(mark), within_s=5)


def _mark(pid: int) -> str:
    """The mark that a process got; none as long as it is between two programs."""
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return next((line for line in variables if line.startswith(MARK)), "")


def _sleeping(mark: str) -> int:
    """How many ``sleep`` processes have the mark."""
    return _count(mark, "sleep\n")


def _count(mark: str, program: str = "") -> int:
    """How many processes have the mark and, if one is named, run the program."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (folder / "environ").read_text(errors="replace")
            found += mark in text and program in ("", (folder / "comm").read_text())
    return found
