"""The CloudFront Functions of a project over reloads."""

from collections.abc import Mapping

import pytest

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.runtimes.cloudfront_js.engine import RunContext
from edgeproxy.runtimes.cloudfront_js.outcome import Completed, Failed

RETURN = "function handler(event) {{ return {}; }}"
READ = (
    "import cf from 'cloudfront';\n"
    "async function handler(event) { const v = await cf.kvs().get('k'); return {v: v}; }"
)
BROKEN = "function handler(event {"


@pytest.fixture
def registry() -> CloudFrontFunctionRegistry:
    return CloudFrontFunctionRegistry(Clock(), Chance(1))


def declared(code: str, store: str = "", name: str = "fn") -> Mapping[str, CloudFrontFunction]:
    return {name: CloudFrontFunction(name, "cloudfront-js-2.0", code, store)}


def result_of(registry: CloudFrontFunctionRegistry, name: str = "fn") -> object:
    outcome = registry.run(name, b'{"request": {}}', RunContext())
    assert isinstance(outcome, Completed), outcome
    return outcome.result


@pytest.mark.rule("CFF-ASSOC-05")
async def test_new_code_runs_from_the_next_run_on(registry: CloudFrontFunctionRegistry) -> None:
    registry.apply(declared(RETURN.format(1)), {})
    assert result_of(registry) == 1
    registry.apply(declared(RETURN.format(2)), {})
    assert result_of(registry) == 2


async def test_findings_are_told_once_and_again_when_the_code_changes(
    registry: CloudFrontFunctionRegistry,
) -> None:
    for code, count in ((BROKEN, 1), (BROKEN, 0), (f"{BROKEN}\n", 1), (RETURN.format(1), 0)):
        found = registry.apply(declared(code), {})
        assert [name for name, _ in found] == ["fn"] * count


async def test_a_function_that_is_gone_cannot_be_run(registry: CloudFrontFunctionRegistry) -> None:
    registry.apply({**declared(RETURN.format(1)), **declared(RETURN.format(2), name="b")}, {})
    registry.apply(declared(RETURN.format(2), name="b"), {})
    assert result_of(registry, "b") == 2
    outcome = registry.run("fn", b"{}", RunContext())
    assert isinstance(outcome, Failed)
    assert outcome.kind == "FunctionExecutionError"


@pytest.mark.rule("CFF-KVS-01", "CFF-KVS-03")
async def test_a_store_that_is_reloaded_serves_its_new_values(
    registry: CloudFrontFunctionRegistry,
) -> None:
    for value in ("one", "two"):
        store = KeyValueStore("words", {"k": value})
        registry.apply(declared(READ, "words"), {"words": store})
        assert result_of(registry) == {"v": value}


async def test_a_run_prepares_the_next_one_when_nobody_waits(
    registry: CloudFrontFunctionRegistry,
) -> None:
    counting = "var n = 0; function handler(event) { n += 1; return n; }"
    registry.apply(declared(counting), {})
    assert [result_of(registry), result_of(registry)] == [1, 1]
