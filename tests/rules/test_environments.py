"""Execution environments: variables, life cycle, reuse (LR-160 to LR-191, LI-120, LI-125)."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.awslambda.service import Deployed, DeployFailed
from edgeproxy.runtimes.invocation import InitFailed, Returned, Throttled, TimedOut
from tests.unit.runtimes.account import (
    NODE_22,
    PYTHON,
    STARTS,
    Account,
    document_of,
    messages,
    until,
    value_of,
)

rule = pytest.mark.rule

ENVIRON = {
    PYTHON: "import os\nhandler = lambda e, c: dict(os.environ)",
    NODE_22: "exports.handler = async () => process.env;",
}
PID = {
    PYTHON: "import os\nhandler = lambda e, c: os.getpid()",
    NODE_22: "exports.handler = async () => process.pid;",
}
# Answers once a file with the event's name exists, so that a test holds an environment as busy.
HOLD = """
import os, pathlib, time
def handler(event, context):
    pathlib.Path(f"{event}.here").touch()
    while not os.path.exists(event):
        time.sleep(0.005)
    return os.getpid()
"""


@pytest.fixture(params=STARTS)
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        if request.param == "forked":
            await account.have_zygote()
        yield account


class Held:
    """Invocations of ``HOLD`` that run until they are let go."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def start(self, event: str) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(self._account.call(event))

    async def has_begun(self, event: str) -> None:
        await until((self._account.folder / "f" / f"{event}.here").exists)

    def let_go(self, event: str) -> None:
        (self._account.folder / "f" / event).touch()


@pytest.mark.parametrize("runtime", [PYTHON, NODE_22])
@rule("LR-160", "LR-162", "LR-163", "LR-164", "LR-165", "LR-166")
async def test_variables(account: Account, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the proxy")
    monkeypatch.setenv("SOME_SECRET", "of the proxy")
    account.clock.advance(86400 * 365)
    day = account.clock.utc().strftime("%Y/%m/%d")
    environ = value_of(await account.run(ENVIRON[runtime], runtime=runtime, memory_mb=256))
    root = str(account.folder / "f")
    stream = environ.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert stream.startswith(f"{day}/[$LATEST]")
    assert len(stream) == len(day) + len("/[$LATEST]") + 32
    expected = {
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": root,
        "PWD": root,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "SHLVL": "0",
    }
    assert {name: environ.get(name) for name in expected} == expected
    assert "SOME_SECRET" not in environ
    assert not {name for name in environ if "ACCESS_KEY" in name or "TOKEN" in name}


@rule("LR-160", "LR-161", "LR-170")
async def test_the_functions_own_variables(account: Account) -> None:
    environ = value_of(
        await account.run(
            ENVIRON[PYTHON],
            environment=(
                ("TABLE", "$HOME/x"),
                ("TZ", "Europe/Berlin"),
                ("AWS_REGION", "elsewhere"),
                ("AWS_ACCESS_KEY_ID", "own"),
            ),
        )
    )
    assert environ["TABLE"] == "$HOME/x"
    assert environ["TZ"] == "Europe/Berlin"
    assert environ["AWS_REGION"] == "us-east-1"
    assert environ["AWS_ACCESS_KEY_ID"] == "own"


@rule("LR-174")
async def test_a_wrapper_script_starts_the_interpreter(account: Account) -> None:
    wrapper = """#!/bin/sh
interpreter=$1
shift
WRAPPED=yes exec "$interpreter" -X dev "$@"
"""
    code = "import os, sys\nhandler = lambda e, c: [os.environ['WRAPPED'], sys.flags.dev_mode]"
    definition = account.define(
        {"app.py": code, "wrap": wrapper},
        environment=(("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/wrap"),),
    )
    (account.folder / "f" / "wrap").chmod(0o755)
    await account.service.deploy(definition, qualifier="")
    assert value_of(await account.call()) == ["yes", True]


@rule("LR-092")
async def test_a_wrapper_script_that_is_missing(account: Account) -> None:
    environment = (("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/wrap"),)
    document = document_of(await account.run(PID[PYTHON], environment=environment))
    assert document["errorType"] == "Runtime.ExitError"
    assert document["errorMessage"].endswith("exit status 127")


async def test_each_environment_has_temporary_files_of_its_own(account: Account) -> None:
    code = """
import os, tempfile
def handler(event, context):
    folder = tempfile.gettempdir()
    names = os.listdir(folder)
    open(os.path.join(folder, "mark"), "w").close()
    return [folder, names]
"""
    folder, names = value_of(await account.run(code))
    assert names == []
    assert value_of(await account.call()) == [folder, ["mark"]]
    assert value_of(await account.call(qualifier="1"))[0] != folder
    await account.service.close()
    assert not Path(folder).exists()


@rule("LR-185")
async def test_temporary_files_outlive_a_timeout_and_memory_does_not(account: Account) -> None:
    code = """
import os, time
count = 0
path = os.environ["TMPDIR"] + "/mark"
def handler(event, context):
    global count
    count += 1
    if event == "sleep":
        open(path, "w").close()
        time.sleep(60)
    return [count, os.path.exists(path)]
"""
    assert value_of(await account.run(code)) == [1, False]
    assert isinstance(await account.call("sleep", timeout_s=1), TimedOut)
    assert value_of(await account.call()) == [1, True]


@pytest.mark.parametrize("runtime", [PYTHON, NODE_22])
@rule("LR-192")
async def test_open_files_are_limited(account: Account, runtime: str) -> None:
    code = {
        PYTHON: "import os\nhandler = lambda e, c: os.popen('ulimit -n').read().strip()",
        NODE_22: "exports.handler = async () => "
        "require('child_process').execSync('ulimit -Hn').toString().trim();",
    }
    assert value_of(await account.run(code[runtime], runtime=runtime)) == "1024"


@rule("LR-181")
async def test_one_environment_runs_one_invocation_at_a_time(account: Account) -> None:
    await account.deploy(HOLD, timeout_s=30)
    held = Held(account)
    first, second = held.start("a"), held.start("b")
    await held.has_begun("a")
    await held.has_begun("b")
    assert account.service.describe()[0].busy == 2
    held.let_go("a")
    held.let_go("b")
    pids = {value_of(await first), value_of(await second)}
    assert len(pids) == 2
    assert account.service.describe()[0].idle == 2
    assert value_of(await account.call("a")) in pids


@rule("LR-182", "LR-256")
async def test_a_failed_init_is_repeated_in_the_first_invocation(account: Account) -> None:
    (account.folder / "tries").touch()
    code = f"""
with open({str(account.folder / "tries")!r}, "a") as file:
    file.write("x")
raise ValueError("no")
"""
    failed = await account.deploy(code)
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "ValueError"
    result = await account.call()
    assert isinstance(result, InitFailed)
    assert result.init_ms is None
    assert (account.folder / "tries").read_text() == "xx"
    reports = [line for line in messages(result, "platform") if line.startswith("INIT_REPORT")]
    assert ["Phase: init\t" in line for line in reports] == [True, False]
    assert ["Phase: invoke\t" in line for line in reports] == [False, True]
    assert all(line.endswith("Status: error\tError Type: ValueError") for line in reports)


@rule("LR-182")
async def test_slow_init_may_use_the_functions_time(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.phases._ON_DEMAND_INIT_S", 0.1)
    code = "import time\ntime.sleep(0.3)\nhandler = lambda e, c: 'up'"
    failed = await account.deploy(code, timeout_s=30)
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "Sandbox.Timedout"
    assert value_of(await account.call()) == "up"


@rule("LR-182", "LR-086")
async def test_init_within_an_invocation_ends_at_the_functions_timeout(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.phases._ON_DEMAND_INIT_S", 0.1)
    await account.deploy("import time\ntime.sleep(60)", timeout_s=0.2)
    result = await account.call()
    assert isinstance(result, TimedOut)
    assert document_of(result)["errorMessage"] == (
        f"RequestId: {result.request_id} Error: Task timed out after 0.20 seconds"
    )


@pytest.mark.parametrize("runtime", [PYTHON, NODE_22])
@rule("LR-191")
async def test_new_code_takes_over(account: Account, runtime: str) -> None:
    code = {
        PYTHON: "handler = lambda e, c: {}",
        NODE_22: "exports.handler = async () => {};",
    }[runtime]
    assert value_of(await account.run(code.format(1), runtime=runtime)) == 1
    assert isinstance(await account.deploy(code.format(2), runtime=runtime), Deployed)
    assert value_of(await account.call()) == 2


@rule("LR-191")
async def test_running_invocations_finish_on_the_old_code(account: Account) -> None:
    await account.deploy(HOLD, timeout_s=30)
    held = Held(account)
    running = held.start("a")
    await held.has_begun("a")
    await account.deploy("handler = lambda e, c: 'new'")
    assert value_of(await account.call()) == "new"
    held.let_go("a")
    assert isinstance(value_of(await running), int)


async def test_broken_code_does_not_replace_code_that_works(account: Account) -> None:
    await account.deploy("handler = lambda e, c: 'good'")
    failed = await account.deploy("handler = lambda e, c 'bad'")
    assert isinstance(failed, DeployFailed)
    assert failed.still_serving
    assert failed.document["errorType"] == "Runtime.UserCodeSyntaxError"
    assert any("Syntax error" in record.message for record in failed.log)
    assert account.service.describe()[0].last_error.startswith("Runtime.UserCodeSyntaxError: ")
    assert value_of(await account.call()) == "good"
    await account.deploy("handler = lambda e, c: 'better'")
    assert value_of(await account.call()) == "better"
    assert account.service.describe()[0].last_error == ""


async def test_the_last_good_environments_serve_although_new_ones_cannot_start(
    account: Account,
) -> None:
    await account.deploy(HOLD, timeout_s=30)
    await account.deploy("broken(")
    held = Held(account)
    first = held.start("a")
    await held.has_begun("a")
    second = held.start("b")
    held.let_go("a")
    held.let_go("b")
    assert value_of(await first) == value_of(await second)


@rule("LR-186", "LR-190")
async def test_idle_environments_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeproxy.awslambda.in_service._IDLE_CHECK_S", 0.02)
    monkeypatch.setattr("edgeproxy.awslambda.in_service._IDLE_LIMIT_S", 0.1)
    async with Account(tmp_path) as account:
        pid = value_of(await account.run(PID[PYTHON]))
        await until(lambda: not account.service.describe()[0].idle)
        assert value_of(await account.call()) != pid


async def test_an_environment_that_dies_while_idle_is_replaced(account: Account) -> None:
    pid = value_of(await account.run(PID[PYTHON]))
    os.kill(pid, 9)
    await until(lambda: not account.service.describe()[0].idle)
    assert account.service.describe()[0].cold == 1
    assert value_of(await account.call()) != pid


async def test_a_cancelled_caller_leaves_the_function_running(account: Account) -> None:
    await account.deploy(HOLD, timeout_s=30, reserved=1)
    held = Held(account)
    caller = held.start("a")
    await held.has_begun("a")
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert isinstance(await account.call("b"), Throttled)
    held.let_go("a")
    await until(lambda: not account.service.describe()[0].busy)
    held.let_go("b")
    assert isinstance(await account.call("b"), Returned)


async def test_a_cancelled_caller_that_waits_for_an_environment_leaves_no_trace(
    account: Account,
) -> None:
    await account.deploy(PID[PYTHON], reserved=1)
    caller = asyncio.ensure_future(account.call(qualifier="1"))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert isinstance(await account.call(), Returned)


@pytest.mark.parametrize(
    ("reserved", "account_limit", "reason"),
    [
        pytest.param(
            1, 1000, "ReservedFunctionConcurrentInvocationLimitExceeded", marks=rule("LI-121")
        ),
        pytest.param(None, 1, "ConcurrentInvocationLimitExceeded", marks=rule("LI-120")),
    ],
)
@rule("LI-125", "LI-128", "LE-ERR-03", "LE-LIM-09")
async def test_concurrency_is_limited(
    tmp_path: Path, reserved: int | None, account_limit: int, reason: str
) -> None:
    async with Account(tmp_path, account_concurrency=account_limit) as account:
        await account.deploy(HOLD, timeout_s=30, reserved=reserved)
        held = Held(account)
        first = held.start("a")
        await held.has_begun("a")
        refused = await account.call("b")
        assert isinstance(refused, Throttled)
        assert refused.reason == reason
        held.let_go("a")
        assert isinstance(await first, Returned)
        held.let_go("b")
        assert isinstance(await account.call("b"), Returned)
        assert not (account.folder / "f" / "c.here").exists()


async def test_a_burst_does_not_become_a_burst_of_processes(account: Account) -> None:
    await account.deploy(PID[PYTHON])
    results = await asyncio.gather(*(account.call() for _ in range(200)))
    assert 1 <= len({value_of(result) for result in results}) < 50


async def test_a_missing_folder_is_said(account: Account) -> None:
    definition = account.define(PID[PYTHON])
    (account.folder / "f" / "app.py").unlink()
    (account.folder / "f").rmdir()
    failed = await account.service.deploy(definition)
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "Runtime.InvalidWorkingDir"


@rule("LR-340")
async def test_other_languages_are_refused_in_words(account: Account) -> None:
    failed = await account.deploy("", runtime="java21", handler="a.b")
    assert isinstance(failed, DeployFailed)
    assert "java21" in str(failed.document["errorMessage"])
    assert isinstance(await account.call(), InitFailed)


async def test_memory_used_is_reported(account: Account) -> None:
    code = "kept = b'x' * 40_000_000\nhandler = lambda e, c: 1"
    result = await account.run(code)
    assert isinstance(result, Returned)
    assert 40 < result.memory_mb < 100


BOMBS = {
    "forks": "for _ in range(7): os.fork()",
    "forks into sessions": "for _ in range(99): os.fork() or (os.setsid(), time.sleep(60))",
    "threads": "for _ in range(99): threading.Thread(target=time.sleep, args=(60,)).start()",
}


@pytest.mark.parametrize("name", BOMBS)
@rule("LR-192", "LR-088")
async def test_processes_and_threads_are_limited(
    account: Account, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.memory._MOST_PROCESSES", 60)
    code = f"""
import os, threading, time
def handler(event, context):
    {BOMBS[name]}
    time.sleep(60)
"""
    result = await account.run(code, timeout_s=20)
    assert document_of(result)["errorMessage"].endswith("signal: killed")
    (why,) = messages(result, "stderr")
    assert re.fullmatch(
        r"edgeproxy: ended at \d+ processes and threads, over Lambda's limit of 60", why
    )


@rule("LR-181")
@pytest.mark.parametrize("where", ["import", "handler"])
async def test_a_forked_child_that_comes_back_answers_nothing(account: Account, where: str) -> None:
    code = {
        "import": "import os\nos.fork()\nhandler = lambda e, c: [e, os.getpid()]",
        "handler": "import os\ndef handler(e, c):\n    os.fork()\n    return [e, os.getpid()]",
    }
    await account.deploy(code[where], timeout_s=20)
    results = [value_of(await account.call(number)) for number in range(20)]
    assert [number for number, _ in results] == list(range(20))
    assert len({pid for _, pid in results}) == 1


@rule("LR-089")
async def test_memory_of_children_counts(account: Account) -> None:
    code = """
import subprocess, sys
def handler(event, context):
    hog = "kept = b'x' * 300_000_000; import time; time.sleep(60)"
    return subprocess.run([sys.executable, "-c", hog]).returncode
"""
    result = await account.run(code, timeout_s=20)
    assert document_of(result)["errorMessage"].endswith("signal: killed")
    assert "Error Type: Runtime.OutOfMemory" in messages(result, "platform")[-1]
    (why,) = messages(result, "stderr")
    assert re.fullmatch(r"edgeproxy: ended at \d+ MB, over its MemorySize of 128 MB", why)


@rule("LR-089")
async def test_memory_of_children_of_node(account: Account) -> None:
    hog = "kept = b'x' * 300_000_000; import time; time.sleep(60)"
    code = f"""
const {{ spawnSync }} = require('child_process');
exports.handler = async () => spawnSync({json.dumps(sys.executable)}, ['-c', {json.dumps(hog)}]);
"""
    result = await account.run(code, runtime=NODE_22, timeout_s=20)
    assert document_of(result)["errorMessage"].endswith("signal: killed")
    assert "Error Type: Runtime.OutOfMemory" in messages(result, "platform")[-1]


@pytest.mark.parametrize(
    ("exit_", "how"),
    [("os._exit(3)", "exited with status 3"), ("os.kill(os.getpid(), 9)", "was ended by signal 9")],
)
async def test_an_exit_is_said_on_the_functions_log(account: Account, exit_: str, how: str) -> None:
    result = await account.run(f"import os\nhandler = lambda e, c: {exit_}")
    assert messages(result, "stderr") == [f"edgeproxy: the process {how} while it had work to do"]
