from pathlib import Path

import pytest

from edgeproxy.app.debugging import Debugging, how_to_attach
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.project.model import Project
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.settings import Settings
from tests.support.ports import free_port

API = FunctionDefinition(
    "api",
    FunctionSpec("api", "nodejs22.x", "app.handler", Path(), "arn"),
    logical_id="Api",
    reserved_concurrency=1,
)
PROJECT = Project(functions={"api": API})


@pytest.mark.parametrize("name", ["api", "Api"])
def test_ports_stay_over_reloads(name: str) -> None:
    debugging = Debugging(Settings(debug_function=(name,)))
    first, second = (debugging.applied_to(PROJECT).functions["api"] for _ in range(2))
    assert first == second
    assert first.spec.debug_port is not None
    assert first.reserved_concurrency is None


def test_nothing_to_debug_changes_nothing() -> None:
    assert Debugging(Settings()).applied_to(PROJECT) is PROJECT
    assert how_to_attach(PROJECT.functions.values()) == []


def test_a_port_is_for_one_listener() -> None:
    port = free_port()
    with pytest.raises(PortInUse, match=str(port)):
        Debugging(Settings(port=port, debug_function=(f"api={port}",)))
    with pytest.raises(PortInUse, match=str(port)):
        Debugging(Settings(debug_function=(f"api={port}", f"other={port}")))


def test_a_name_is_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        Debugging(Settings(debug_function=("api", "api")))
