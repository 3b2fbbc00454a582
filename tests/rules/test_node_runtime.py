"""How Node.js functions are found, called and answered for (LR-040 to LR-070, LR-083, LR-120)."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.runtimes.invocation import FunctionError, InitFailed, Returned
from tests.unit.runtimes.account import (
    ARN,
    NODE_22,
    NODE_24,
    Account,
    document_of,
    messages,
    value_of,
)

rule = pytest.mark.rule


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        yield account


MODULE = '{"type": "module"}'


def cjs(answer: str, name: str = "handler") -> str:
    return f"exports.{name} = async () => '{answer}';"


def esm(answer: str, name: str = "handler") -> str:
    return f"export const {name} = async () => '{answer}';"


@pytest.mark.parametrize(
    ("handler", "files", "answer"),
    [
        pytest.param("app.handler", {"app.js": cjs("js")}, "js", marks=rule("LR-040")),
        pytest.param(
            "sub/app.api.get",
            {"sub/app.js": "exports.api = {get: async () => 'nested'};"},
            "nested",
            marks=rule("LR-040"),
        ),
        pytest.param(
            "app.handler", {"app": cjs("bare"), "app.js": cjs("js")}, "bare", marks=rule("LR-043")
        ),
        pytest.param(
            "app.handler",
            {"app.js": esm("module"), "package.json": MODULE, "app.mjs": esm("mjs")},
            "module",
            marks=rule("LR-043", "LR-044"),
        ),
        pytest.param(
            "app.handler",
            {"app.mjs": esm("mjs"), "app.cjs": cjs("cjs")},
            "mjs",
            marks=rule("LR-043"),
        ),
        pytest.param("app.handler", {"app.cjs": cjs("cjs")}, "cjs", marks=rule("LR-043")),
        pytest.param(
            "pack.handler",
            {"node_modules/pack/index.js": cjs("package")},
            "package",
            marks=rule("LR-043"),
        ),
        pytest.param(
            "sub/app.handler",
            {"sub/app.js": esm("above"), "package.json": MODULE},
            "above",
            marks=rule("LR-044"),
        ),
        pytest.param(
            "sub/app.handler",
            {"sub/app.js": cjs("nearest"), "sub/package.json": "{}", "package.json": MODULE},
            "nearest",
            marks=rule("LR-044"),
        ),
        pytest.param(
            "sub/app.handler",
            {"sub/app/index.js": cjs("index")},
            "index",
            marks=rule("LR-043"),
        ),
        pytest.param(
            "sub/app.handler",
            {"shared.js": cjs("shared"), "sub/app.js": "module.exports = require('shared');"},
            "shared",
            marks=rule("LR-162"),
        ),
        pytest.param(
            "app.handler",
            {
                "app.mjs": "const v = await Promise.resolve('top');"
                "export const handler = async () => v;"
            },
            "top",
            marks=rule("LR-045"),
        ),
    ],
)
async def test_the_handler_string_names_file_and_property(
    account: Account, handler: str, files: dict[str, str], answer: str
) -> None:
    assert value_of(await account.run(files, handler=handler, runtime=NODE_22)) == answer


@rule("LR-043")
async def test_node_24_loads_no_folders(account: Account) -> None:
    files = {"app/index.js": cjs("index")}
    document = document_of(await account.run(files, runtime=NODE_24))
    assert document["errorType"] == "Error"
    assert document["errorMessage"].startswith("Directory import ")


@rule("LR-161")
async def test_node_options_turn_on_what_is_off_by_default(account: Account) -> None:
    """Lambda keeps CommonJS from requiring ES modules unless ``NODE_OPTIONS`` says otherwise."""
    files = {"app.cjs": "exports.handler = require('./es.mjs').handler;", "es.mjs": esm("required")}
    document = document_of(await account.run(files, runtime=NODE_22))
    assert document["errorMessage"].startswith("require() of ES Module ")
    options = (("NODE_OPTIONS", "--no-warnings --experimental-require-module"),)
    result = await account.run(files, runtime=NODE_22, name="on", environment=options)
    assert value_of(result) == "required"


@rule("LR-049")
async def test_node_24_looks_into_the_default_export(account: Account) -> None:
    files = {"app.mjs": "export default {handler: async () => 'default'};"}
    assert value_of(await account.run(files, runtime=NODE_24)) == "default"
    result = await account.run(files, runtime=NODE_22, name="old")
    assert document_of(result)["errorType"] == "Runtime.HandlerNotFound"


@rule("LR-044")
async def test_an_unreadable_package_file_is_only_a_warning(account: Account) -> None:
    files = {"package.json": "{", "app.js": cjs("fine")}
    result = await account.run(files, runtime="nodejs20.x")
    assert any("\tundefined\tWARN\t" in line for line in messages(result, "stdout"))


def requires(name: str) -> str:
    return f"require('{name}'); exports.handler = async () => 1;"


@pytest.mark.parametrize(
    ("handler", "files", "kind", "message"),
    [
        pytest.param(
            "../app.ok",
            {},
            "Runtime.MalformedHandlerName",
            "'../app.ok' is not a valid handler name. Use absolute paths when specifying root "
            "directories in handler names.",
            marks=rule("LR-041"),
        ),
        pytest.param(
            "nodot", {}, "Runtime.MalformedHandlerName", "Bad handler", marks=rule("LR-042")
        ),
        pytest.param(
            "app.handler",
            {"app.js": requires("gone")},
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'gone'\nRequire stack:\n",
            marks=rule("LR-046"),
        ),
        pytest.param(
            "app.handler",
            {},
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'app'\nRequire stack:\n",
            marks=rule("LR-046"),
        ),
        pytest.param(
            "app.handler",
            {"app.mjs": "import 'gone';"},
            "Error",
            "Cannot find package 'gone' imported from ",
            marks=rule("LR-047"),
        ),
        pytest.param(
            "app.handler",
            {"app.js": "const = 1;"},
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected token '='",
            marks=rule("LR-048"),
        ),
        pytest.param(
            "app.handler",
            {"app.js": esm("no package.json says so")},
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected token 'export'",
            marks=rule("LR-043", "LR-048"),
        ),
        pytest.param(
            "app.handler",
            {"app.mjs": "const = 1;"},
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected token '='",
            marks=rule("LR-048"),
        ),
        pytest.param(
            "app.nosuch",
            {"app.js": cjs("x")},
            "Runtime.HandlerNotFound",
            "app.nosuch is undefined or not exported",
            marks=rule("LR-049"),
        ),
        pytest.param(
            "app.a.b",
            {"app.js": "exports.a = {b: 1};"},
            "Runtime.HandlerNotFound",
            "app.a.b is not a function",
            marks=rule("LR-049"),
        ),
        pytest.param(
            "app.handler",
            {"app.js": "throw new RangeError('early');"},
            "RangeError",
            "early",
            marks=rule("LR-050"),
        ),
        pytest.param(
            "app.handler",
            {
                "app.js": "exports.handler = async () => 1;"
                "exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
            },
            "Runtime.MalformedStreamingHandler",
            "Only response streaming is supported.",
            marks=rule("LR-051"),
        ),
    ],
)
@rule("LR-083")
async def test_functions_that_cannot_be_found(
    account: Account, handler: str, files: dict[str, str], kind: str, message: str
) -> None:
    (account.folder / "f").mkdir()
    result = await account.run(files, handler=handler, runtime=NODE_22)
    assert isinstance(result, InitFailed)
    document = document_of(result)
    assert list(document) == ["errorType", "errorMessage", "trace"]
    assert document["errorType"] == kind
    assert document["errorMessage"].startswith(message)
    assert not any("bootstrap/node.cjs:" in line for line in document["trace"])


@rule("LR-052")
async def test_node_24_refuses_callback_handlers(account: Account) -> None:
    code = "exports.handler = (event, context, callback) => callback(null, 1);"
    document = document_of(await account.run(code, runtime=NODE_24))
    assert document["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert document["errorMessage"].startswith("ERROR: AWS Lambda has removed support for callback")
    assert value_of(await account.run(code, runtime=NODE_22, name="old")) == 1


RESULTS = [
    # what the handler does, on older runtimes, on newer ones
    pytest.param("async () => 'v'", '"v"', '"v"', marks=rule("LR-061", "LE-RET-04")),
    pytest.param("async () => undefined", "null", "null", marks=rule("LR-067")),
    pytest.param("() => 'plain'", "null", '"plain"', marks=rule("LR-062", "LR-063")),
    pytest.param("() => Promise.resolve([1])", "[1]", "[1]", marks=rule("LR-061")),
    pytest.param(
        "() => ({then: (ok) => ok('thenable')})", '"thenable"', '"thenable"', marks=rule("LR-061")
    ),
    pytest.param("async () => ({a: undefined, b: NaN})", '{"b":null}', '{"b":null}'),
    pytest.param("async (event) => event", '{"é":[1]}', '{"é":[1]}'),
    pytest.param("async (...all) => all.length", "3", "2", marks=rule("LR-060")),
    pytest.param(
        "() => { setTimeout(() => 0, 30); }", "null", "null", marks=rule("LR-062", "LR-063")
    ),
]


@pytest.mark.parametrize(("handler", "old", "new"), RESULTS)
@pytest.mark.parametrize("runtime", [NODE_22, NODE_24])
async def test_results(account: Account, runtime: str, handler: str, old: str, new: str) -> None:
    result = await account.run(f"exports.handler = {handler};", {"é": [1]}, runtime=runtime)
    assert isinstance(result, Returned), result
    assert result.payload.decode() == (old if runtime == NODE_22 else new)


CALLBACKS = [
    pytest.param("cb(null, 'cb')", '"cb"', marks=rule("LR-064", "LE-RET-04")),
    pytest.param("cb(null, 1); cb(null, 2)", "1", marks=rule("LR-066")),
    pytest.param("cb()", "null", marks=rule("LR-064")),
    pytest.param("setTimeout(cb, 20, null, 'later')", '"later"', marks=rule("LR-064")),
    pytest.param("c.succeed('s')", '"s"', marks=rule("LR-066")),
    pytest.param("c.done(null, 'd')", '"d"', marks=rule("LR-066")),
    pytest.param("c.succeed(1); c.fail('no')", "1", marks=rule("LR-066")),
    pytest.param(
        "c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => 0, 60000); cb(null, 'now')",
        '"now"',
        marks=rule("LR-064"),
    ),
    pytest.param("setTimeout(() => 0, 60000); c.done(null, 'now')", '"now"', marks=rule("LR-066")),
    pytest.param(
        "setTimeout(() => 0, 60000); return Promise.resolve('now')", '"now"', marks=rule("LR-061")
    ),
    pytest.param("return new Promise(() => 0)", "null", marks=rule("LR-062")),
]


@pytest.mark.parametrize(("body", "payload"), CALLBACKS)
async def test_callbacks(account: Account, body: str, payload: str) -> None:
    code = f"exports.handler = (e, c, cb) => {{ {body} }};"
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned), result
    assert result.payload.decode() == payload


@rule("LR-064")
async def test_the_callback_waits_for_the_event_loop(account: Account) -> None:
    code = """
exports.handler = (event, context, callback) => {
  setTimeout(() => console.log('late'), 30);
  callback(null, 1);
};
"""
    result = await account.run(code, runtime=NODE_22)
    assert messages(result, "stdout")[-1].endswith("\tINFO\tlate")


@rule("LR-064", "LR-188")
async def test_timers_resume_in_the_next_invocation(account: Account) -> None:
    code = """
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  if (event === 'start') setTimeout(() => console.log('late'), 20);
  setTimeout(callback, event === 'start' ? 0 : 60, null, event);
};
"""
    first = await account.run(code, "start", runtime=NODE_22)
    assert not any("late" in line for line in messages(first))
    second = await account.call("next")
    assert value_of(second) == "next"
    assert any(f"\t{second.request_id}\tINFO\tlate" in line for line in messages(second))


async def test_a_late_rejection_is_told_once(account: Account) -> None:
    code = """
exports.handler = async (event) => {
  if (event === 'start') (async () => { await null; throw new TypeError('late'); })();
  return event;
};
"""
    first = await account.run(code, "start", runtime=NODE_22)
    assert value_of(first) == "start"
    second = await account.call("next")
    told = [*messages(first), *messages(second)]
    late = [line for line in told if "Unhandled Promise Rejection" in line]
    assert len(late) == 1, told
    assert f"\t{first.request_id}\t" in late[0]
    assert "TypeError: late" in late[0]


async def test_a_late_callback_belongs_to_nobody(account: Account) -> None:
    code = """
let late;
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  if (late) late(null, 'late');
  late = callback;
  context.done(null, event);
};
"""
    assert value_of(await account.run(code, 1, runtime=NODE_22)) == 1
    assert value_of(await account.call(2)) == 2
    assert value_of(await account.call(3)) == 3


ERRORS = [
    pytest.param("throw new TypeError('t')", "TypeError", "t", marks=rule("LR-083", "LE-RET-10")),
    pytest.param("throw 'text'", "string", "text", marks=rule("LR-084")),
    pytest.param("throw 7", "number", "7", marks=rule("LR-084")),
    pytest.param("throw {toString: () => 'shown'}", "object", "shown", marks=rule("LR-084")),
    pytest.param("throw new Error('a\\x7Fb')", "Error", "a%7Fb", marks=rule("LR-085")),
    pytest.param(
        "const e = new Error('m'); e.name = 'Custom'; throw e", "Custom", "m", marks=rule("LR-083")
    ),
]


@pytest.mark.parametrize("form", ["async () => {{ {} }}", "() => {{ {} }}"])
@pytest.mark.parametrize("runtime", [NODE_22, NODE_24])
@pytest.mark.parametrize(("body", "kind", "message"), ERRORS)
async def test_errors(
    account: Account, runtime: str, form: str, body: str, kind: str, message: str
) -> None:
    result = await account.run(f"exports.handler = {form.format(body)};", runtime=runtime)
    assert isinstance(result, FunctionError)
    document = document_of(result)
    assert list(document) == ["errorType", "errorMessage", "trace"]
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    if kind in ("TypeError", "Error", "Custom"):
        assert document["trace"][0].endswith(f": {message}")
        assert str(account.folder / "f" / "app.js") in document["trace"][1]
        assert not any("bootstrap/node.cjs" in line for line in document["trace"])
    else:
        assert document["trace"] == []
    assert "INIT_START" not in "".join(messages(await account.call()))


@pytest.mark.parametrize(
    ("runtime", "handler", "kind", "message"),
    [
        (NODE_22, "async () => { throw undefined; }", "string", "handled"),
        (NODE_22, "() => Promise.reject(null)", "string", "handled"),
        (NODE_24, "async () => { throw undefined; }", "handled", "callback called with Error"),
        (NODE_24, "() => { throw null; }", "handled", "callback called with Error"),
        (NODE_22, "() => { throw Object.create(null); }", "handled", "callback called with Error"),
    ],
)
@rule("LR-066", "LR-084")
async def test_errors_that_say_nothing(
    account: Account, runtime: str, handler: str, kind: str, message: str
) -> None:
    document = document_of(await account.run(f"exports.handler = {handler};", runtime=runtime))
    assert document["errorType"] == kind
    assert document["errorMessage"].startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        "throw undefined",
        "cb(null, null); throw new Error('late')",
        "c.done(); c.fail(new Error('late'))",
    ],
)
@rule("LR-065", "LR-066")
async def test_what_is_no_error_for_older_runtimes(account: Account, body: str) -> None:
    code = f"exports.handler = (e, c, cb) => {{ {body}; }};"
    assert value_of(await account.run(code, runtime=NODE_22)) is None


@rule("LR-068", "LR-053")
async def test_a_listener_of_the_functions_own_saves_nothing(account: Account) -> None:
    code = """
process.on('uncaughtException', (error) => console.log('seen', error.message));
exports.handler = async () => {
  setTimeout(() => { throw new Error('bg'); }, 1);
  await new Promise((resolve) => setTimeout(resolve, 60000));
};
"""
    result = await account.run(code, runtime=NODE_22)
    assert document_of(result)["errorMessage"] == "bg"
    # The runtime's own listener comes first, and exits.
    assert not any("seen" in line for line in messages(result, "stdout"))
    assert any("INIT_START" in line for line in messages(await account.call()))


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        pytest.param("cb(new Error('e'))", "Error", "e", marks=rule("LR-065")),
        pytest.param(
            "setTimeout(() => 0, 60000); cb('now')", "string", "now", marks=rule("LR-065")
        ),
        pytest.param("cb(0)", "number", "0", marks=rule("LR-065")),
        pytest.param("c.fail()", "string", "handled", marks=rule("LR-066")),
        pytest.param("c.fail(new Error('f'))", "Error", "f", marks=rule("LR-066")),
        pytest.param("c.done('d')", "string", "d", marks=rule("LR-066")),
        pytest.param(
            "cb(null, 1n)", "Error", "Unable to stringify response body", marks=rule("LR-067")
        ),
    ],
)
@rule("LE-RET-10")
async def test_errors_through_callbacks(
    account: Account, body: str, kind: str, message: str
) -> None:
    code = f"exports.handler = (e, c, cb) => {{ {body} }};"
    document = document_of(await account.run(code, runtime=NODE_22))
    assert (document["errorType"], document["errorMessage"]) == (kind, message)


@rule("LR-067")
async def test_node_24_names_results_that_are_no_json(account: Account) -> None:
    document = document_of(await account.run("exports.handler = () => 1n;", runtime=NODE_24))
    assert document["errorType"] == "Runtime.JSONStringifyError"
    assert document["errorMessage"] == "Unable to stringify response body"


@rule("LR-070")
async def test_node_24_fails_what_never_settles(account: Account) -> None:
    code = "exports.handler = () => new Promise(() => 0);"
    assert isinstance(await account.run(code, runtime=NODE_24), FunctionError)


@pytest.mark.parametrize("runtime", [NODE_22, NODE_24])
@pytest.mark.parametrize(
    ("body", "kind", "message", "label"),
    [
        pytest.param(
            "setTimeout(() => { throw new RangeError('bg'); }, 1)",
            "RangeError",
            "bg",
            "Uncaught Exception",
            marks=rule("LR-068"),
        ),
        pytest.param(
            "Promise.reject(new Error('unh'))",
            "Runtime.UnhandledPromiseRejection",
            "Error: unh",
            "Unhandled Promise Rejection",
            marks=rule("LR-069", "LR-263"),
        ),
    ],
)
@rule("LR-053")
async def test_errors_in_the_background(
    account: Account, runtime: str, body: str, kind: str, message: str, label: str
) -> None:
    code = f"""
exports.handler = async (event) => {{
  if (event === 'pid') return process.pid;
  {body};
  await new Promise((resolve) => setTimeout(resolve, 60000));
}};
"""
    await account.deploy(code, runtime=runtime)
    pid = value_of(await account.call("pid"))
    result = await account.call()
    assert isinstance(result, FunctionError)
    document = document_of(result)
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    assert any(f"\tERROR\t{label} \t{{" in line for line in messages(result, "stdout"))
    assert value_of(await account.call("pid")) != pid


OLD_KEYS = [
    "callbackWaitsForEmptyEventLoop",
    "succeed",
    "fail",
    "done",
    "functionVersion",
    "functionName",
    "memoryLimitInMB",
    "logGroupName",
    "logStreamName",
    "clientContext",
    "identity",
    "invokedFunctionArn",
    "awsRequestId",
    "tenantId",
    "getRemainingTimeInMillis",
]
NEW_KEYS = [
    "clientContext",
    "identity",
    "invokedFunctionArn",
    "awsRequestId",
    "tenantId",
    "xRayTraceId",
    "getRemainingTimeInMillis",
    "functionName",
    "functionVersion",
    "memoryLimitInMB",
    "logGroupName",
    "logStreamName",
]


@pytest.mark.parametrize(
    ("runtime", "keys"),
    [
        pytest.param(NODE_22, OLD_KEYS, marks=rule("LR-120")),
        pytest.param(NODE_24, NEW_KEYS, marks=rule("LR-121", "LR-126")),
    ],
)
@rule("LR-122", "LR-123", "LR-107")
async def test_the_context(account: Account, runtime: str, keys: list[str]) -> None:
    code = (
        "exports.handler = async (e, c) => "
        "[Object.keys(c), JSON.stringify(c), c.getRemainingTimeInMillis()];"
    )
    await account.deploy(code, runtime=runtime, aliases={"live": "1"})
    result = await account.call(qualifier="live")
    found, text, left = value_of(result)
    assert found == keys
    context = json.loads(text)
    context.pop("callbackWaitsForEmptyEventLoop", None)
    assert context.pop("xRayTraceId", result.trace_id) == result.trace_id
    assert context.pop("logStreamName").partition("/[1]")[1]
    assert context == {
        "functionVersion": "1",
        "functionName": "f",
        "memoryLimitInMB": "128",
        "logGroupName": "/aws/lambda/f",
        "invokedFunctionArn": ARN + "f:live",
        "awsRequestId": result.request_id,
    }
    assert 1500 < left <= 3000


@rule("LI-020", "LR-122")
async def test_the_tenant(account: Account) -> None:
    code = "exports.handler = async (e, c) => [c.tenantId, JSON.stringify(c)];"
    await account.deploy(code, runtime=NODE_22)
    tenant_id, _ = value_of(await account.call(tenant_id="blue"))
    assert tenant_id == "blue"
    tenant_id, text = value_of(await account.call())
    assert tenant_id is None
    assert "tenantId" not in text


@rule("LR-124", "LR-125")
async def test_the_client_context(account: Account) -> None:
    code = "exports.handler = async (e, c) => c.clientContext;"
    await account.deploy(code, runtime=NODE_22)
    assert value_of(await account.call(client_context='{\n"any": {"key": 1}}')) == {
        "any": {"key": 1}
    }
    document = document_of(await account.call(client_context="{"))
    assert document["errorMessage"].startswith("Cannot parse ClientContext as json: ")


@rule("LI-272")
async def test_the_trace_header_is_a_variable_in_the_handler(account: Account) -> None:
    code = """
const atLoad = process.env._X_AMZN_TRACE_ID ?? null;
exports.handler = async () => [atLoad, process.env._X_AMZN_TRACE_ID];
"""
    await account.deploy(code, runtime=NODE_22)
    at_load, in_handler = value_of(await account.call(trace_id="Root=1-2-3;Sampled=1"))
    assert at_load is None
    assert re.fullmatch("Root=1-2-3;Parent=[0-9a-f]{16};Sampled=1", in_handler)


@rule("LR-162", "LR-011")
async def test_the_interpreter_looks_as_usual(account: Account) -> None:
    code = """
exports.handler = async () => [
  process.argv.length, process.cwd(), new Date().getTimezoneOffset(), process.listenerCount('exit'),
];
"""
    root = str(account.folder / "f")
    assert value_of(await account.run(code, runtime=NODE_22)) == [2, root, 0, 0]


async def test_the_channel_is_not_inherited_by_children(account: Account) -> None:
    code = """
const { spawnSync } = require('child_process');
exports.handler = async () =>
  spawnSync('sh', ['-c', 'if true <&3; then echo open; else echo closed; fi'])
    .stdout.toString().trim();
"""
    assert value_of(await account.run(code, runtime=NODE_22)) == "closed"
