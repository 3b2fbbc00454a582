"""What functions and the platform write (LR-250 to LR-286)."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.runtimes.invocation import FunctionError, InvocationResult, Returned
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings
from tests.unit.runtimes.account import NODE_22, NODE_24, PYTHON, STARTS, Account, messages, until

rule = pytest.mark.rule

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(params=STARTS)
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        if request.param == "forked":
            await account.have_zygote()
        yield account


@pytest.mark.parametrize(
    ("runtime", "code", "label"),
    [
        (PYTHON, "def handler(e, c): print('hello')", r"python:3\.12\.v\d+"),
        (
            NODE_22,
            "exports.handler = async () => { process.stdout.write('hello\\n'); };",
            r"nodejs:22\.v\d+",
        ),
    ],
)
@rule("LR-250", "LR-251", "LR-252", "LR-253", "LR-260", "LR-262")
async def test_the_lines_of_a_cold_start(
    account: Account, runtime: str, code: str, label: str
) -> None:
    result = await account.run(code, runtime=runtime)
    assert isinstance(result, Returned)
    request = re.escape(result.request_id)
    version_arn = "Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}"
    durations = r"Duration: \d+\.\d\d ms\tBilled Duration: \d+ ms"
    memory = r"Memory Size: 128 MB\tMax Memory Used: \d+ MB"
    patterns = [
        rf"INIT_START Runtime Version: {label}\t{version_arn}",
        rf"START RequestId: {request} Version: \$LATEST",
        "hello",
        rf"END RequestId: {request}",
        rf"REPORT RequestId: {request}\t{durations}\t{memory}\tInit Duration: \d+\.\d\d ms\t",
    ]
    lines = messages(result)
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line
    assert [record.stream for record in result.log].count("stdout") == 1
    assert result.init_ms is not None
    assert result.duration_ms <= int(re.findall(r"Billed Duration: (\d+)", lines[-1])[0])

    warm = await account.call()
    assert isinstance(warm, Returned)
    assert warm.init_ms is None
    assert [line.split()[0] for line in messages(warm)] == ["START", "hello", "END", "REPORT"]
    assert "Init Duration" not in messages(warm)[-1]


@rule("LR-260")
async def test_python_logging(account: Account) -> None:
    code = """
import logging
logging.warning("while loading")
logger = logging.getLogger("mine")
def handler(event, context):
    logger.info("too low")
    logger.warning("what %s", "is up")
    logging.getLogger().setLevel("INFO")
    logger.info("now")
    print("plain")
"""
    result = await account.run(code)
    output = messages(result, "stdout")
    request = result.request_id
    patterns = [
        rf"\[WARNING\]\t{TIME}\t\twhile loading",
        rf"\[WARNING\]\t{TIME}\t{request}\twhat is up",
        rf"\[INFO\]\t{TIME}\t{request}\tnow",
        "plain",
    ]
    assert len(output) == len(patterns)
    for line, pattern in zip(output, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


@rule("LR-260")
async def test_basic_config_of_a_function_changes_nothing(account: Account) -> None:
    code = """
import logging
logging.basicConfig(level=logging.INFO, format="mine %(message)s")
def handler(event, context): logging.error("x")
"""
    assert messages(await account.run(code), "stdout")[-1].startswith("[ERROR]\t")


@rule("LR-102")
async def test_the_python_contexts_log_adds_nothing(account: Account) -> None:
    code = "def handler(e, c): c.log('a'); c.log(1); c.log('b\\n'); c.log('c')"
    assert messages(await account.run(code), "stdout") == ["a1b", "c"]


@rule("LR-261")
async def test_python_errors(account: Account) -> None:
    code = 'def handler(event, context):\n    raise ValueError("boom")\n'
    result = await account.run(code)
    path = account.folder / "f" / "app.py"
    blank = "\u00a0"
    lines = [
        "[ERROR] ValueError: boom",
        "Traceback (most recent call last):",
        f'{blank * 2}File "{path}", line 2, in handler',
        f'{blank * 4}raise ValueError("boom")',
    ]
    assert messages(result, "stdout") == ["\r".join(lines)]


@rule("LR-262")
async def test_the_node_console(account: Account) -> None:
    code = """
console.log('loading');
exports.handler = async () => {
  console.trace('t'); console.debug('d'); console.info('i %d', 1); console.log('l', {a: 1});
  console.warn('two\\nlines'); console.error('e'); console.fatal('f');
};
"""
    result = await account.run(code, runtime=NODE_22)
    parts = [line.split("\t") for line in messages(result, "stdout")]
    request = result.request_id
    assert all(re.fullmatch(TIME, part[0]) for part in parts)
    assert [part[1:] for part in parts] == [
        ["undefined", "INFO", "loading"],
        [request, "TRACE", "t"],
        [request, "DEBUG", "d"],
        [request, "INFO", "i 1"],
        [request, "INFO", "l { a: 1 }"],
        [request, "WARN", "two\rlines"],
        [request, "ERROR", "e"],
        [request, "FATAL", "f"],
    ]


@rule("LR-263")
async def test_node_errors(account: Account) -> None:
    code = """exports.handler = async () => {
  throw Object.assign(new TypeError('boom'), { code: 'E_BOOM' });
};"""
    result = await account.run(code, runtime=NODE_22)
    (line,) = messages(result, "stdout")
    assert re.match(
        rf"{TIME}\t{result.request_id}\tERROR\tInvoke Error \t"
        r'\{"errorType":"TypeError","errorMessage":"boom","code":"E_BOOM",'
        r'"stack":\["TypeError: boom"',
        line,
    )


@pytest.mark.parametrize(
    ("runtime", "label"), [(NODE_22, "Uncaught Exception"), (NODE_24, "Init Error")]
)
@rule("LR-263")
async def test_node_init_errors(account: Account, runtime: str, label: str) -> None:
    result = await account.run("throw new Error('early');", runtime=runtime)
    assert f'\tundefined\tERROR\t{label} \t{{"errorType":"Error"' in messages(result, "stdout")[-1]


@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        (PYTHON, "import sys\ndef handler(e, c): print('o'); print('e', file=sys.stderr)"),
        (
            NODE_22,
            "exports.handler = () => { process.stdout.write('o'); process.stderr.write('e'); };",
        ),
    ],
)
@rule("LR-264")
async def test_both_streams_are_in_the_log(account: Account, runtime: str, code: str) -> None:
    result = await account.run(code, runtime=runtime)
    assert messages(result, "stdout") == ["o"]
    assert messages(result, "stderr") == ["e"]


@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        (PYTHON, "def handler(e, c):\n    for n in range(3000): print(e, n)"),
        (
            NODE_22,
            """exports.handler = async (e) => {
                 for (let n = 0; n < 3000; n += 1) process.stdout.write(`${e} ${n}\\n`);
               };""",
        ),
    ],
)
async def test_lines_are_with_their_invocation_and_in_order(
    account: Account, runtime: str, code: str
) -> None:
    await account.deploy(code, runtime=runtime)
    for event in range(3):
        result = await account.call(event)
        expected = [f"{event} {n}" for n in range(3000)]
        assert messages(result, "stdout") == expected
        assert isinstance(result, Returned)
        lines = [record for record in result.log if record.stream == "stdout"]
        assert {record.request_id for record in lines} == {result.request_id}


@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        (PYTHON, "import os\ndef handler(e, c): print('last words', end=''); os._exit(1)"),
        (
            NODE_22,
            "exports.handler = () => { process.stdout.write('last words'); process.exit(1); };",
        ),
    ],
)
async def test_nothing_written_before_a_crash_is_lost(
    account: Account, runtime: str, code: str
) -> None:
    result = await account.run(code, runtime=runtime)
    assert isinstance(result, FunctionError)
    assert messages(result, "stdout") == ["last words"]


async def test_log_times_follow_the_edges_clock(account: Account) -> None:
    account.clock.advance(10 * 365 * 86400)
    year = str(account.clock.utc().year)
    result = await account.run(
        "import logging\ndef handler(e, c): logging.error('x')", runtime=PYTHON
    )
    assert isinstance(result, Returned)
    assert messages(result, "stdout")[0].split("\t")[1].startswith(year)
    assert result.log[-1].time_s == pytest.approx(account.clock.now(), abs=60)
    result = await account.run(
        "exports.handler = async () => console.log('x');", runtime=NODE_22, name="n"
    )
    assert messages(result, "stdout")[0].startswith(year)


async def test_the_functions_newest_lines_are_kept(account: Account) -> None:
    await account.run("def handler(e, c): print(e)", "first")
    await account.call("second")
    assert [record.message.split()[0] for record in account.service.logs("f", 4)] == [
        "START",
        "second",
        "END",
        "REPORT",
    ]
    assert account.service.logs("f", 0) == []
    assert account.service.logs("unknown") == []


async def test_lines_between_invocations_belong_to_the_one_before(account: Account) -> None:
    code = """
import os, threading, time
def later():
    while not os.path.exists("go"):
        time.sleep(0.005)
    print("late", flush=True)
threading.Thread(target=later, daemon=True).start()
handler = lambda event, context: None
"""
    result = await account.run(code)
    assert "late" not in messages(result)
    (account.folder / "f" / "go").touch()
    await until(lambda: account.service.logs("f", 1)[0].message == "late")
    assert account.service.logs("f", 1)[0].request_id == result.request_id


# JSON

DEFAULT = LogSettings(LogFormat.JSON)
SECOND = TIME.replace(r"\.\d{3}", "")


def records(result: InvocationResult, stream: str = "stdout") -> list[dict[str, Any]]:
    return [json.loads(line) for line in messages(result, stream)]


@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        (PYTHON, "def handler(e, c): pass"),
        (NODE_22, "exports.handler = async () => {};"),
    ],
)
@rule("LR-280", "LR-281", "LR-282")
async def test_json_of_the_platform(account: Account, runtime: str, code: str) -> None:
    result = await account.run(code, runtime=runtime, log=DEFAULT)
    start, begun, report = records(result, "platform")
    assert [start["type"], begun["type"], report["type"]] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    assert all(list(record) == ["time", "type", "record"] for record in (start, begun, report))
    assert re.fullmatch(TIME, report["time"])
    assert begun["record"] == {"requestId": result.request_id, "version": "$LATEST"}
    assert (report["record"]["requestId"], report["record"]["status"]) == (
        result.request_id,
        "success",
    )
    assert list(report["record"]["metrics"]) == [
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    ]
    warm = records(await account.call(), "platform")
    assert [record["type"] for record in warm] == ["platform.start", "platform.report"]
    assert "initDurationMs" not in warm[-1]["record"]["metrics"]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def handler(e, c): raise KeyError('k')", {"status": "error", "errorType": "KeyError"}),
        (
            "import os\ndef handler(e, c): os._exit(1)",
            {"status": "error", "errorType": "Runtime.ExitError"},
        ),
        ("import time\ndef handler(e, c): time.sleep(60)", {"status": "timeout"}),
    ],
)
@rule("LR-282")
async def test_json_of_failures(account: Account, code: str, outcome: dict[str, str]) -> None:
    settings = LogSettings(LogFormat.JSON, "FATAL", "WARN")
    result = await account.run(code, log=settings, timeout_s=1)
    done, report = records(result, "platform")
    assert (done["type"], report["type"]) == ("platform.runtimeDone", "platform.report")
    for document in (done, report):
        record = document["record"]
        assert outcome.items() <= record.items()
        assert ("errorType" in record) == ("errorType" in outcome)


@rule("LR-282")
async def test_json_of_a_failed_init(account: Account) -> None:
    result = await account.run("import nothing_of_that_name", log=DEFAULT)
    (done, report, *_) = [d for d in records(result, "platform") if ".init" in d["type"]][1:3]
    assert (done["type"], report["type"]) == ("platform.initRuntimeDone", "platform.initReport")
    assert report["record"].pop("metrics")["durationMs"] > 0
    assert done["record"] == report["record"]
    assert done["record"]["errorType"] == "Runtime.ImportModuleError"


@rule("LR-283")
async def test_json_of_python_logging(account: Account) -> None:
    code = """
import logging
logging.warning("while loading")
logger = logging.getLogger("mine")
def handler(event, context):
    logger.debug("too low")
    logger.info("what %s\\nis up", "é", extra={"user": "u1", "left": None, "odd": {1}})
    logger.info({"a": 1})
    print("plain")
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("failed")
"""
    result = await account.run(code, log=DEFAULT)
    loading, *found, plain, failed = messages(result, "stdout")
    assert plain == "plain"
    first, second, last = (json.loads(text) for text in (*found, failed))
    assert "é" in found[0]
    for record in (first, second, last):
        assert re.fullmatch(SECOND, record.pop("timestamp"))
        assert record.pop("requestId") == result.request_id
        assert record.pop("logger") == "mine"
    assert first == {
        "level": "INFO",
        "message": "what é\nis up",
        "user": "u1",
        "odd": "{1}",
    }
    assert second == {"level": "INFO", "message": {"a": 1}}
    path = account.folder / "f" / "app.py"
    assert last.pop("location") == f"{path}:handler:13"
    assert [line.split("\n")[0] for line in last.pop("stackTrace")] == [
        f'  File "{path}", line 11, in handler'
    ]
    assert last == {
        "level": "ERROR",
        "message": "failed",
        "errorType": "ZeroDivisionError",
        "errorMessage": "division by zero",
    }
    assert json.loads(loading)["requestId"] == ""
    assert list(json.loads(loading)) == ["timestamp", "level", "message", "logger", "requestId"]


@rule("LR-284")
async def test_json_of_python_errors(account: Account) -> None:
    result = await account.run("def handler(e, c): raise ValueError('boom')", log=DEFAULT)
    (record,) = records(result)
    assert list(record) == [
        "timestamp",
        "level",
        "errorMessage",
        "errorType",
        "requestId",
        "stackTrace",
    ]
    assert re.fullmatch(SECOND, record["timestamp"])
    assert isinstance(result, FunctionError)
    assert {"level": "ERROR", **result.document}.items() <= record.items()


@rule("LR-012", "LR-283", "LR-284")
async def test_json_of_python_code_that_does_not_load(account: Account) -> None:
    result = await account.run("1 / 0", log=DEFAULT)
    warning, error = records(result)[-2:]
    assert warning["level"] == "WARNING"
    assert warning["message"].startswith("LAMBDA_WARNING: Unhandled exception. ")
    assert (error["level"], error["errorType"]) == ("ERROR", "ZeroDivisionError")


@rule("LR-285")
async def test_json_of_the_node_console(account: Account) -> None:
    code = """
console.log('loading');
exports.handler = async () => {
  console.debug('too low');
  console.log('two\\nlines'); console.warn({a: {b: 1}}); console.info('l %d', 1, {c: 2});
  console.error(new RangeError('one')); console.fatal('with', new TypeError('two'));
  const ring = {}; ring.ring = ring; console.log(ring);
};
"""
    result = await account.run(code, runtime=NODE_22, log=DEFAULT)
    loading, *found = records(result)
    assert re.fullmatch(TIME, loading.pop("timestamp"))
    assert loading == {"level": "INFO", "message": "loading"}
    for record in found:
        assert re.fullmatch(TIME, record.pop("timestamp"))
        assert record.pop("requestId") == result.request_id
    stack = found[3]["message"].pop("stackTrace")
    assert stack[0] == "RangeError: one"
    assert found[4].pop("stackTrace")[0] == "TypeError: two"
    assert found[4].pop("message").startswith("with TypeError: two\n")
    assert found == [
        {"level": "INFO", "message": "two\nlines"},
        {"level": "WARN", "message": {"a": {"b": 1}}},
        {"level": "INFO", "message": "l 1 { c: 2 }"},
        {"level": "ERROR", "message": {"errorType": "RangeError", "errorMessage": "one"}},
        {"level": "FATAL", "errorType": "TypeError", "errorMessage": "two"},
        {"level": "INFO", "message": "<ref *1> { ring: [Circular *1] }"},
    ]


@rule("LR-285")
async def test_json_of_node_errors(account: Account) -> None:
    code = "exports.handler = async () => { throw new TypeError('boom'); };"
    result = await account.run(code, runtime=NODE_22, log=DEFAULT)
    (record,) = records(result)
    assert (record["level"], record["requestId"]) == ("ERROR", result.request_id)
    assert record["message"]["stackTrace"][0] == "TypeError: boom"
    assert (record["message"]["errorType"], record["message"]["errorMessage"]) == (
        "TypeError",
        "boom",
    )


@pytest.mark.parametrize(
    ("level", "node", "python"),
    [
        ("TRACE", "TDIWEF", "DIWEC"),
        ("DEBUG", "DIWEF", "DIWEC"),
        ("INFO", "IWEF", "IWEC"),
        ("WARN", "WEF", "WEC"),
        ("ERROR", "EF", "EC"),
        ("FATAL", "F", "C"),
    ],
)
@rule("LR-280", "LR-286")
async def test_levels_of_the_function(account: Account, level: str, node: str, python: str) -> None:
    settings = LogSettings(LogFormat.JSON, level)
    names = "trace debug info warn error fatal"
    code = f"exports.handler = async () => '{names}'.split(' ').forEach((n) => console[n](n));"
    result = await account.run(code, runtime=NODE_22, log=settings, name="n")
    assert "".join(record["level"][0] for record in records(result)) == node
    code = (
        "import logging\n"
        "def handler(e, c):\n"
        "    for level in range(10, 60, 10): logging.getLogger().log(level, 'x')\n"
    )
    result = await account.run(code, log=settings)
    assert "".join(record["level"][0] for record in records(result)) == python
