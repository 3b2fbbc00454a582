"""The endpoints file is there whole or not at all."""

import json
from pathlib import Path

import pytest

from edgeproxy.app.endpoints import EndpointsFile
from edgeproxy.errors import UsageError

DOCUMENT: dict[str, object] = {"control": "http://127.0.0.1:8081", "distributions": {"Site": {}}}


def test_it_is_written_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    file = EndpointsFile(path)
    file.write(DOCUMENT)
    assert json.loads(path.read_text()) == DOCUMENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["endpoints.json"]
    file.remove()
    file.remove()
    assert not list(tmp_path.iterdir())


def test_an_earlier_one_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text("old")
    with path.open() as reader:
        EndpointsFile(path).write(DOCUMENT)
        assert reader.read() == "old"
    assert json.loads(path.read_text()) == DOCUMENT


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none" / "endpoints.json"
    with pytest.raises(UsageError, match="a folder that exists") as caught:
        EndpointsFile(path).write(DOCUMENT)
    assert str(path) in str(caught.value)


def test_a_path_that_is_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        EndpointsFile(path).write(DOCUMENT)
    assert list(tmp_path.iterdir()) == [path]
