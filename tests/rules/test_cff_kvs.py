"""CloudFront KeyValueStore as functions see it."""

import pytest

from edgeproxy.runtimes.cloudfront_js import Completed, Failed, KeyValues
from tests.unit.runtimes.cloudfront_js.running import JS1, awaited, function, run

rule = pytest.mark.rule

STORE = KeyValues(
    "flags", {"k": "v", "j": '{"a":1}', "e": "h€", "bad": "{"}, now=lambda: 0, store_id="store-id"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "return {v: await kvs.get('k')};", {"v": "v"}, marks=rule("CFF-KVS-03", "CFF-RET-07")
        ),
        pytest.param(
            "return {v: await kvs.get('e', {format: 'string'})};",
            {"v": "h€"},
            marks=rule("CFF-KVS-03"),
        ),
        pytest.param(
            "const j = await kvs.get('j', {format: 'json'}); return {v: j.a};",
            {"v": 1},
            marks=rule("CFF-KVS-03"),
        ),
        pytest.param(
            (
                "const b = await kvs.get('e', {format: 'bytes'}); return "
                "{v: [b instanceof Buffer, b.toString('hex')]};"
            ),
            {"v": [True, "68e282ac"]},
            marks=rule("CFF-KVS-03"),
        ),
        pytest.param(
            "return {v: kvs.get('k') instanceof Promise};", {"v": True}, marks=rule("CFF-KVS-03")
        ),
        pytest.param(
            "return await kvs.get('bad', {format: 'json'});",
            "SyntaxError",
            marks=rule("CFF-KVS-03"),
        ),
        pytest.param(
            "return await kvs.get('k', {format: 'xml'});", "format", marks=rule("CFF-KVS-03")
        ),
        pytest.param("return {v: await kvs.get('none')};", "KeyNotFound", marks=rule("CFF-KVS-04")),
        pytest.param(
            "try { await kvs.get('none'); } catch (error) { return {v: error.name}; }",
            {"v": "KeyNotFound"},
            marks=rule("CFF-KVS-04"),
        ),
        pytest.param(
            (
                "const a = await kvs.exists('k'); const b = await "
                "kvs.exists('none'); return {v: [a, b]};"
            ),
            {"v": [True, False]},
            marks=rule("CFF-KVS-05"),
        ),
        pytest.param(
            "return {v: await kvs.meta()};",
            {
                "v": {
                    "creationDateTime": "1970-01-01T00:00:00.000Z",
                    "lastUpdatedDateTime": "1970-01-01T00:00:00.000Z",
                    "keyCount": 4,
                }
            },
            marks=rule("CFF-KVS-06"),
        ),
        pytest.param("return {v: typeof kvs.count};", {"v": "undefined"}, marks=rule("CFF-KVS-07")),
        pytest.param(
            "return {v: Object.keys(kvs).sort()};",
            {"v": ["exists", "get", "meta"]},
            marks=rule("CFF-KVS-08"),
        ),
        pytest.param(
            "return {v: await cf.kvs('store-id').get('k')};", {"v": "v"}, marks=rule("CFF-KVS-02")
        ),
        pytest.param(
            "return {v: await cf.kvs('flags').get('k')};",
            'KVSNamespaceNotFound: The function is associated with the key value store "store-id"',
            marks=rule("CFF-KVS-02"),
        ),
        pytest.param(
            "const all = await Promise.all([kvs.get('k'), kvs.get('e')]); return {v: all};",
            {"v": ["v", "h€"]},
            marks=rule("CFF-JS2-06"),
        ),
        pytest.param(
            "return kvs.get('k').then(v => ({v: v + '!'}));", {"v": "v!"}, marks=rule("CFF-KVS-03")
        ),
    ],
)
def test_reading(body: str, expected: object) -> None:
    found = awaited(body, head="const kvs = cf.kvs();", kvs=STORE)
    if isinstance(expected, str):
        assert expected in found
    else:
        assert found == expected


def test_a_store_that_no_definition_declares_goes_by_its_name() -> None:
    store = KeyValues("flags", {"k": "v"}, now=lambda: 0)
    for each in ("flags", store.id):
        assert awaited(f"return {{v: await cf.kvs('{each}').get('k')}};", kvs=store) == {"v": "v"}


@rule("CFF-KVS-01", "CFF-KVS-02")
def test_without_a_store() -> None:
    assert "KVSNamespaceNotFound" in awaited("return {v: await cf.kvs().get('k')};")


@rule("CFF-KVS-01")
def test_runtime_1_has_no_store() -> None:
    outcome = run("import cf from 'cloudfront';\nfunction handler(event) {}", JS1, kvs=STORE)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "FunctionExecutionError"


@rule("CFF-KVS-04", "CFF-ERR-01")
def test_a_missing_key_that_nobody_catches_is_an_execution_error() -> None:
    code = (
        "import cf from 'cloudfront';\nasync function handler(event) { "
        "const v = await cf.kvs().get('x'); return {v: v}; }"
    )
    outcome = run(code, kvs=STORE)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "FunctionExecutionError"


@pytest.mark.rule("CFF-KVS-10")
def test_a_new_value_is_seen_by_the_next_run() -> None:
    store = KeyValues("s", {"k": "1"}, now=lambda: 0)
    reader = function(
        (
            "import cf from 'cloudfront';\nasync function handler(e) { "
            "const v = await cf.kvs().get('k'); return {v: v}; }"
        ),
        kvs=store,
    )
    for expected in ("1", "2"):
        store.replace({"k": expected})
        outcome = reader.run(b"{}")
        assert isinstance(outcome, Completed)
        assert outcome.result == {"v": expected}


def test_a_read_that_nobody_waits_for_is_dropped() -> None:
    code = "import cf from 'cloudfront';\nfunction handler(e) { cf.kvs().get('k'); return {v: 1}; }"
    forgetful = function(code, kvs=STORE)
    for _ in range(2):
        outcome = forgetful.run(b"{}")
        assert isinstance(outcome, Completed)
        assert outcome.result == {"v": 1}
