"""What functions and the platform write (LR-250 to LR-264)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.runtimes.invocation import FunctionError, Returned
from tests.unit.runtimes.account import NODE_22, NODE_24, PYTHON, Account, messages, until

rule = pytest.mark.rule

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
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
