from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import (
    FunctionNotFound,
    choose_version,
    find_version,
    qualified_arn,
)
from edgeproxy.chance import Chance
from edgeproxy.runtimes.invocation import FunctionSpec

DEFINITION = FunctionDefinition(
    "f",
    FunctionSpec("f", "python3.12", "app.handler", Path("/code"), "arn:f"),
    versions=("1", "2"),
    aliases={"live": "1", "dev": "$LATEST"},
)


@pytest.mark.parametrize(
    ("qualifier", "version"),
    [("", "$LATEST"), ("$LATEST", "$LATEST"), ("2", "2"), ("live", "1"), ("dev", "$LATEST")],
)
@pytest.mark.rule("LR-107")
def test_a_qualifier_names_a_version(qualifier: str, version: str) -> None:
    assert find_version(DEFINITION, qualifier) == version


@pytest.mark.parametrize("qualifier", ["3", "none", "$latest"])
@pytest.mark.rule("LI-006")
def test_an_unknown_qualifier_is_refused(qualifier: str) -> None:
    with pytest.raises(FunctionNotFound) as caught:
        find_version(DEFINITION, qualifier)
    assert caught.value.message == f"Function not found: arn:f:{qualifier}"


@pytest.mark.rule("LR-107")
def test_the_arn_shows_the_qualifier_only_if_there_is_one() -> None:
    assert [qualified_arn("arn:f", text) for text in ("", "live")] == ["arn:f", "arn:f:live"]


def test_a_wanted_version_is_taken_where_the_alias_may_come_to_it() -> None:
    shared = replace(DEFINITION, weights={"live": {"2": 0.5}})
    chance = Chance(1)
    for version in ("1", "2"):
        drawn = {choose_version(shared, "live", chance, wanted=version) for _ in range(20)}
        assert drawn == {version}
    assert choose_version(shared, "dev", chance, wanted="2") == "$LATEST"
    assert {choose_version(shared, "live", chance, wanted="3") for _ in range(20)} == {"1", "2"}
