import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeproxy.cache.stores.index import Index, Row, is_damage, open_index
from edgeproxy.errors import UsageError

TAKEN = 512 + 100
"""What a row with a body of 100 bytes takes."""


def row(name: str, size: int = 100) -> Row:
    return Row(name.encode(), b"", f"{name}.body", size, b"", "E1", b"")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index", 3 * TAKEN)
    yield index
    index.close()


def test_a_row_comes_back_sealed(index: Index) -> None:
    kept = Row(b"1", b"about", "file", 100, b"sums", "E1", b"")
    assert index.put(kept) == []
    found = index.find(b"1")
    assert found is not None
    assert found.seal == found.sealed() == kept.sealed()
    assert (found.digest, found.about, found.file, found.size, found.sums) == (
        b"1", b"about", "file", 100, b"sums",
    )  # fmt: skip
    assert index.taken == 512 + 100 + len(b"about" + b"sums")
    assert index.files() == {"file"}


def test_what_leaves_is_named_and_no_longer_counted(index: Index) -> None:
    for name in "abc":
        assert index.put(row(name)) == []
    assert index.taken == 3 * TAKEN
    assert index.find(b"a") is not None
    assert index.put(row("d")) == ["b.body"]
    assert index.remove([b"a", b"x"]) == ["a.body"]
    assert index.remove_file("c.body") == ["c.body"]
    assert index.remove_file("c.body") == []
    assert index.taken == TAKEN


def test_a_row_in_place_of_another(index: Index) -> None:
    index.put(row("a"))
    index.put(row("b"))
    other = Row(b"a", b"", "other.body", 100, b"", "E1", b"")
    assert index.put(other) == ["a.body"]
    assert index.put(other) == []  # the same body
    assert index.put(Row(b"a", b"", "large.body", 3 * TAKEN, b"", "E1", b"")) == [
        "other.body",
        "large.body",
    ]
    assert index.files() == {"b.body"}
    assert index.taken == TAKEN


def test_a_reservation_makes_room_and_holds_it(index: Index) -> None:
    for name in "abc":
        index.put(row(name))
    assert index.reserve(3 * TAKEN + 1) is None
    assert index.files() == {"a.body", "b.body", "c.body"}
    assert index.reserve(TAKEN + 1) == ["a.body", "b.body"]
    assert index.put(row("d")) == ["c.body"]
    assert index.reserve(2 * TAKEN) is None
    index.release(TAKEN + 1)
    assert index.taken == TAKEN


def test_an_index_is_for_one_at_a_time(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another edge"):
        open_index(tmp_path / "index", 1000)


def test_what_is_damage() -> None:
    with pytest.raises(sqlite3.Error) as failed, sqlite3.connect(":memory:") as db:
        db.execute("SELECT * FROM nowhere")
    db.close()
    assert not is_damage(failed.value)
    with pytest.raises(sqlite3.Error) as failed:
        db.execute("SELECT 1")
    assert not is_damage(failed.value)
