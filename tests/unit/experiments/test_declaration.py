"""What a declaration may say, and what is said about one that cannot be used."""

from pathlib import Path

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.experiments.declaration import experiment_of, read_experiments
from edgeproxy.experiments.model import Mark, MarkKind, Requirements


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "experiments.yaml"


WHOLE = """\
experiments:
  checkout:
    door: Shop
    assignment: {cookie: ab}
    exposure:
      body: {old: "<h1>Old", new: "<h1>New"}
    variants: {old: 90, new: 10}
    paths: [/, "/cart?x=1"]
    must_hold: {max_leaks: 2, min_hit_ratio: 0.5, share_alpha: null}
"""


def test_a_whole_declaration(file: Path) -> None:
    file.write_text(WHOLE)
    experiment = experiment_of(file, "checkout")
    assert experiment.door == "Shop"
    assert experiment.assignment == Mark(MarkKind.COOKIE, "ab")
    assert experiment.exposure == Mark(MarkKind.BODY, "", {"old": "<h1>Old", "new": "<h1>New"})
    assert experiment.shares == {"old": 0.9, "new": 0.1}
    assert experiment.paths == ("/", "/cart?x=1")
    assert experiment.requirements == Requirements(share_alpha=None, max_leaks=2, min_hit_ratio=0.5)


def test_a_short_declaration_has_defaults(file: Path) -> None:
    file.write_text("experiments: {home: {assignment: {cookie: ab}, variants: [a, b]}}")
    experiment = read_experiments(file)["home"]
    assert experiment.shares == {"a": 0.5, "b": 0.5}
    assert experiment.paths == ("/",)
    assert experiment.requirements == Requirements()
    assert experiment.exposure is None


def test_a_header_that_cannot_be_sent_is_refused(file: Path) -> None:
    start = "experiments: {x: {variants: [a, b], assignment: {sent_header: "
    file.write_text(start + '{name: X, values: {a: "", b: "1\\n2"}}}}}')
    with pytest.raises(DefinitionError, match=r"values\.b: .* cannot be sent in a header"):
        read_experiments(file)
    file.write_text(start + "{name: 'X Y', values: {a: '', b: '1'}}}}}")
    with pytest.raises(DefinitionError, match=r"sent_header\.name: 'X Y' is not the name"):
        read_experiments(file)


def test_thirds_need_no_more_than_a_digit_behind_the_point(file: Path) -> None:
    file.write_text(
        "experiments: {x: {variants: {a: 33.3, b: 33.3, c: 33.3}, assignment: {cookie: ab}}}"
    )
    assert experiment_of(file, "x").shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})


def test_the_longer_of_two_texts_tells_the_side() -> None:
    for kind in (MarkKind.BODY, MarkKind.PATH_PREFIX):
        mark = Mark(kind, "", {"a": "/buy", "b": "/buy/now"})
        assert [mark.variant_of(text) for text in ("/buy", "/buy/now!", "/")] == ["a", "b", None]


def test_toml_and_json_do_as_well(tmp_path: Path) -> None:
    toml = tmp_path / "edgeproxy.toml"
    toml.write_text(
        'port = 1\n[experiments.home]\nassignment = {response_header = "x-side"}\n'
        "variants = {a = 0.25, b = 0.75}\n"
    )
    assert experiment_of(toml, "home").shares == {"a": 0.25, "b": 0.75}
    json = tmp_path / "experiments.json"
    json.write_text(
        '{"experiments": {"x": {"assignment": {"cookie": "ab"}, "variants": ["a", "b"]}}}'
    )
    assert list(read_experiments(json)) == ["x"]


@pytest.mark.parametrize(
    ("given", "mark"),
    [
        ("cookie: {name: ab, values: {a: '1', b: 2}}",
         Mark(MarkKind.COOKIE, "ab", {"a": "1", "b": "2"})),
        ("request_header: X-Side", Mark(MarkKind.REQUEST_HEADER, "X-Side")),
        ("origin: {a: One, b: Two}", Mark(MarkKind.ORIGIN, "", {"a": "One", "b": "Two"})),
        ("path_prefix: {a: /a/, b: /b/}",
         Mark(MarkKind.PATH_PREFIX, "", {"a": "/a/", "b": "/b/"})),
        ("function_version: {name: shop, values: {a: '1', b: '2'}}",
         Mark(MarkKind.FUNCTION_VERSION, "shop", {"a": "1", "b": "2"})),
    ],
)  # fmt: skip
def test_marks(file: Path, given: str, mark: Mark) -> None:
    file.write_text(f"experiments: {{x: {{variants: [a, b], assignment: {{{given}}}}}}}")
    assert experiment_of(file, "x").assignment == mark


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("variants: {a: 50, b: 40}", r":3 experiments\.x\.variants: the shares add up to 90, not"),
        ("variants: {a: 100}", "has 2 to 20 variants"),
        ("variants: {a: 100, b: 0}", r"x\.variants\.b: a share must be more than 0"),
        ("variants: [a, a]", "names a variant twice"),
        ("variants: [a, b]\n    assigment: {}", r":4 .*unknown key 'assigment' .*assignment"),
        ("variants: [a, b]\n    paths: [cart]", "'cart' is not a path"),
        ("variants: {a: .nan, b: 100}", r"x\.variants\.a: must be a number"),
        ("variants: {a: 0.5, b: 0.4}", "add up to 0.9, not to 1 "),
        ("variants: [a, b]\n    must_hold: {max_leaks: .inf}", "must be a number"),
        ("variants: [a, b]\n    paths: []", "visitors need a path"),
        ("variants: [a, b]\n    paths: ['/a#b']", "'/a#b' is not a path"),
        ("variants: [a, b]\n    exposure: {response_header: 'X Side'}", "'X Side' is not the name"),
        ("variants: [a, b]\n    exposure: {response_header: ''}", "'' is not the name"),
        ("variants: [a, b]\n    paths: /", "must be a list of texts"),
        ("variants: [a, b]\n    must_hold: {max_leaks: many}", r"max_leaks: must be a number"),
        ("variants: [a, b]\n    must_hold: {max_leak: 1}", "did you mean max_leaks"),
        ("variants: [a, b]\n    must_hold: {min_hit_ratio: 50}", "must be from 0 to 1"),
        ("variants: [a, b]\n    must_hold: {max_p95_ms: -1}", "must not be negative"),
        ("variants: [a, b]\n    exposure: {cookie: ab}", "does not tell whom a response was for"),
        ("variants: [a, b]\n    exposure: {body: {a: x}}", "says nothing about variant b"),
        ("variants: [a, b]\n    exposure: {body: {a: x, b: x}}", "recognised by the same"),
        ("variants: [a, b]\n    exposure: {origin: {a: x, c: y}}", "unknown key 'c'"),
        ("variants: [a, b]\n    exposure: {body: {a: 1, b: 2}, origin: {}}", "must say one thing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, line: str, message: str) -> None:
    file.write_text(f"experiments:\n  x:\n    {line}\n    assignment: {{cookie: ab}}\n")
    with pytest.raises(DefinitionError, match=message):
        read_experiments(file)


def test_what_is_missing_is_said(file: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_experiments(file)
    file.write_text("experiments: {}")
    with pytest.raises(DefinitionError, match="declares no experiment"):
        read_experiments(file)
    file.write_text("experiments: {x: {variants: [a, b]}}")
    with pytest.raises(DefinitionError, match="assignment is missing"):
        read_experiments(file)
    file.write_text(WHOLE)
    with pytest.raises(DefinitionError, match=r"no experiment 'cart'.*it declares checkout"):
        experiment_of(file, "cart")
