import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.awslambda import packages
from edgeproxy.awslambda.packages import Package, code_of, frozen_copy, package_of
from edgeproxy.awslambda.resources import Version
from edgeproxy.runtimes.invocation import FunctionSpec


def version(folder: Path) -> Version:
    return Version(FunctionSpec("f", "python3.12", "app.handler", folder, "arn"), {}, "r-1", 0.0)


async def test_the_users_folder_is_looked_at_as_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1")
    before = await code_of(version(tmp_path))
    (tmp_path / "app.py").write_text("22")
    after = await code_of(version(tmp_path))
    assert (before.size, after.size) == (1, 2)
    assert before.sha256 != after.sha256
    known = replace(version(tmp_path), code_sha256="digest", code_size=7)
    assert await code_of(known) == Package(tmp_path, "digest", 7)


async def test_viewers_do_not_wait_while_a_folder_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, look_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(folder: Path) -> Package:
        loop.call_soon_threadsafe(looking.set)
        assert look_on.wait(5)
        return package_of(folder)

    monkeypatch.setattr(packages, "package_of", slow)
    found = asyncio.ensure_future(code_of(version(tmp_path)))
    await looking.wait()
    look_on.set()
    assert (await found).size == 0


def test_a_copy_is_out_of_reach_of_edits_and_without_the_copies(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("old")
    copies = tmp_path / "state" / "code"
    copy = frozen_copy(package_of(tmp_path), copies)
    (tmp_path / "app.py").write_text("new")
    assert [path.name for path in copy.folder.rglob("*.py")] == ["app.py"]
    assert (copy.folder / "app.py").read_text() == "old"
    assert not (copy.folder / "state" / "code").exists()
