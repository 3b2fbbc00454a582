from pathlib import Path

import pytest

from edgeproxy.awslambda.replicas import replica_spec
from edgeproxy.runtimes.invocation import FunctionSpec

SPEC = FunctionSpec(
    "hook",
    "python3.12",
    "app.handler",
    Path("/code"),
    "arn:aws:lambda:us-east-1:210987654321:function:hook",
    version="3",
)


@pytest.mark.rule("LE-EVT-25")
def test_a_replica_has_a_region_and_an_arn_of_its_own() -> None:
    replica = replica_spec(SPEC, "eu-west-1")
    assert (replica.edge, replica.region, replica.version) == (True, "eu-west-1", "3")
    assert replica.arn == "arn:aws:lambda:eu-west-1:210987654321:function:us-east-1.hook"


def test_without_a_region_it_is_the_function_itself() -> None:
    assert replica_spec(SPEC, "") is SPEC
