"""An alias with weights behind every door (LI-108, FU-003), and draws that are repeatable."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.asynchronous import until
from tests.support.doors import ELB, forward, listener, write_template
from tests.support.lambda_api import answered, lambda_client

CODE = """
import json
def handler(event, context):
    print("ran version", context.function_version, flush=True)
    return {"statusCode": 200, "body": context.function_version, "headers": {}}
"""


def resources(folder: Path) -> dict[str, Any]:
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(CODE)
    function = {
        "FunctionName": "f", "Code": "./code", "Handler": "app.handler",
        "Runtime": "python3.12", "Role": "arn:aws:iam::123456789012:role/r",
    }  # fmt: skip
    weights = [{"FunctionVersion": "2", "FunctionWeight": 0.5}]
    alias = {
        "FunctionName": {"Ref": "Fn"}, "Name": "live", "FunctionVersion": "1",
        "RoutingConfig": {"AdditionalVersionWeights": weights},
    }  # fmt: skip
    return {
        "Fn": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": alias},
        "Url": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": "Live"}, "AuthType": "NONE"},
        },
        "Streaming": {
            "Type": "AWS::Lambda::Url",
            "Properties": {
                "TargetFunctionArn": {"Ref": "Live"}, "AuthType": "NONE",
                "InvokeMode": "RESPONSE_STREAM",
            },
        },
        "Plain": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": "Fn"}, "AuthType": "NONE"},
        },
        "Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {}},
        "Group": {
            "Type": f"{ELB}TargetGroup",
            "Properties": {"TargetType": "lambda", "Targets": [{"Id": {"Ref": "Live"}}]},
        },
        "Listener": listener(80, forward(("Group", 1))),
    }  # fmt: skip


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    template = write_template(tmp_path, resources(tmp_path))
    with Edge() as edge:
        yield lambda **options: edge.serve(template, state_dir=tmp_path / "state", **options)


def url(site: Site, name: str) -> str:
    found: str = site.endpoints["function_urls"][name]["url"]
    return found


def drawn(site: Site, door: str, count: int, **headers: str) -> list[str]:
    """The versions that answered so many requests."""
    if door == "invoke":
        client = lambda_client(site)
        return [answered(client, "f", Qualifier="live")["ExecutedVersion"] for _ in range(count)]
    if door == "alb":
        (first,) = site.endpoints["load_balancers"]["Alb"]["listeners"]
        found = first["url"]
    else:
        found = url(site, door)
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return [site.get("/", url=found, headers=lines).text for _ in range(count)]


@pytest.mark.rule("LI-108", "FU-003")
@pytest.mark.parametrize("door", ["Url", "Streaming", "alb", "invoke"])
def test_both_versions_answer(serve: Callable[..., Site], door: str) -> None:
    seen = Counter(drawn(serve(), door, 60))
    assert set(seen) == {"1", "2"}
    assert min(seen.values()) > 10  # less is a chance of one in ten million


@pytest.mark.rule("FU-003")
def test_a_url_without_qualifier_runs_latest(serve: Callable[..., Site]) -> None:
    assert drawn(serve(), "Plain", 2) == ["$LATEST"] * 2


@pytest.mark.rule("LI-108", "LI-150")
def test_both_versions_take_events_of_the_queue(serve: Callable[..., Site]) -> None:
    site = serve()
    client = lambda_client(site)
    for _ in range(40):
        client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}", Qualifier="live")

    def ran() -> list[str]:
        lines = site.running.program.lambdas.logs("f", 1000)
        return [line.message for line in lines if line.message.startswith("ran version")]

    until(lambda: len(ran()) == 40)
    assert set(ran()) == {"ran version 1", "ran version 2"}


@pytest.mark.rule("LI-112")
def test_a_seed_repeats_the_draws(serve: Callable[..., Site]) -> None:
    first, again, other = (drawn(serve(seed=seed), "Url", 24) for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.rule("LI-112")
@pytest.mark.parametrize("door", ["Url", "Streaming", "alb"])
def test_a_header_keeps_a_user_at_one_version(serve: Callable[..., Site], door: str) -> None:
    site = serve(sticky_alias="header:x-user")
    users = [f"user-{number}" for number in range(12)]
    of_user = {user: set(drawn(site, door, 4, X_User=user)) for user in users}
    assert {len(versions) for versions in of_user.values()} == {1}
    assert set.union(*of_user.values()) == {"1", "2"}
    assert len(set(drawn(site, door, 30))) == 2  # without the header each draw is a free one


@pytest.mark.rule("LI-112")
def test_a_cookie_keeps_a_user_at_one_version(serve: Callable[..., Site]) -> None:
    site = serve(sticky_alias="cookie:sid")
    for user in ("a", "b", "c"):
        assert len(set(drawn(site, "Url", 8, Cookie=f"x=1; sid={user}"))) == 1
    assert len(set(drawn(site, "Url", 30, Cookie="x=1"))) == 2


@pytest.mark.rule("LI-112")
@pytest.mark.parametrize("text", ["sid", "query:sid", "cookie:", ":x"])
def test_what_draws_cannot_be_kept_by(text: str, serve: Callable[..., Site]) -> None:
    with pytest.raises(UsageError) as caught:
        serve(sticky_alias=text)
    assert caught.value.rule == "LI-112"
