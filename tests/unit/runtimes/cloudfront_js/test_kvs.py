"""Key-value stores and AWS's import file."""

import json
from pathlib import Path

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.cloudfront_js import KeyValues, load_import_file


def write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return path


def test_the_import_file(tmp_path: Path) -> None:
    entries = [{"key": "a", "value": "1"}, {"key": "é", "value": ""}]
    assert load_import_file(write(tmp_path / "kvs.json", {"data": entries})) == {"a": "1", "é": ""}


@pytest.mark.parametrize(
    ("document", "words", "place"),
    [
        ("{", "not valid JSON", "kvs.json:1"),
        ([], 'no list "data"', "kvs.json"),
        ({"data": {}}, 'no list "data"', "kvs.json"),
        ({"data": [{"key": "a", "value": 1}]}, "both strings", "data[0]"),
        ({"data": [{"key": "a"}]}, "both strings", "data[0]"),
        ({"data": [{"key": "a", "value": ""}] * 2}, "occurs twice", "data[1]"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(
    tmp_path: Path, document: object, words: str, place: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_import_file(write(tmp_path / "kvs.json", document))
    assert words in caught.value.message
    assert place in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        load_import_file(tmp_path / "none.json")


@pytest.mark.rule("CFF-KVS-09")
@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ({"k" * 512: ""}, {"k" * 513: ""}),
        ({"é" * 256: ""}, {"é" * 256 + "k": ""}),
        ({"k": "v" * 1024}, {"k": "v" * 1025}),
        ({"k": ""}, {"": "v"}),
        (
            {f"{i:04}": "v" * 1020 for i in range(5120)},
            {f"{i:04}": "v" * 1020 for i in range(5121)},
        ),
    ],
)
def test_limits(fits: dict[str, str], too_much: dict[str, str]) -> None:
    store = KeyValues("s", fits, now=lambda: 0)
    with pytest.raises(DefinitionError) as caught:
        store.replace(too_much)
    assert caught.value.rule == "CFF-KVS-09"
    assert store.data == fits


@pytest.mark.rule("CFF-KVS-06")
def test_meta() -> None:
    times = iter([0.0, 1.5])
    store = KeyValues("s", {"a": "1"}, now=lambda: next(times))
    store.replace({"a": "1", "b": "2"})
    assert store.meta() == {
        "creationDateTime": "1970-01-01T00:00:00.000Z",
        "lastUpdatedDateTime": "1970-01-01T00:00:01.500Z",
        "keyCount": 2,
    }
    assert store.get("b") == "2"
    assert store.exists("b")
    assert store.get("c") is None


def test_the_id_stays_the_same_for_a_name() -> None:
    first, second = (KeyValues("s", {}, now=lambda: 0) for _ in range(2))
    assert first.id == second.id != KeyValues("t", {}, now=lambda: 0).id
    assert KeyValues("s", {}, now=lambda: 0, store_id="mine").id == "mine"


def test_an_edit_happens_whole_or_not_at_all() -> None:
    store = KeyValues("s", {"a": "1", "b": "2"}, now=lambda: 0)
    before = store.etag
    store.edit({"c": "3", "b": "4"}, ["a"])
    assert dict(store.data) == {"b": "4", "c": "3"}
    assert store.size == 4
    assert store.etag not in ("", before)
    after = store.etag
    with pytest.raises(DefinitionError):
        store.edit({"d": "x" * 1025}, ["b"])
    assert dict(store.data) == {"b": "4", "c": "3"}
    assert store.etag == after
