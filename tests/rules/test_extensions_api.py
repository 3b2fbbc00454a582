"""External and internal extensions (LR-173, LR-187, LR-230 to LR-235)."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.awslambda.service import Deployed, DeployFailed
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings
from tests.support.custom_runtimes import DRIVER, CustomAccount, write_bootstrap
from tests.unit.runtimes.account import (
    ARN,
    NODE_22,
    PYTHON,
    document_of,
    messages,
    until,
    value_of,
)

rule = pytest.mark.rule

EXTENSION = """#!/usr/bin/env python3
import http.client, json, os, sys, time
NAME = os.path.basename(__file__)
TOLD = open(os.environ["TOLD"], "a", buffering=1)
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def tell(*what):
    TOLD.write(json.dumps([NAME, *what]) + "\\n")

def call(method, path, body=None, headers={}, base="/2020-01-01/extension/"):
    connection.request(method, base + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())

def register(events, name=NAME, **more):
    return call("POST", "register", json.dumps({"events": events}),
                {"Lambda-Extension-Name": name, **more})

EVENTS = ["INVOKE", "SHUTDOWN"]
exec(os.environ.get("BEFORE", ""))
STATUS, BODY, HEADERS = register(EVENTS, **{"Lambda-Extension-Accept-Feature": "accountId"})
ME = {"Lambda-Extension-Identifier": HEADERS.get("Lambda-Extension-Identifier", "")}
tell("registered", STATUS, json.loads(BODY), ME["Lambda-Extension-Identifier"])
exec(os.environ.get("REGISTERED", ""))
while True:
    STATUS, BODY, _ = call("GET", "event/next", headers=ME)
    event = json.loads(BODY)
    tell("event", event)
    print("heard", event["eventType"], flush=True)
    exec(os.environ.get("HEARD", ""))
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""
ECHO = {
    PYTHON: "import os\nhandler = lambda e, c: {'event': e, 'environ': dict(os.environ)}",
    NODE_22: "exports.handler = async (event) => ({ event, environ: process.env });",
}

REGISTER = """
def register(name, events):
    answer = call("POST", "register", json.dumps({"events": events}),
                  {"Lambda-Extension-Name": name}, base="/2020-01-01/extension/")
    NOTES.append([name, answer[0], json.loads(answer[1]).get("errorType", "")])
    return {"Lambda-Extension-Identifier": answer[2].get("Lambda-Extension-Identifier", "")}
"""
LISTEN = """
import threading
me = register("inside", ["INVOKE"])
def listen():
    mine = http.client.HTTPConnection(HOST)
    while True:
        mine.request("GET", "/2020-01-01/extension/event/next", headers=me)
        NOTES.append(json.loads(mine.getresponse().read())["eventType"])
threading.Thread(target=listen, daemon=True).start()
"""


class Extended(CustomAccount):
    """An account whose function has an extension ``watch`` in its layers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.opt = folder / "opt"
        write_bootstrap(self.opt, EXTENSION, "extensions/watch")

    def environment(self, **code: str) -> tuple[tuple[str, str], ...]:
        return (("TOLD", str(self.folder / "told")), *code.items())

    async def extend(self, bootstrap: str = DRIVER, *, code: Any = None, **settings: Any) -> Any:
        environment = self.environment(**(code or {}))
        return await self.deploy_custom(
            bootstrap, opt=self.opt, environment=environment, **settings
        )

    @property
    def told(self) -> list[Any]:
        """What extensions have written down."""
        file = self.folder / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    async def events(self, number: int) -> list[Any]:
        """The first ``number`` events that extensions have heard of."""

        def heard() -> list[Any]:
            return [told[2] for told in self.told if told[1] == "event"]

        await until(lambda: len(heard()) >= number)
        return heard()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that a busy machine holds up is not one that goes on after its answer."""
    monkeypatch.setattr("edgeproxy.runtimes.environment._PATIENCE_S", 1.0)


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Extended]:
    async with Extended(tmp_path) as entered:
        yield entered


@rule("LR-230", "LR-231")
async def test_extensions_start_before_the_runtime(account: Extended) -> None:
    write_bootstrap(account.opt, EXTENSION, "extensions/other")
    (account.opt / "extensions" / "folder").mkdir()
    (account.opt / "extensions" / "notes.txt").write_text("not executable")
    start = "print(open(os.environ['TOLD']).read(), flush=True)"
    await account.extend(code={"AT_START": start})
    result = await account.call("say(1)")
    seen = [json.loads(line) for line in messages(result, "stdout") if line.startswith("[")]
    registered = [told for told in seen if told[1] == "registered"]
    assert {name for name, *_ in registered} == {"watch", "other"}
    for _, _, status, body, identifier in registered:
        assert status == 200
        assert body == {
            "functionName": "f",
            "functionVersion": "$LATEST",
            "handler": "any.thing",
            "accountId": "123456789012",
        }
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", identifier)


@rule("LR-230")
@pytest.mark.parametrize("runtime", [PYTHON, NODE_22])
async def test_extensions_of_the_runtimes_of_ours(account: Extended, runtime: str) -> None:
    environment = account.environment()
    await account.deploy(ECHO[runtime], runtime=runtime, opt=account.opt, environment=environment)
    for number in (1, 2):
        assert value_of(await account.call(number))["event"] == number
    assert [event["eventType"] for event in await account.events(2)] == ["INVOKE"] * 2


@rule("LR-232")
async def test_the_event_of_an_invocation(account: Extended) -> None:
    await account.extend(timeout_s=20)
    before_ms = account.clock.now() * 1000
    result = await account.call("say(1)", trace_id="Root=1-2", qualifier="1")
    [event] = await account.events(1)
    assert result.trace_id.startswith("Root=1-2;Parent=")
    assert -1 <= event.pop("deadlineMs") - before_ms - 20_000 <= 10_000
    assert event == {
        "eventType": "INVOKE",
        "requestId": result.request_id,
        "invokedFunctionArn": ARN + "f:1",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": result.trace_id},
    }


@rule("LR-232", "LR-187")
async def test_the_end_of_an_environment(account: Extended) -> None:
    code = "signal.signal(15, lambda *_: (open('term', 'w'), sys.exit()))"
    await account.extend(code={"AT_START": code})
    await account.call("say(1)")
    before_ms = account.clock.now() * 1000
    await account.service.close()
    event = account.told[-1][2]
    assert -1 <= event.pop("deadlineMs") - before_ms - 2000 <= 10_000
    assert event == {"eventType": "SHUTDOWN", "shutdownReason": "SPINDOWN"}
    assert (account.folder / "f" / "term").exists()


@rule("LR-187")
async def test_without_extensions_nobody_is_asked(account: Extended) -> None:
    code = "signal.signal(15, lambda *_: (open('term', 'w'), sys.exit()))"
    await account.deploy_custom(environment=(("AT_START", code),))
    await account.call("say(1)")
    await account.service.close()
    assert not (account.folder / "f" / "term").exists()


@rule("LR-187")
async def test_with_internal_extensions_only_there_is_less_time(account: Extended) -> None:
    code = REGISTER + LISTEN + "signal.signal(15, signal.SIG_IGN)"
    await account.deploy_custom(environment=(("AT_START", code),))
    await account.call("say(1)")
    began = account.clock.monotonic()
    await account.service.close()
    assert 0.45 < account.clock.monotonic() - began < 1.9


@rule("LR-187")
async def test_an_extension_that_does_not_end_is_killed(account: Extended) -> None:
    await account.extend(code={"HEARD": "if event['eventType'] == 'SHUTDOWN': time.sleep(60)"})
    await account.call("say(1)")
    began = account.clock.monotonic()
    await account.service.close()
    assert 1.9 < account.clock.monotonic() - began < 10


@rule("LR-232", "LR-185")
@pytest.mark.parametrize(
    ("code", "reason"), [("time.sleep(60)", "TIMEOUT"), ("os._exit(1)", "FAILURE")]
)
async def test_a_reset_tells_why(account: Extended, code: str, reason: str) -> None:
    await account.extend(timeout_s=2)
    document_of(await account.call(code))
    assert value_of(await account.call('say("again")')) == "again"
    events = await account.events(3)
    assert [event["eventType"] for event in events] == ["INVOKE", "SHUTDOWN", "INVOKE"]
    assert events[1]["shutdownReason"] == reason


@rule("LR-216", "LR-184")
async def test_an_invocation_lasts_until_extensions_are_done(account: Extended) -> None:
    code = {"HEARD": "while not os.path.exists(os.environ['TOLD'] + '.go'): time.sleep(0.005)"}
    await account.extend(code=code, timeout_s=20)
    result = await account.call("say(1)")
    assert value_of(result) == 1
    assert account.service.describe()[0].busy == 1
    (account.folder / "told.go").touch()
    await until(lambda: account.service.describe()[0].busy == 0)


@rule("LI-252")
async def test_how_long_extensions_went_on_is_told(account: Extended) -> None:
    told: list[tuple[str, str, float]] = []
    account.service.on_extensions = lambda *what: told.append(what)
    await account.extend(code={"HEARD": "time.sleep(0.3)"}, timeout_s=20)
    await account.call("say(1)", qualifier="1")
    await until(lambda: told)
    ((name, qualifier, milliseconds),) = told
    assert (name, qualifier) == ("f", "1")
    assert 100 < milliseconds < 5000


@rule("LR-173")
async def test_what_extensions_see_of_the_environment(account: Extended) -> None:
    await account.extend(code={"BEFORE": "tell(dict(os.environ))", "_OWN": "1", "OWN": "2"})
    environ = account.told[0][1]
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert environ["OWN"] == "2"
    hidden = {"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"}
    hidden |= {"AWS_XRAY_CONTEXT_MISSING", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"}
    hidden |= {"AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT"}
    assert not hidden & set(environ)
    assert not {"_HANDLER", "_OWN", "_X_AMZN_TRACE_ID"} & set(environ)


@rule("LR-233", "LR-094")
@pytest.mark.parametrize(
    ("path", "error_type"),
    [("init/error", "Extension.InitError"), ("exit/error", "Extension.ExitError")],
)
async def test_an_extension_that_reports_an_error(
    account: Extended, path: str, error_type: str
) -> None:
    code = f"""
tell(call("POST", "{path}", "{{}}", ME)[0])
tell(call("POST", "{path}", "{{}}", {{**ME, "Lambda-Extension-Function-Error-Type": "X.Y"}})[0])
sys.exit(1)
"""
    failed = await account.extend(code={"REGISTERED": code})
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == error_type
    await until(lambda: len(account.told) >= 3)
    assert [told[1] for told in account.told[1:3]] == [403, 202]


@rule("LR-094")
async def test_an_extension_that_goes_away(account: Extended) -> None:
    failed = await account.extend(code={"BEFORE": "sys.exit(3)"})
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "Extension.Crash"


@rule("LR-234")
async def test_identifiers(account: Extended) -> None:
    await account.extend()
    code = """
ask = lambda headers: json.loads(
    call("GET", "event/next", headers=headers, base="/2020-01-01/extension/")[1])["errorType"]
name = "Lambda-Extension-Identifier"
status = call("GET", "event/next", base="/2020-01-01/extension/")[0]
say([status, ask({}), ask({name: "x"}), ask({name: "12345678-1234-1234-1234-123456789012"})])
"""
    assert value_of(await account.call(code)) == [
        403,
        "Extension.MissingExtensionIdentifier",
        "Extension.InvalidExtensionIdentifier",
        "Extension.UnknownExtensionIdentifier",
    ]


@rule("LR-234")
async def test_who_may_register(account: Extended) -> None:
    code = REGISTER + (
        'register("", ["INVOKE"]); register("watch", ["INVOKE"])\n'
        'register("inside", ["INVOKE", "SHUTDOWN"]); register("inside", "INVOKE")\n'
        '[register(f"in-{n}", ["INVOKE"]) for n in range(10)]\n'
        "print(json.dumps(NOTES), flush=True); sys.exit(1)"
    )
    failed = await account.extend(code={"AT_START": code})
    assert isinstance(failed, DeployFailed)
    [answers] = [json.loads(line.message) for line in failed.log if line.message.startswith("[[")]
    assert answers == [
        ["", 403, "Extension.InvalidExtensionName"],
        ["watch", 403, "Extension.InvalidExtensionState"],
        ["inside", 403, "Extension.InvalidEventType"],
        ["inside", 403, "Extension.InvalidEventType"],
        *([f"in-{n}", 200, ""] for n in range(9)),
        ["in-9", 403, "Extension.TooManyExtensions"],
    ]


@rule("LR-234")
async def test_an_internal_extension(account: Extended) -> None:
    started = await account.extend(code={"AT_START": REGISTER + LISTEN})
    assert isinstance(started, Deployed)
    await account.call("say(1)")
    late = 'register("late", ["INVOKE"]); say(NOTES)'
    told = value_of(await account.call(late))
    assert told[0] == ["inside", 200, ""]
    assert told.count("INVOKE") >= 1
    assert ["late", 403, "Extension.RegistrationClosed"] in told


@rule("LR-235")
async def test_subscriptions_are_taken_and_come_to_nothing(account: Extended) -> None:
    await account.extend()
    code = """
paths = ("/2022-07-01/telemetry", "/2020-08-15/logs")
say([call("PUT", path, "{}", base="")[:2] for path in paths])
"""
    for status, body in value_of(await account.call(code)):
        assert status == 202
        assert "not supported" in json.loads(body)["errorMessage"]


async def test_what_extensions_print_is_in_the_log(account: Extended) -> None:
    await account.extend()
    await account.call("say(1)")
    await until(lambda: "heard INVOKE" in [line.message for line in account.service.logs("f")])


@rule("LR-281")
@pytest.mark.parametrize("form", ["Text", "JSON"])
async def test_the_log_tells_of_extensions_when_init_ends(account: Extended, form: str) -> None:
    log = LogSettings(LogFormat(form))
    await account.extend(code={"AT_START": REGISTER + LISTEN}, log=log)
    lines = messages(await account.call("say(1)"))
    if form == "Text":
        assert lines[1:3] == [
            "EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
            "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]",
        ]
        return
    told = [json.loads(line) for line in lines if "platform.extension" in line]
    assert [line["record"] for line in told] == [
        {"name": "watch", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
        {"name": "inside", "state": "Ready", "events": ["INVOKE"]},
    ]


@rule("LR-089", "LR-325")
async def test_the_memory_of_extensions_counts(account: Extended) -> None:
    code = {"HEARD": "taken = bytearray(os.urandom(1 << 20) * 300); time.sleep(60)"}
    await account.extend(code=code, memory_mb=256, timeout_s=30)
    result = await account.call("time.sleep(60)")
    assert "Runtime.OutOfMemory" in "\n".join(messages(result))
