"""Versions and aliases over Lambda's API: what is frozen, what is refused, what an alias runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import (
    answered,
    arn,
    create,
    invoke,
    lambda_client,
    package,
    refused,
    template,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Edge() as edge:
        yield edge.serve(template(tmp_path_factory.mktemp("versions"), "declared"), seed=7)


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


@pytest.fixture
def name(client: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A function of its own for the test."""
    name = request.node.originalname[:60]
    create(client, name)
    yield name
    client.delete_function(FunctionName=name)


def two_versions(client: Any, name: str) -> None:
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=package("b"))
    client.publish_version(FunctionName=name)


@pytest.mark.rule("LI-100", "LI-103")
def test_a_version_is_frozen(client: Any, name: str) -> None:
    one = client.publish_version(FunctionName=name, Description="first")
    assert (one["Version"], one["FunctionArn"]) == ("1", arn(f"{name}:1"))
    client.update_function_code(FunctionName=name, ZipFile=package("b"))
    client.update_function_configuration(
        FunctionName=name, Timeout=9, MemorySize=256, Environment={"Variables": {"MARK": "x"}}
    )
    kept = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert (kept["Timeout"], kept["MemorySize"], kept["Description"]) == (3, 128, "first")
    assert kept["CodeSha256"] == one["CodeSha256"]
    before, now = invoke(client, f"{name}:1"), invoke(client, name)
    assert (before["mark"], before["env"], before["version"]) == ("a", None, "1")
    assert (now["mark"], now["env"], now["version"]) == ("b", "x", "$LATEST")


@pytest.mark.rule("LI-100")
def test_numbers_are_never_given_twice(client: Any, name: str) -> None:
    two_versions(client, name)
    client.delete_function(FunctionName=name, Qualifier="2")
    client.update_function_code(FunctionName=name, ZipFile=package("c"))
    assert client.publish_version(FunctionName=name)["Version"] == "3"
    client.delete_function(FunctionName=name)
    create(client, name)
    assert client.publish_version(FunctionName=name)["Version"] == "1"


@pytest.mark.rule("LI-101")
def test_nothing_new_is_the_same_version(client: Any, name: str) -> None:
    first = client.publish_version(FunctionName=name)
    again = client.publish_version(FunctionName=name)
    assert (first["Version"], again["Version"]) == ("1", "1")
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert again["RevisionId"] == first["RevisionId"]
    client.update_function_configuration(FunctionName=name, Timeout=4)
    assert client.publish_version(FunctionName=name)["Version"] == "2"


@pytest.mark.rule("LI-102")
def test_what_was_meant_for_another_revision(client: Any, name: str) -> None:
    current = client.get_function_configuration(FunctionName=name)
    assert refused(client.publish_version, FunctionName=name, CodeSha256="other") == (
        400,
        "InvalidParameterValueException",
        (
            f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST "
            f"({current['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
        ),
    )
    stale = refused(client.publish_version, FunctionName=name, RevisionId="other")
    assert stale == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        ),
    )
    given = {key: current[key] for key in ("CodeSha256", "RevisionId")}
    assert client.publish_version(FunctionName=name, **given)["Version"] == "1"


@pytest.mark.rule("LI-104")
@pytest.mark.parametrize(
    ("alias", "status"), [("2024-01-02", 201), ("a_b-C", 201), ("2024", 400), ("a.b", 400)]
)
def test_names_of_aliases(client: Any, name: str, alias: str, status: int) -> None:
    client.publish_version(FunctionName=name)
    parameters = {"FunctionName": name, "Name": alias, "FunctionVersion": "1"}
    if status == 201:
        made = client.create_alias(**parameters)
        assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    else:
        assert refused(client.create_alias, **parameters)[:2] == (400, "ValidationException")


@pytest.mark.rule("LI-104", "LI-109")
def test_an_alias_runs_its_version(client: Any, name: str) -> None:
    two_versions(client, name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    told = invoke(client, name, Qualifier="live")
    assert (told["version"], told["arn"], told["mark"]) == ("1", arn(f"{name}:live"), "a")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert invoke(client, name, Qualifier="live")["mark"] == "b"
    missing = refused(client.create_alias, FunctionName=name, Name="other", FunctionVersion="live")
    assert missing[0] in (400, 404), "never to another alias"


@pytest.mark.rule("LI-105", "LI-108", "LI-109")
def test_weights(client: Any, name: str) -> None:
    two_versions(client, name)
    client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}},
    )
    seen = [answered(client, name, Qualifier="live")["ExecutedVersion"] for _ in range(400)]
    assert abs(seen.count("2") / len(seen) - 0.25) < 0.09
    assert set(seen) == {"1", "2"}


WEIGHTS = "Number of items in AdditionalVersionWeights cannot be greater than 1"
TWICE = (
    "Invalid function version 1. Function version 1 is already included in routing configuration."
)
LATEST = "$LATEST is not supported for an alias pointing to more than 1 version"


@pytest.mark.parametrize(
    ("version", "weights", "status", "told"),
    [
        pytest.param("1", {"2": 0.1, "3": 0.1}, 400, WEIGHTS, marks=pytest.mark.rule("LI-105")),
        pytest.param("1", {"1": 0.1}, 400, TWICE, marks=pytest.mark.rule("LI-106")),
        pytest.param("$LATEST", {"1": 0.1}, 400, LATEST, marks=pytest.mark.rule("LI-106")),
        pytest.param("1", {"2": 1.1}, 400, "satisfy", marks=pytest.mark.rule("LI-106")),
        pytest.param("1", {"2": -0.1}, 400, "satisfy", marks=pytest.mark.rule("LI-106")),
        pytest.param("1", {"live": 0.1}, 400, "satisfy", marks=pytest.mark.rule("LI-106")),
        pytest.param("1", {"10": 0.1}, 404, ":10", marks=pytest.mark.rule("LI-106")),
        pytest.param("10", {}, 404, ":10", marks=pytest.mark.rule("LI-106")),
    ],
)
def test_aliases_that_are_refused(
    client: Any, name: str, version: str, weights: dict[str, float], status: int, told: str
) -> None:
    two_versions(client, name)
    got, _, text = refused(
        client.create_alias,
        FunctionName=name,
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )
    assert got == status
    assert told in text


@pytest.mark.rule("LI-106")
def test_an_alias_of_latest(client: Any, name: str) -> None:
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    assert invoke(client, name, Qualifier="live")["version"] == "$LATEST"


@pytest.mark.rule("LI-107")
@pytest.mark.parametrize(
    "change",
    [
        {"Role": "arn:aws:iam::123456789012:role/other"},
        {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}},
    ],
)
def test_both_versions_have_one_role_and_dead_letter_queue(
    client: Any, name: str, change: dict[str, Any]
) -> None:
    client.publish_version(FunctionName=name)
    client.update_function_configuration(FunctionName=name, **change)
    client.publish_version(FunctionName=name)
    status, kind, _ = refused(
        client.create_alias,
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    assert (status, kind) == (400, "InvalidParameterValueException")


@pytest.mark.rule("LI-110")
def test_routing_is_cleared(client: Any, name: str) -> None:
    two_versions(client, name)
    alias = {"FunctionName": name, "Name": "live"}
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    client.create_alias(**alias, FunctionVersion="1", RoutingConfig=weights)
    assert client.get_alias(**alias)["RoutingConfig"] == weights
    assert invoke(client, name, Qualifier="live")["version"] == "2"
    client.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in client.get_alias(**alias)
    assert invoke(client, name, Qualifier="live")["version"] == "1"


@pytest.mark.rule("LI-111")
def test_aliases_that_are_there_or_not(client: Any, name: str) -> None:
    client.publish_version(FunctionName=name)
    alias = {"FunctionName": name, "Name": "live"}
    live = arn(f"{name}:live")
    missing = "ResourceNotFoundException"
    assert refused(client.update_alias, **alias) == (404, missing, f"Alias not found: {live}")
    assert refused(client.get_alias, **alias) == (404, missing, f"Cannot find alias arn: {live}")
    assert client.delete_alias(**alias)["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.create_alias(**alias, FunctionVersion="1")
    assert refused(client.create_alias, **alias, FunctionVersion="1") == (
        409,
        "ResourceConflictException",
        f"Alias already exists: {live}",
    )
    assert client.delete_alias(**alias)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_aliases(FunctionName=name)["Aliases"] == []


@pytest.mark.rule("LI-100", "LI-103")
def test_a_declared_function_is_frozen_as_well(client: Any) -> None:
    version = client.publish_version(FunctionName="declared")["Version"]
    client.update_function_code(FunctionName="declared", ZipFile=package("new"))
    assert invoke(client, "declared")["mark"] == "new"
    assert invoke(client, f"declared:{version}")["mark"] == "MARK"
