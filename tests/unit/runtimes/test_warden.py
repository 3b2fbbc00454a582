import os
import subprocess
from pathlib import Path

from edgeproxy.runtimes.warden import Warden


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], start_new_session=True)


def test_watched_groups_and_the_folder_go_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    warden = Warden(folder)
    watched, forgotten = sleeper(), sleeper()
    for process in (watched, forgotten):
        warden.watch(process.pid)
    warden.forget(forgotten.pid)
    warden.close()
    assert watched.wait(5) == -9
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
    assert first.wait(5) == -9
    assert second.wait(5) == -9
