"""The projects of this folder, with their packages installed beside the code, as one ships them."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeproxy.testing import Edge
from tests.support.origin import Origin, running_origin

_PROJECTS = Path(__file__).parent / "projects"


@pytest.fixture(scope="module")
def module_edge() -> Iterator[Edge]:
    """One edge for a module's tests."""
    with Edge() as edge:
        yield edge


@pytest.fixture(scope="module")
def module_origin() -> Iterator[Origin]:
    """The origin behind it."""
    with running_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Copies a project and puts packages into the folder of its code: ``app``, or a path in it.

    Packages for Python are those of the Python that runs the tests, so the functions run on it.
    """

    def copy(name: str, packages: Path, into: str = "app") -> Path:
        folder = tmp_path_factory.mktemp(name)
        shutil.copytree(_PROJECTS / name, folder, dirs_exist_ok=True)
        shutil.copytree(packages, folder / into, dirs_exist_ok=True)
        template = folder / "template.yaml"
        here = f"python3.{sys.version_info.minor}"
        template.write_text(re.sub(r"python3\.\d+", here, template.read_text()))
        return folder

    return copy
