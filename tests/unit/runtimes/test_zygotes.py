import asyncio
import contextlib
import logging
import os
import re
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.runtimes.framing import Kind
from edgeproxy.runtimes.invocation import FunctionError
from edgeproxy.runtimes.process import Worker
from edgeproxy.runtimes.warden import Warden
from edgeproxy.runtimes.zygotes import Forked, Zygotes
from tests.unit.runtimes.account import Account, until, value_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what it takes")

SEEN = """
import os, signal, sys
from pathlib import Path

def handler(event, context):
    status = Path("/proc/self/status").read_text().splitlines()
    shown = Path("/proc/self/environ").read_text().split(chr(0))
    return {
        "parent": os.getppid(),
        "pid": os.getpid(),
        "modules": sorted(sys.modules),
        "main": sorted(vars(sys.modules["__main__"])),
        "path": sys.path,
        "command": Path("/proc/self/cmdline").read_text(),
        "flags": repr(sys.flags),
        "variables": dict(os.environ),
        "shown": sorted(line for line in shown if line),
        "folder": os.getcwd(),
        "leads": os.getsid(0) == os.getpgid(0) == os.getpid(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "limits": Path("/proc/self/limits").read_text(),
        "status": [line for line in status if line[:4] in ("SigB", "SigC", "SigI", "Umas", "Thre")],
        "encoding": [sys.stdout.encoding, sys.stderr.errors, sys.stdin.read()],
        "seekable": [each.seekable() for each in (sys.stdin, sys.stdout, sys.stderr)],
    }
"""


class Silent:
    """An owner that nothing matters to."""

    def frame_received(self, kind: Kind, body: bytes) -> None: ...

    def output_received(self, stream: str, data: bytes) -> None: ...

    def worker_ended(self, status: int) -> None: ...


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        yield account


def zygote_of(account: Account) -> Any:
    around = account.service._in_service._surroundings
    assert around is not None
    assert around.zygotes is not None
    (zygote,) = around.zygotes._by_kind.values()
    return zygote


async def seen(account: Account, **settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = value_of(await account.run(SEEN, **settings))
    return found


async def test_a_forked_worker_is_as_one_that_was_started(account: Account) -> None:
    started = await seen(account)
    assert started["parent"] == os.getpid()
    await until(lambda: zygote_of(account).is_ready)
    forked = await seen(account)
    assert forked["parent"] == zygote_of(account)._process.pid
    for each in (started, forked):
        pid = str(each.pop("pid"))
        del each["parent"]
        del each["variables"]["_X_AMZN_TRACE_ID"]
        shown = [line for line in each["shown"] if not line.startswith("PWD=")]
        variables = [f"{name}={value}" for name, value in each.pop("variables").items()]
        assert shown == sorted(line for line in variables if not line.startswith("PWD="))
        each["shown"] = [
            re.sub(r"^(TMPDIR|AWS_LAMBDA_LOG_STREAM_NAME)=.*", r"\1", line).replace(pid, "PID")
            for line in shown
        ]
    assert forked == started


IMPORTS = """
import base64, dataclasses, datetime, hashlib, importlib.util, json, logging, random, re, string
import threading, traceback, types, typing, urllib.parse
from concurrent.futures import ThreadPoolExecutor
before, spec, text = json, importlib.util.find_spec("string"), string.Template
importlib.reload(string)
del sys.modules["json"]
import json
LOADED = {
    "specs": sorted(
        [name, repr(getattr(module, "__spec__", None)).partition(" object")[0]]
        for name, module in sys.modules.items()
        if name != "_distutils_hack"  # of site, for which the zygote has no use
    ),
    "another": json is not before,
    "reloaded": string.Template is not text,
    "source": spec.loader.get_source("string"),
    "scanned": re.findall("[a-z]", "a1b"),
    "main": threading.current_thread() is threading.main_thread(),
    "thread": ThreadPoolExecutor().submit(lambda: json.loads("[1]")).result(),
    "native": threading.main_thread().native_id == threading.get_native_id(),
}
"""


async def test_a_forked_worker_imports_as_one_that_was_started(account: Account) -> None:
    code = f"import sys\n{IMPORTS}\nhandler = lambda event, context: LOADED"
    started = value_of(await account.run(code))
    assert started["another"]
    assert started["reloaded"]
    assert started["main"]
    await until(lambda: zygote_of(account).is_ready)
    assert value_of(await account.run(code)) == started


SEVERAL_OF_ONE = """
import importlib.util
spec = importlib.util.find_spec("string")
first, second = (importlib.util.module_from_spec(spec) for _ in range(2))
for module in (first, second):
    spec.loader.exec_module(module)
import string
kinds = {module.Template for module in (first, second, string)}
handler = lambda event, context: len(kinds)
"""


async def test_a_module_can_be_loaded_more_than_once(account: Account) -> None:
    await account.have_zygote()
    assert value_of(await account.run(SEVERAL_OF_ONE)) == 3


WRAPPED = """
import sys

class Wrapper:
    def __init__(self, finder):
        self.find_spec = finder.find_spec

sys.meta_path[:] = map(Wrapper, sys.meta_path)
import base64
handler = lambda event, context: base64.b64encode(b"a").decode()
"""


async def test_finders_may_be_wrapped(account: Account) -> None:
    await account.have_zygote()
    assert value_of(await account.run(WRAPPED)) == "YQ=="


IN_C = """
import ctypes, os, time

def handler(event, context):
    found = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    lines = []
    while found[len(lines)] is not None:
        lines.append(found[len(lines)].decode())
    own = {line for line in lines if line.startswith(("LC_", "LANG", "TZ", "PYTHON"))}
    return {
        "parent": os.getppid(),
        "own": sorted(own),
        "clean": sorted(lines) == sorted(f"{name}={value}" for name, value in os.environ.items()),
        "zone": time.tzname,
    }
"""


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param((("PYTHONX", "1" * 1000), ("PYTHONY", "2" * 1000)), id="some"),
        pytest.param((("LANG", "C"), ("LC_CTYPE", "C")), id="what Python replaces"),
        pytest.param((("PYTHONDEVMODE", "1"),), id="development mode"),
    ],
)
async def test_the_c_library_has_the_same_variables(
    account: Account, environment: tuple[tuple[str, str], ...]
) -> None:
    started = value_of(await account.run(IN_C, environment=environment))
    await until(lambda: zygote_of(account).is_ready)
    forked = value_of(await account.run(IN_C, environment=environment))
    assert started.pop("parent") != forked.pop("parent")
    assert started["clean"]
    assert forked == started


async def test_time_zones_of_the_function_are_its_own(account: Account) -> None:
    zone = b"TZif2" + bytes(15) + bytes(24) + b"TZif2" + bytes(15)
    zone += b"".join(n.to_bytes(4, "big") for n in (0, 0, 0, 0, 1, 4))
    zone += bytes(6) + b"XYZ\0\nXYZ-5\n"
    (account.folder / "Own").write_bytes(zone)
    await account.run(IN_C, environment=(("TZ", ":Own"),))
    await until(lambda: zygote_of(account).is_ready)
    environment = (("TZ", ":Own"), ("TZDIR", str(account.folder)))
    assert value_of(await account.run(IN_C, environment=environment))["zone"][0] == "XYZ"


PATHS = """
import os, string, sys
import late
handler = lambda event, context: [os.getppid(), sys.path, late.ROOT, string.ROOT, string.PID]
"""
OWN = "import os\nROOT, PID = os.environ['LAMBDA_TASK_ROOT'], os.getppid()\n"


async def test_a_zygote_leaves_the_search_path_to_the_functions(account: Account) -> None:
    environment = (("PYTHONPATH", f"lib:./more::{account.folder}/later"),)
    standard = Path(sys.modules["string"].__file__ or "").read_text()
    files = {"app.py": PATHS, "lib/string.py": standard + OWN, "more/late.py": OWN}
    started = value_of(await account.run(files, environment=environment))
    await until(lambda: zygote_of(account).is_ready)
    forked = value_of(await account.run(files, environment=environment))
    root = str(account.folder / "f")
    assert forked[0] == zygote_of(account)._process.pid
    assert forked[1:] == [*started[1:2], root, root, forked[0]]
    (account.folder / "later").mkdir()
    (account.folder / "later" / "late.py").write_text("ROOT = 'later'")
    (account.folder / "f" / "more" / "late.py").unlink()
    found = value_of(await account.run({"app.py": PATHS}, environment=environment))
    assert found[2] == "later"


async def test_the_end_of_a_worker_is_seen_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account.have_zygote()
    owner, environ = Silent(), {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    around = account.service._in_service._around()
    assert around.zygotes is not None
    ((command, at_start),) = around.zygotes._by_kind
    worker = Worker(
        owner, command, account.folder, environ | dict(at_start), around.warden,
        zygotes=around.zygotes,
    )  # fmt: skip
    assert isinstance(worker._process, Forked)
    worker.leave(owner, 0, ask=False)
    worker.abandon()
    await worker.ended
    asked: list[int] = []
    monkeypatch.setattr(Forked, "poll", lambda forked: asked.append(forked.pid))
    await asyncio.sleep(0.05)
    assert not asked


@pytest.mark.parametrize("name", ["base64", "json", "logging", "re", "string", "struct", "token"])
async def test_modules_of_the_function_come_first(account: Account, name: str) -> None:
    own = {f"{name}.py": "MARK = 'own'\nfrom os import path as Template"}
    code = f"""
import base64
try:
    import json, logging
    FAILED = None
except Exception as error:
    FAILED = repr(error)
import {name}
handler = lambda event, context: [FAILED, getattr({name}, "MARK", "")]
"""
    started = await account.run({"app.py": code, **own})
    await until(lambda: zygote_of(account).is_ready)
    forked = await account.run({"app.py": code, **own})
    assert value_of(forked) == value_of(started)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"environment": (("PYTHONHASHSEED", "1"),)}, id="read at the start"),
        pytest.param({"environment": (("LC_ALL", "C"),)}, id="locale"),
        pytest.param({"environment": (("BIG", "x" * 20_000),)}, id="more than there is room for"),
    ],
)
async def test_what_a_zygote_cannot_give_comes_from_an_ordinary_start(
    account: Account, settings: dict[str, Any]
) -> None:
    await account.have_zygote()
    found = await seen(account, **settings)
    assert found["parent"] == os.getpid()
    assert found["variables"].items() >= dict(settings["environment"]).items()


async def test_a_zygote_that_dies_is_told_of_and_replaced(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    await account.have_zygote()
    first = zygote_of(account)
    assert (await seen(account))["parent"] == first._process.pid
    first._process.kill()
    first._process.wait()
    assert value_of(await account.call())["pid"]  # its workers go on
    assert (await seen(account, name="g"))["parent"] == os.getpid()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "starts functions more slowly until there is another" in record.message
    second = zygote_of(account)
    assert second is not first
    await until(lambda: second.is_ready)
    assert (await seen(account, name="h"))["parent"] == second._process.pid
    await account.service.remove("f")  # whose status nobody knows


@pytest.fixture
def warden(tmp_path: Path) -> Iterator[Warden]:
    warden = Warden(tmp_path / "scratch")
    yield warden
    warden.close()


async def test_a_zygote_that_cannot_start_is_told_of_once(
    tmp_path: Path, warden: Warden, caplog: pytest.LogCaptureFixture
) -> None:
    zygotes = Zygotes(warden)
    for _ in range(3):
        assert zygotes.fork(["/bin/false"], tmp_path, {}) is None
        (zygote,) = zygotes._by_kind.values()
        await until(lambda: zygote.is_ready or zygote._has_ended)  # noqa: B023
    (record,) = caplog.records
    assert record.message.startswith("false starts functions more slowly as long as edgeproxy runs")
    zygotes.close()


async def test_where_no_process_can_be_started_the_worker_says_so(
    tmp_path: Path, warden: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise BlockingIOError("too many processes")

    monkeypatch.setattr("edgeproxy.runtimes.zygotes.launch", refused)
    zygotes = Zygotes(warden)
    assert zygotes.fork(["/bin/cat"], tmp_path, {}) is None
    assert not zygotes._by_kind
    zygotes.close()


async def test_only_so_many_kinds_have_a_zygote(tmp_path: Path, warden: Warden) -> None:
    zygotes = Zygotes(warden)
    for number in range(10):
        assert zygotes.fork(["/bin/cat"], tmp_path, {"LANG": str(number)}) is None
    assert len(zygotes._by_kind) == 8
    zygotes.close()


async def test_a_zygote_that_hangs_is_given_up(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.zygotes._PATIENCE_MS", 50)
    await account.have_zygote()
    os.kill(zygote_of(account)._process.pid, 19)  # SIGSTOP
    assert (await seen(account))["parent"] == os.getpid()
    assert "has ended" in caplog.text


async def test_a_zygote_that_hangs_holds_up_no_worker(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.zygotes._PATIENCE_MS", 50)
    await account.have_zygote()
    code = "import os\nhandler = lambda event, context: event and os._exit(3)"
    assert value_of(await account.run(code)) is None
    os.kill(zygote_of(account)._process.pid, 19)  # SIGSTOP
    result = await account.call(1)
    assert isinstance(result, FunctionError)
    assert result.document["errorType"] == "Runtime.ExitError"
    assert "has ended" in caplog.text


async def test_the_end_is_seen_without_process_descriptors(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    await account.have_zygote()
    # The child holds the channel open.
    code = """
import os, time
def handler(event, context):
    if event and os.fork():
        os._exit(3)
    time.sleep(20 if event else 0)
"""
    assert value_of(await account.run(code, timeout_s=10)) is None
    result = await account.call(1)
    assert isinstance(result, FunctionError)
    assert "exit status 3" in str(result.document["errorMessage"])


@pytest.mark.parametrize("how", ["folder", "null byte"])
async def test_a_worker_that_cannot_be_is_explained_by_the_ordinary_start(
    account: Account, how: str
) -> None:
    await account.have_zygote()
    zygote = zygote_of(account)
    folder = account.folder / "missing" if how == "folder" else account.folder
    environ = {"NAME": "\0"} if how == "null byte" else {}
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert zygote.fork(folder, environ) is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert zygote.is_ready


async def test_too_many_open_files_leave_none_open(account: Account) -> None:
    await account.have_zygote()
    zygote = zygote_of(account)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    taken: list[int] = []

    def fill() -> int:
        before = len(taken)
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        return len(taken) - before

    try:
        fill()
        for free in range(6):  # A worker takes six, three of them for a moment.
            for _ in range(free):
                os.close(taken.pop())
            assert zygote.fork(account.folder, {}) is None
            assert fill() == free
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert zygote.is_ready
