"""The CloudFront Functions of a project over reloads."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.project.identifiers import policy_id
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


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def telling(told: list[str]) -> CloudFrontFunctionRegistry:
    return CloudFrontFunctionRegistry(Clock(), Chance(1), told.append)


def republish(registry: CloudFrontFunctionRegistry, code: str) -> None:
    registry.save(declared(code)["fn"])
    registry.publish("fn")


@pytest.mark.rule("CFF-ASSOC-04", "CFF-ASSOC-05")
async def test_only_live_runs(telling: CloudFrontFunctionRegistry) -> None:
    telling.apply(declared(RETURN.format(1)), {})
    telling.save(declared(RETURN.format(2))["fn"])
    assert result_of(telling) == 1
    telling.publish("fn")
    assert result_of(telling) == 2


async def test_a_reload_keeps_what_was_published_while_the_definition_says_the_same(
    telling: CloudFrontFunctionRegistry, told: list[str]
) -> None:
    telling.apply(declared(RETURN.format(1)), {})
    telling.apply(declared(RETURN.format(1)), {})
    assert told == []
    republish(telling, RETURN.format(2))
    telling.apply(declared(RETURN.format(1)), {})
    assert result_of(telling) == 2
    (kept,) = told
    assert kept.startswith("fn stays what the CloudFront API made of it")
    telling.apply(declared(RETURN.format(3)), {})
    assert result_of(telling) == 3
    assert told[1:] == ["fn: the definition takes the place of what the CloudFront API made"]
    assert telling.all["fn"].is_published


async def test_a_reload_leaves_the_functions_that_only_the_api_knows(
    telling: CloudFrontFunctionRegistry, told: list[str]
) -> None:
    telling.save(declared(RETURN.format(7), name="own")["own"])
    telling.publish("own")
    telling.apply(declared(RETURN.format(1)), {})
    telling.apply({}, {})
    assert list(telling.all) == ["own"]
    assert result_of(telling, "own") == 7
    assert told == []


async def test_a_reload_brings_back_a_declared_function_that_was_deleted(
    telling: CloudFrontFunctionRegistry,
) -> None:
    telling.apply(declared(RETURN.format(1)), {})
    telling.delete("fn")
    assert isinstance(telling.run("fn", b"{}", RunContext()), Failed)
    telling.apply(declared(RETURN.format(1)), {})
    assert result_of(telling) == 1


async def test_publishing_broken_code_is_told(
    telling: CloudFrontFunctionRegistry, told: list[str]
) -> None:
    republish(telling, BROKEN)
    (finding,) = told
    assert finding.startswith("fn, line 1, column ")


async def test_edits_of_a_store_last_until_its_file_changes(
    telling: CloudFrontFunctionRegistry, told: list[str]
) -> None:
    store = KeyValueStore("words", {"k": "file"}, source=Path("words.json"))
    telling.apply(declared(READ, "words"), {"words": store})
    values = telling.stores.all["words"].values
    values.edit({"k": "edited"})
    assert result_of(telling) == {"v": "edited"}
    telling.apply(declared(f"{READ}\n", "words"), {"words": store})
    assert result_of(telling) == {"v": "edited"}
    assert told == []
    telling.apply(declared(READ, "words"), {"words": replace(store, data={"k": "saved"})})
    assert result_of(telling) == {"v": "saved"}
    (news,) = told
    assert news.startswith("key-value store words: the contents of words.json have changed")
    telling.apply(declared(READ, "words"), {"words": replace(store, data={"k": "again"})})
    assert len(told) == 1


async def test_a_reload_leaves_the_stores_that_only_the_api_knows(
    telling: CloudFrontFunctionRegistry,
) -> None:
    telling.stores.create("own", "").values.edit({"k": "v"})
    telling.apply({}, {"words": KeyValueStore("words")})
    telling.apply({}, {})
    assert {name: dict(each.values.data) for name, each in telling.stores.all.items()} == {
        "own": {"k": "v"}
    }


def test_a_declared_store_has_the_id_that_the_template_refers_to(
    registry: CloudFrontFunctionRegistry,
) -> None:
    registry.apply({}, {"words": KeyValueStore("words", logical_id="Words")})
    assert registry.stores.all["words"].values.id == policy_id("Words")
