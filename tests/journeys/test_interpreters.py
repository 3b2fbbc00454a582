"""Functions whose runtime is not on this machine: the nearest runs them, which is said once."""

import sys
from pathlib import Path

import pytest

from tests.support.command import dev, run

RUNTIME = "python3.14" if sys.version_info[1] != 14 else "python3.13"
NOTE = f"{RUNTIME} is not installed here: its functions run on Python 3.{sys.version_info[1]}."
TEMPLATE = "Resources:\n" + "".join(
    f"""
  {name}:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: {name}
      Runtime: {RUNTIME}
      Handler: app.handler
      Code: .
      Role: arn:aws:iam::123456789012:role/none
"""
    for name in ("First", "Second")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app.py").write_text("def handler(event, context): return 1\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_dev_says_it_once(folder: Path) -> None:
    with dev(cwd=folder) as command:
        command.wait_for(NOTE)
        (folder / "app.py").write_text("def handler(event, context): return 2\n")
        command.wait_for("reloaded First")
        command.wait_for("reloaded Second")
        command.stop()
    assert command.console.count(NOTE) == 1


def test_check_says_it_once(folder: Path) -> None:
    result = run("check", "template.yaml", cwd=folder)
    assert result.stderr.count(NOTE) == 1
    assert NOTE not in result.stdout


def test_invoke_says_it_on_standard_error(folder: Path) -> None:
    result = run("invoke", "First", "--target", "template.yaml", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "1\n")
    assert result.stderr.count(NOTE) == 1
