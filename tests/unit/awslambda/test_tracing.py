"""The trace header that a function sees, from the one that its caller has sent."""

import re

import pytest

from edgeproxy.awslambda.tracing import Tracing
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock

rule = pytest.mark.rule

ROOT = "1-69b52a0d-5f84a1c2d3e4b5a6978877aa"
PARENT = "53995c3f42cd8ad8"
FORM = re.compile(
    r"Root=(?P<root>1-[0-9a-f]{8}-[0-9a-f]{24});Parent=(?P<parent>[0-9a-f]{16});"
    r"Sampled=(?P<sampled>[01])(?P<others>(;.*)?)"
)


@pytest.fixture
def tracing() -> Tracing:
    return Tracing(Clock(), Chance(1))


def seen(tracing: Tracing, received: str = "", *, active: bool = False) -> re.Match[str]:
    found = FORM.fullmatch(tracing.entered(received, active=active))
    assert found is not None
    return found


@rule("LI-270", "LI-271")
@pytest.mark.parametrize(
    "received",
    [
        f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:0a1b2c3d:0;Self=1-2-3",
        f"Sampled=1; Lineage=1:0a1b2c3d:0; Self=1-2-3; Parent={PARENT}; Root={ROOT};",
    ],
)
def test_the_callers_trace_goes_on(tracing: Tracing, received: str) -> None:
    """Fields come in any order, and unknown ones stay; the function's parent is a new segment."""
    header = seen(tracing, received)
    assert (header["root"], header["sampled"]) == (ROOT, "1")
    assert header["others"] == ";Lineage=1:0a1b2c3d:0;Self=1-2-3"
    assert header["parent"] != PARENT
    assert header["parent"] != seen(tracing, received)["parent"]


@rule("LI-270", "LI-271")
def test_a_new_root_for_each_invocation(tracing: Tracing) -> None:
    first, second = seen(tracing), seen(tracing)
    assert first["root"] != second["root"]
    started_s = int(first["root"].split("-")[1], 16)
    assert abs(started_s - Clock().now()) < 60


@rule("LI-271")
@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("decision", ["0", "1"])
def test_the_caller_decides(tracing: Tracing, decision: str, active: bool) -> None:
    for _ in range(50):
        header = seen(tracing, f"Root={ROOT};Sampled={decision}", active=active)
        assert header["sampled"] == decision


@rule("LI-271")
@pytest.mark.parametrize("received", ["", f"Root={ROOT}", f"Root={ROOT};Sampled=?"])
def test_who_decides_when_the_caller_has_not(received: str) -> None:
    clock = Clock()
    tracing = Tracing(clock, Chance(1))
    assert {seen(tracing, received)["sampled"] for _ in range(200)} == {"0"}
    clock.advance(10)
    assert seen(tracing, received, active=True)["sampled"] == "1"  # the first of its second
    sampled = [seen(tracing, received, active=True)["sampled"] for _ in range(2000)]
    assert 40 < sampled.count("1") < 180
    clock.advance(10)
    assert seen(tracing, received, active=True)["sampled"] == "1"
