"""What functions can do wrong, in every language: it costs their own request and nothing else."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.runtimes.invocation import FunctionError, InitFailed, Returned, TimedOut
from tests.support.processes import is_alive
from tests.unit.runtimes.account import (
    NODE_22,
    NODE_24,
    PYTHON,
    STARTS,
    Account,
    document_of,
    messages,
    until,
    value_of,
)

PYTHON_CODE = """
import ctypes, json, os, signal, subprocess, sys, threading, time

def cyclic():
    value = []
    value.append(value)
    return value

def closes_stdout():
    sys.stdout.close()
    return "still here"

def closes_channel():
    os.close(3)
    time.sleep(60)

def hog():
    kept = []
    while True:
        kept.append(b"x" * 10_000_000)
        time.sleep(0.001)

def floods():
    for _ in range(64):
        sys.stdout.write("x" * 100_000)
    return "done"

def children():
    return subprocess.Popen(["sleep", "60"]).pid

def child_keeps_pipes():
    if os.fork() == 0:
        time.sleep(60)
    os._exit(3)

def spins():
    while True:
        pass

DO = {
    "nothing": lambda: None,
    "cyclic": cyclic,
    "huge": lambda: "x" * 7_000_000,
    "throws": lambda: 1 / 0,
    "exit 0": lambda: sys.exit(0),
    "exit 3": lambda: os._exit(3),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "spins": spins,
    "sleeps": lambda: time.sleep(60),
    "floods": floods,
    "closes stdout": closes_stdout,
    "closes channel": closes_channel,
    "hog": hog,
    "children": children,
    "child keeps pipes": child_keeps_pipes,
    "pid": os.getpid,
}

def handler(event, context):
    return DO[event]()
"""

NODE_CODE = """
const { spawn } = require('child_process');
const fs = require('fs');
const forever = () => new Promise((resolve) => setTimeout(resolve, 60000));
const DO = {
  'nothing': () => undefined,
  'cyclic': () => { const value = []; value.push(value); return value; },
  'huge': () => 'x'.repeat(7000000),
  'throws': () => { null.x; },
  'exit 0': () => process.exit(0),
  'exit 3': () => process.exit(3),
  'killed': async () => { process.kill(process.pid, 'SIGKILL'); await forever(); },
  'segfault': async () => { process.kill(process.pid, 'SIGSEGV'); await forever(); },
  'spins': () => { for (;;); },
  'sleeps': forever,
  'floods': () => {
    for (let i = 0; i < 64; i += 1) process.stdout.write('x'.repeat(100000));
    return 'done';
  },
  'closes stdout': () => { fs.closeSync(1); console.log('lost'); return 'still here'; },
  'closes channel': async () => { fs.closeSync(3); await forever(); },
  'hog': async () => {
    const kept = [];
    for (;;) {
      kept.push(Buffer.alloc(10000000, 'x'));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  'children': () => spawn('sleep', ['60']).pid,
  'child keeps pipes': () => {
    spawn('sleep', ['60'], { stdio: 'inherit' });
    process.exit(3);
  },
  'pid': () => process.pid,
};
exports.handler = async (event) => DO[event]();
"""

CODE = {PYTHON: PYTHON_CODE, NODE_22: NODE_CODE, NODE_24: NODE_CODE}


@pytest.fixture(params=STARTS)
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        if request.param == "forked":
            await account.have_zygote()
        yield account


@pytest.fixture(params=[PYTHON, NODE_22, NODE_24])
async def runtime(request: pytest.FixtureRequest, account: Account) -> str:
    """The runtime whose misbehaving function is deployed."""
    name: str = request.param
    await account.deploy(CODE[name], runtime=name, timeout_s=3)
    return name


def exit_text(reason: str) -> str:
    return f"Error: Runtime exited {reason}"


@pytest.mark.parametrize("behaviour", ["nothing", "floods", "closes stdout"], ids=lambda text: text)
@pytest.mark.rule("LR-027", "LR-067", "LR-009")
async def test_strange_but_working_functions_return(
    account: Account, runtime: str, behaviour: str
) -> None:
    pid = value_of(await account.call("pid"))
    result = await account.call(behaviour)
    expected = {"nothing": None, "floods": "done", "closes stdout": "still here"}
    assert value_of(result) == expected[behaviour]
    assert value_of(await account.call("pid")) == pid


@pytest.mark.parametrize(
    ("behaviour", "error_type", "text"),
    [
        pytest.param("throws", "", "", marks=pytest.mark.rule("LE-RET-10", "LR-186")),
        pytest.param("cyclic", "", "", marks=pytest.mark.rule("LR-026", "LR-067", "LR-186")),
        pytest.param(
            "huge",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            marks=pytest.mark.rule("LR-090", "LR-321"),
        ),
    ],
)
async def test_errors_that_keep_the_process(
    account: Account, runtime: str, behaviour: str, error_type: str, text: str
) -> None:
    pid = value_of(await account.call("pid"))
    result = await account.call(behaviour)
    assert isinstance(result, FunctionError)
    if error_type:
        assert result.document == {"errorType": error_type, "errorMessage": text}
    assert value_of(await account.call("pid")) == pid


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param("exit 0", "without providing a reason", marks=pytest.mark.rule("LR-087")),
        pytest.param("exit 3", "with error: exit status 3", marks=pytest.mark.rule("LR-088")),
        pytest.param("killed", "with error: signal: killed", marks=pytest.mark.rule("LR-088")),
        pytest.param(
            "segfault", "with error: signal: segmentation fault", marks=pytest.mark.rule("LR-088")
        ),
        pytest.param(
            "child keeps pipes", "with error: exit status 3", marks=pytest.mark.rule("LR-088")
        ),
        pytest.param("hog", "with error: signal: killed", marks=pytest.mark.rule("LR-089")),
        pytest.param(
            "closes channel", "with error: signal: killed", marks=pytest.mark.rule("LR-088")
        ),
    ],
)
@pytest.mark.rule("LE-RET-10", "LR-185", "LR-255", "LR-258")
async def test_a_lost_process_costs_one_invocation(
    account: Account, runtime: str, behaviour: str, reason: str
) -> None:
    pid = value_of(await account.call("pid"))
    result = await account.call(behaviour)
    assert isinstance(result, FunctionError), result
    assert result.document == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} {exit_text(reason)}",
    }
    kind = "Runtime.OutOfMemory" if behaviour == "hog" else "Runtime.ExitError"
    platform = messages(result, "platform")
    assert f"RequestId: {result.request_id} {exit_text(reason)}" in platform
    assert platform[-1].endswith(f"Status: error\tError Type: {kind}\t")
    assert value_of(await account.call("pid")) != pid
    await until(lambda: not is_alive(pid))


@pytest.mark.parametrize("behaviour", ["spins", "sleeps"])
@pytest.mark.rule("LR-086", "LR-184", "LR-185", "LR-255", "LR-257", "LE-ERR-04")
async def test_a_function_is_ended_at_its_timeout(
    account: Account, runtime: str, behaviour: str
) -> None:
    pid = value_of(await account.call("pid"))
    result = await account.call(behaviour, timeout_s=0.25)
    assert isinstance(result, TimedOut)
    assert result.document == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {result.request_id} Error: Task timed out after 0.25 seconds",
    }
    report, last = messages(result, "platform")[-2:]
    assert "\tDuration: 250.00 ms\tBilled Duration: 250 ms\t" in report
    assert report.endswith("\tStatus: timeout\t")
    assert last.endswith(f"Z {result.request_id} Task timed out after 0.25 seconds")
    assert value_of(await account.call("pid")) != pid
    await until(lambda: not is_alive(pid))


@pytest.mark.rule("LR-264")
async def test_output_is_bounded_and_says_so(account: Account, runtime: str) -> None:
    result = await account.call("floods")
    assert isinstance(result, Returned)
    assert sum(len(line) for line in messages(result, "stdout")) == 256 * 1024
    assert any("output dropped" in line for line in messages(result, "stderr"))
    assert not messages(await account.call("nothing"), "stdout")


async def test_other_functions_do_not_notice(account: Account, runtime: str) -> None:
    await account.deploy("def handler(e, c): return e", name="good", runtime=PYTHON)
    stuck = asyncio.ensure_future(account.call("spins", timeout_s=3))
    for number in range(20):
        assert value_of(await account.call(number, name="good")) == number
    assert not stuck.done()
    assert isinstance(await stuck, TimedOut)


async def test_a_stuck_environment_does_not_hold_up_the_function(
    account: Account, runtime: str
) -> None:
    stuck = asyncio.ensure_future(account.call("spins", timeout_s=3))
    await asyncio.sleep(0)
    assert isinstance(value_of(await account.call("pid")), int)
    assert not stuck.done()
    assert isinstance(await stuck, TimedOut)


@pytest.mark.parametrize(
    ("runtime_name", "files"),
    [
        (PYTHON, {"app.py": "def handler(:"}),
        (PYTHON, {"app.py": "import nowhere_to_be_found"}),
        (PYTHON, {"app.py": "import time; time.sleep(60)"}),
        (PYTHON, {"app.py": "import os; os._exit(4)"}),
        (PYTHON, {"app.py": "other = 1"}),
        (PYTHON, {}),
        (NODE_22, {"app.js": "exports.handler = ("}),
        (NODE_22, {"app.js": "require('nowhere-to-be-found')"}),
        (NODE_22, {"app.js": "for (;;);"}),
        (NODE_22, {"app.js": "process.exit(4)"}),
        (NODE_22, {"app.js": "exports.other = 1"}),
        (NODE_22, {"app.mjs": "await new Promise(() => {})"}),
        (NODE_22, {}),
    ],
)
@pytest.mark.rule("LR-182", "LR-191", "LE-ERR-01")
async def test_code_that_does_not_load_is_tried_until_it_does(
    account: Account,
    runtime_name: str,
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.phases._ON_DEMAND_INIT_S", 0.5)
    (account.folder / "f").mkdir()
    failed = await account.deploy(files, runtime=runtime_name, timeout_s=0.5)
    assert getattr(failed, "still_serving", None) is False
    result = await account.call()
    assert isinstance(result, InitFailed | TimedOut), result
    assert any("Phase: invoke" in line for line in messages(result, "platform"))
    ok = {
        "app.py": "def handler(event, context): return 'mended'",
        "app.mjs": "export const handler = async () => 'mended';",
    }
    (account.folder / "f" / "app.js").unlink(missing_ok=True)
    account.write(ok)
    # The function's time is short, and a busy machine may need more of it for loading.
    result = await account.call()
    for _ in range(20):
        if not isinstance(result, Returned):
            result = await account.call()
    assert value_of(result) == "mended"


async def test_children_end_with_their_environment(account: Account, runtime: str) -> None:
    child = value_of(await account.call("children"))
    assert is_alive(child)
    assert isinstance(await account.call("exit 0"), FunctionError)
    await until(lambda: not is_alive(child))


async def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    pids = []
    async with Account(tmp_path) as account:
        for runtime in (PYTHON, NODE_22):
            await account.deploy(CODE[runtime], runtime=runtime, name=runtime)
            pids.append(value_of(await account.call("pid", name=runtime)))
        stuck = asyncio.ensure_future(account.call("spins", name=NODE_22))
        await asyncio.sleep(0)
    assert isinstance(document_of(await stuck), dict)
    assert not any(is_alive(pid) for pid in pids)


ORPHANS = """
import asyncio, json, os, signal, sys
from pathlib import Path
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.tasks import Tasks

async def main():
    tasks = Tasks()
    service = LambdaService(Clock(), Chance(), tasks)
    for runtime in ("python3.12", "nodejs22.x"):
        spec = FunctionSpec(runtime, runtime, "app.handler", Path(sys.argv[1], runtime), "arn")
        await service.deploy(FunctionDefinition(runtime, spec), qualifier="")
        result = await service.invoke(runtime, b'"pid"')
        print(result.payload.decode(), flush=True)
        tasks.start(service.invoke(runtime, b'"spins"'), "spins")
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_nothing_outlives_a_proxy_that_was_killed(tmp_path: Path) -> None:
    for runtime, name in ((PYTHON, "app.py"), (NODE_22, "app.js")):
        (tmp_path / runtime).mkdir()
        (tmp_path / runtime / name).write_text(CODE[runtime])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANS, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    pids = [json.loads(line) for line in output.splitlines()]
    assert len(pids) == 2
    await until(lambda: not any(is_alive(pid) for pid in pids))
