"""Throttles as clients of the Invoke API see them, and the ceilings that are options (LI-134)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.asynchronous import until
from tests.support.lambda_api import call, create, lambda_client, template

OWN = "ReservedFunctionConcurrentInvocationLimitExceeded"
PATHS = {
    "Invoke": "/2015-03-31/functions/{}/invocations",
    "InvokeWithResponseStream": "/2021-11-15/functions/{}/response-streaming-invocations",
}


@pytest.fixture
def edge() -> Iterator[Edge]:
    with Edge() as edge:
        yield edge


def serve(edge: Edge, folder: Path, **options: Any) -> Site:
    site = edge.serve(template(folder, "declared"), state_dir=folder / "state", **options)
    create(lambda_client(site), "f")
    return site


@pytest.mark.rule("LI-124")
@pytest.mark.parametrize("operation", PATHS)
def test_the_answer_to_a_throttled_call(edge: Edge, tmp_path: Path, operation: str) -> None:
    site = serve(edge, tmp_path)
    client = lambda_client(site)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    answer = call(site, PATHS[operation].format("f"), b"{}")
    assert answer.status == 429
    assert answer.headers.get("x-amzn-ErrorType") == "TooManyRequestsException"
    assert not answer.headers.get("Retry-After")  # nobody knows when
    assert json.loads(answer.body) == {"Reason": OWN, "Type": "User", "message": "Rate Exceeded."}
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="f")
    assert caught.value.response["Reason"] == OWN


@pytest.mark.rule("LI-124", "LI-126", "LI-134")
def test_a_ceiling_of_time_says_when_to_try_again(edge: Edge, tmp_path: Path) -> None:
    site = serve(edge, tmp_path, account_concurrency=1, request_rate=1)
    answers = [call(site, PATHS["Invoke"].format("f"), b"{}") for _ in range(20)]
    (throttled, *_) = [answer for answer in answers if answer.status == 429]
    assert throttled.headers.get("Retry-After") == "1"
    assert json.loads(throttled.body)["Reason"] == "FunctionInvocationRateLimitExceeded"
    client = lambda_client(site)
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        for _ in range(20):
            client.invoke(FunctionName="f")
    assert caught.value.response["retryAfterSeconds"] == "1"


@pytest.mark.rule("LI-134")
def test_no_ceiling_of_time_by_default(edge: Edge, tmp_path: Path) -> None:
    site = serve(edge, tmp_path, account_concurrency=1)
    path = PATHS["Invoke"].format("f")
    assert {call(site, path, b"{}").status for _ in range(40)} == {200}


@pytest.mark.rule("LI-129", "LI-130", "LI-251", "LI-253")
def test_metrics_of_provisioned_concurrency(edge: Edge, tmp_path: Path) -> None:
    site = serve(edge, tmp_path)
    client = lambda_client(site)
    of = {"FunctionName": "f", "Qualifier": client.publish_version(FunctionName="f")["Version"]}
    client.put_provisioned_concurrency_config(**of, ProvisionedConcurrentExecutions=2)
    until(lambda: client.get_provisioned_concurrency_config(**of)["Status"] == "READY")
    client.invoke(**of)
    document = json.loads(site.get("/api/metrics", url=site.endpoints["control"]).text)
    most = {
        (metric["name"], metric["dimensions"].get("Resource", "")): metric["max"]
        for metric in document["metrics"]
    }
    assert most["ProvisionedConcurrencyInvocations", "f:1"] == 1
    assert most["ProvisionedConcurrentExecutions", "f:1"] == 1
    assert most["ProvisionedConcurrencyUtilization", "f:1"] == 0.5
    assert most["ClaimedAccountConcurrency", ""] == 2
    assert most["UnreservedConcurrentExecutions", ""] == 1
    assert ("ProvisionedConcurrencySpilloverInvocations", "f:1") not in most
