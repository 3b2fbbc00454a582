"""What a proposal is made of, and that it can be read as a declaration."""

from pathlib import Path
from typing import Any

from edgeproxy.experiments.declaration import read_experiments
from edgeproxy.experiments.model import Mark, MarkKind
from edgeproxy.experiments.proposal import as_yaml, proposals


def record(path: str, cookie: str = "", *set_cookies: str) -> dict[str, Any]:
    headers = [["Cookie", cookie]] if cookie else []
    lines = [["Set-Cookie", line] for line in set_cookies]
    return {
        "name": "Site", "path": path,
        "request": {"headers": headers}, "response": {"headers": lines},
    }  # fmt: skip


RECORDS = [
    record("/", "", "ab=a; Path=/", "session=1"),
    record("/", "theme=dark", "ab=b; Path=/", "session=2"),
    record("/cart", "ab=a; session=1; theme=dark"),
    record("/cart", "ab=b; session=2; theme=light"),
    record("/cart", "ab=b; session=3; theme=light"),
    record("/", "session=4"),
    record("/", "session=5"),
    record("/", "session=6"),
]


def test_a_cookie_that_answers_set_with_few_values_splits_visitors(tmp_path: Path) -> None:
    (found,) = proposals(RECORDS)
    assert found.cookie == "ab"
    assert found.counts == {"b": 3, "a": 2}
    assert found.paths == ("/cart", "/")
    file = tmp_path / "experiments.yaml"
    file.write_text(as_yaml([found]))
    experiment = read_experiments(file)["ab"]
    assert experiment.assignment == Mark(MarkKind.COOKIE, "ab")
    assert experiment.shares == {"a": 0.5, "b": 0.5}
    assert (experiment.door, experiment.paths) == ("Site", ("/cart", "/"))
    assert "seen: b 3, a 2" in file.read_text()


def test_values_that_look_like_something_else_stay_texts(tmp_path: Path) -> None:
    records = [record("/", f"v={value}", f"v={value}") for value in ("1", "1", "on", "on")]
    file = tmp_path / "experiments.yaml"
    file.write_text(as_yaml(proposals(records)))
    assert set(read_experiments(file)["v"].shares) == {"1", "on"}


def test_nothing_is_proposed_where_nothing_splits() -> None:
    assert proposals([]) == []
    assert proposals([record("/", "ab=a"), record("/", "ab=b")] * 2) == []  # Nobody sets it.
    assert proposals([record("/", "", "ab=a")] * 4) == []
