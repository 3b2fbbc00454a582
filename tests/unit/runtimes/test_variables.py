from pathlib import Path

import pytest

from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.variables import RESERVED, variables

MACHINE = {"PATH": "/bin", "HOME": "/home/me", "AWS_PROFILE": "prod", "PYTHONPATH": "/x"}


def spec(runtime: str = "python3.12", **environment: str) -> FunctionSpec:
    return FunctionSpec(
        "f", runtime, "app.handler", Path("/code"), "arn", environment=tuple(environment.items())
    )


def make(spec: FunctionSpec) -> dict[str, str]:
    return variables(spec, "stream", Path("/runtime"), "/scratch", MACHINE)


def test_only_what_programs_need_is_inherited() -> None:
    found = make(spec())
    assert {name: found.get(name) for name in MACHINE} == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": None,
        "PYTHONPATH": None,
    }


@pytest.mark.rule("LR-160")
def test_reserved_names_cannot_be_set_but_credentials_can() -> None:
    own = dict.fromkeys(RESERVED, "own")
    changed = {name for name, value in make(spec(**own)).items() if value == "own"}
    assert changed == {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    }


@pytest.mark.rule("LR-161")
def test_defaults_can_be_set() -> None:
    found = make(spec(TZ="Europe/Rome", PATH="/own", TMPDIR="/elsewhere"))
    assert (found["TZ"], found["PATH"], found["TMPDIR"]) == ("Europe/Rome", "/own", "/elsewhere")


@pytest.mark.rule("LR-162", "LR-163")
def test_what_depends_on_the_language() -> None:
    python, node = make(spec()), make(spec("nodejs22.x"))
    assert (python["LC_CTYPE"], python["AWS_EXECUTION_ENV"]) == (
        "C.UTF-8",
        "AWS_Lambda_python3.12",
    )
    assert (node["NODE_PATH"], node["AWS_EXECUTION_ENV"]) == ("/code", "AWS_Lambda_nodejs22.x")
