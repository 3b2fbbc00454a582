import importlib.util
from pathlib import Path

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.runtimes.debugging import debugged, find_debugpy
from edgeproxy.runtimes.interpreters import find_interpreter
from edgeproxy.runtimes.invocation import Returned
from tests.support.debuggers import AdapterClient
from tests.support.ports import free_port
from tests.unit.runtimes.account import NODE_22, Account, value_of

PYTHONS = [
    runtime
    for runtime in ("python3.11", "python3.12", "python3.13", "python3.14")
    if find_interpreter(runtime).exact
]
"""Those of this machine: at least the one that runs the tests."""
CODE = """
import sys
def handler(event, context):
    return [sys.version_info[1], sorted(name for name in sys.path if "site-packages" in name)]
"""


def test_node_gets_its_inspector_on_loopback() -> None:
    interpreter = find_interpreter(NODE_22)
    program, *arguments = debugged(interpreter, NODE_22, 9229)
    assert program == interpreter.path
    assert "--inspect=127.0.0.1:9229" in arguments
    assert arguments[-1] == interpreter.command[-1]


def test_without_debugpy_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'edgeproxy\[debug\]'"):
        find_debugpy()


@pytest.mark.parametrize("runtime", PYTHONS)
async def test_one_debugpy_serves_every_python(tmp_path: Path, runtime: str) -> None:
    async with Account(tmp_path) as account:
        await account.deploy(CODE, runtime=runtime)
        expected = value_of(await account.call())
        port = free_port()
        definition = account.define(CODE, runtime=runtime, debug_port=port)
        await account.service.deploy(definition, force=True, qualifier="")
        with AdapterClient(port) as editor:
            editor.request("initialize", adapterID="test")
        assert value_of(await account.call()) == expected


async def test_one_environment_runs_every_version(tmp_path: Path) -> None:
    code = "import os\ndef handler(event, context): return os.getpid()"
    async with Account(tmp_path) as account:
        definition = account.define(
            code, versions=("1", "2"), aliases={"live": "1"}, timeout_s=1, debug_port=free_port()
        )
        await account.service.deploy(definition, force=True)
        calls = [account.call(qualifier=qualifier) for qualifier in ("", "1", "2", "live")]
        results = [await call for call in calls]
        assert all(isinstance(result, Returned) for result in results)
        assert len({value_of(result) for result in results}) == 1
        (status,) = account.service.describe()
        assert (status.idle, status.busy) == (1, 0)


async def test_limits_of_time_are_lifted(tmp_path: Path) -> None:
    code = (
        "import time\ntime.sleep(0.3)\n"
        "def handler(event, context):\n"
        "    time.sleep(1)\n    return context.get_remaining_time_in_millis()"
    )
    async with Account(tmp_path) as account:
        definition = account.define(code, timeout_s=0.1, debug_port=free_port())
        await account.service.deploy(definition, force=True)
        left_ms = value_of(await account.call(timeout_s=0.2))
        assert 800_000 < left_ms < 900_000
