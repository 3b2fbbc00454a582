"""The Runtime API and the custom runtimes that use it (LR-091 to LR-094, LR-200 to LR-216)."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.awslambda.service import DeployFailed
from edgeproxy.chance import Chance
from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    Invocation,
    InvocationResult,
    Returned,
    TimedOut,
)
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.runtimes.warden import Warden
from tests.support.custom_runtimes import DRIVER, SHELL, CustomAccount, Sink, write_bootstrap
from tests.unit.runtimes.account import ARN, document_of, messages, until, value_of

rule = pytest.mark.rule

OK = [202, '{"status":"OK"}\n']


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that a busy machine holds up is not one that goes on after its answer."""
    monkeypatch.setattr("edgeproxy.runtimes.environment._PATIENCE_S", 1.0)


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[CustomAccount]:
    async with CustomAccount(tmp_path) as entered:
        yield entered


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
@rule("LR-200", "LR-203", "LR-213", "LR-340")
async def test_a_shell_script_with_curl(account: CustomAccount, runtime: str) -> None:
    await account.deploy_custom(SHELL, runtime=runtime)
    first = await account.call({"n": 1})
    second = await account.call({"n": 2})
    assert value_of(first) == {"echo": {"n": 1}}
    assert value_of(second) == {"echo": {"n": 2}}
    assert isinstance(first, Returned)
    assert isinstance(second, Returned)
    assert (first.init_ms or 0) > 0
    assert second.init_ms is None
    assert messages(second, "stdout") == ['got {"n": 2}']
    assert messages(second, "stderr") == ["to stderr"]
    start, *_, end, report = messages(second, "platform")
    assert start.startswith("START RequestId: ")
    assert end.startswith("END RequestId: ")
    assert report.startswith("REPORT RequestId: ")


@pytest.fixture
async def environment(account: CustomAccount) -> AsyncIterator[Environment]:
    """One environment of the Python program."""
    folder = account.folder / "environment"
    warden = Warden(folder)
    surroundings = Surroundings(account.clock, Chance(1), warden, folder)
    spec = account.custom(timeout_s=30).spec
    environment = Environment(spec, surroundings, lambda line: None, lambda which, result: None)
    assert await environment.start() is None
    yield environment
    await environment.close()
    warden.close()


@rule("LR-201", "LR-202")
async def test_the_headers_of_an_event(account: CustomAccount, environment: Environment) -> None:
    ask = b'"say(HEADERS)"'
    before_ms = account.clock.now() * 1000
    plain = value_of(await environment.begin(Invocation("r-1", ask)))
    assert -1 <= int(plain.pop("Lambda-Runtime-Deadline-Ms")) - before_ms - 30_000 <= 10_000
    assert plain == {
        "Content-Type": "application/json",
        "Content-Length": str(len(ask)),
        "Lambda-Runtime-Aws-Request-Id": "r-1",
        "Lambda-Runtime-Invocation-Id": "r-1",
        "Lambda-Runtime-Invoked-Function-Arn": ARN + "f",
    }
    invocation = Invocation(
        "r-2",
        ask,
        invoked_arn=ARN + "f:live",
        trace_id="Root=1-2-3",
        client_context='{"custom":\n{"a":"é"}}',
        cognito_identity='{"cognitoIdentityId":"i"}',
        tenant_id="blue",
        content_type="text/plain",
    )
    full = value_of(await environment.begin(invocation))
    assert full["Content-Type"] == "text/plain"
    assert full["Lambda-Runtime-Invoked-Function-Arn"] == ARN + "f:live"
    assert full["Lambda-Runtime-Trace-Id"] == "Root=1-2-3"
    assert full["Lambda-Runtime-Cognito-Identity"] == '{"cognitoIdentityId":"i"}'
    assert full["Lambda-Runtime-Aws-Tenant-Id"] == "blue"
    context = full["Lambda-Runtime-Client-Context"].encode("latin-1").decode()
    assert json.loads(context) == {"custom": {"a": "é"}}


@rule("LR-203")
async def test_a_response_is_taken_as_it_is(account: CustomAccount) -> None:
    await account.deploy_custom()
    post = 'call("POST", f"invocation/{ID}/response", b"\\xff no JSON", {"Content-Type": "x/y"})'
    code = f"NOTES.append({post}[:2])"
    result = await account.call(code)
    assert isinstance(result, Returned)
    assert result.payload == b"\xff no JSON"
    assert value_of(await account.call("say(NOTES)")) == [OK]


@rule("LR-204", "LR-093")
@pytest.mark.parametrize(
    ("header", "classified"),
    [
        ("Function.Bad", "Function.Bad"),
        ("Runtime.Bad", "Runtime.Bad"),
        ("Function.bad", "Function.Unknown"),
        ("Function.B4d", "Function.Unknown"),
        ("Other.Bad", "Runtime.Unknown"),
        ("", "Runtime.Unknown"),
    ],
)
async def test_errors_are_passed_on_and_classified(
    account: CustomAccount, header: str, classified: str
) -> None:
    await account.deploy_custom(log=LogSettings(LogFormat.JSON))
    text = '{ "errorType":"Mine", "more": [1] }'
    sent = {"Lambda-Runtime-Function-Error-Type": header} if header else {}
    result = await account.call(f"NOTES.append(fail({text!r}, {sent!r})[:2])")
    assert isinstance(result, FunctionError)
    assert result.body.decode() == text
    assert result.document == {"errorType": "Mine", "more": [1]}
    report = json.loads(messages(result, "platform")[-1])
    assert report["record"]["errorType"] == classified
    assert value_of(await account.call("say(NOTES)")) == [OK]


@rule("LR-204")
async def test_an_error_may_say_nothing(account: CustomAccount) -> None:
    await account.deploy_custom()
    cause = json.dumps({"paths": ["x" * 900_000]})
    headers = {"Lambda-Runtime-Function-XRay-Error-Cause": cause}
    result = await account.call(f"fail('', {headers!r})")
    assert isinstance(result, FunctionError)
    assert (result.document, result.body) == ({}, b"")


@rule("LR-205")
async def test_the_cause_for_x_ray_is_not_for_callers(account: CustomAccount) -> None:
    await account.deploy_custom()
    document = {"errorMessage": "m", "errorType": "T", "stackTrace": ["s"], "errorCause": {"a": 1}}
    kind = {"Content-Type": "application/vnd.aws.lambda.error.cause+json"}
    result = await account.call(f"fail({json.dumps(document)!r}, {kind!r})")
    assert isinstance(result, FunctionError)
    del document["errorCause"]
    assert json.loads(result.body) == result.document == document


@rule("LR-206")
async def test_a_runtime_that_cannot_start(account: CustomAccount) -> None:
    document = json.dumps({"errorType": "Mine", "errorMessage": "no"})
    kind = {"Lambda-Runtime-Function-Error-Type": "Runtime.NoConfig"}
    code = f"""
post = lambda: call("POST", "init/error", {document!r}, {kind!r})[:2]
print(post(), post(), flush=True)
time.sleep(60)
"""
    failed = await account.deploy_custom(environment=(("AT_START", code),))
    assert isinstance(failed, DeployFailed)
    assert failed.document == {"errorType": "Mine", "errorMessage": "no"}
    result = await account.call("say(1)")
    assert isinstance(result, InitFailed)
    assert result.body.decode() == document


@rule("LR-206", "LR-208")
async def test_init_errors_are_for_before_the_first_event(account: CustomAccount) -> None:
    await account.deploy_custom()
    status, body, _ = value_of(await account.call('say(call("POST", "init/error", "{}"))'))
    assert status == 403
    assert json.loads(body) == {
        "errorType": "InvalidStateTransition",
        "errorMessage": "State transition from Running to InitError failed for runtime. "
        "Error: State transition is not allowed",
    }


@rule("LR-207")
@pytest.mark.parametrize("what", ["response", "error"])
async def test_wrong_and_stale_ids(account: CustomAccount, what: str) -> None:
    await account.deploy_custom()
    await account.call("OLD = ID; say(1)")
    code = f"""
say([call("POST", f"invocation/{{one}}/{what}", "x")[:2] for one in ("wrong", OLD)])
"""
    refused = [400, '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n']
    assert value_of(await account.call(code)) == [refused, refused]


@rule("LR-208")
@pytest.mark.parametrize(
    ("first", "second", "states"),
    [
        ("response", "response", "RuntimeResponseSentState to InvocationResponse"),
        ("response", "error", "RuntimeResponseSentState to InvocationErrorResponse"),
        ("error", "response", "RuntimeResponseSentState to InvocationResponse"),
    ],
)
async def test_one_answer_is_enough(
    account: CustomAccount, first: str, second: str, states: str
) -> None:
    await account.deploy_custom()
    code = f"""
call("POST", f"invocation/{{ID}}/{first}", '"first"')
NOTES.append(call("POST", f"invocation/{{ID}}/{second}", '"second"')[:2])
"""
    result = await account.call(code)
    assert isinstance(result, Returned if first == "response" else FunctionError)
    body = result.payload if isinstance(result, Returned) else result.body
    assert body == b'"first"'
    [[status, refused]] = value_of(await account.call("say(NOTES)"))
    assert (status, json.loads(refused)["errorType"]) == (403, "InvalidStateTransition")
    assert f"State transition from {states} failed" in refused


@rule("LR-208")
async def test_the_next_event_comes_after_the_answer(account: CustomAccount) -> None:
    await account.deploy_custom()
    status, body, _ = value_of(await account.call('say(call("GET", "invocation/next"))'))
    assert status == 403
    assert "from Running to Ready failed for runtime" in body


@rule("LR-209", "LR-090")
async def test_a_response_over_the_limit(account: CustomAccount) -> None:
    await account.deploy_custom()
    largest = await account.call('call("POST", f"invocation/{ID}/response", "x" * 6291556)')
    assert isinstance(largest, Returned)
    assert len(largest.payload) == 6291556
    code = 'NOTES.append(call("POST", f"invocation/{ID}/response", "x" * 6291557)[:2])'
    assert document_of(await account.call(code)) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    [[status, body]] = value_of(await account.call("say(NOTES)"))
    assert status == 413
    assert json.loads(body) == {
        "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "RequestEntityTooLarge",
    }


TRUNCATED = """
head = f"POST {BASE}invocation/{ID}/response HTTP/1.1\\r\\nHost: x\\r\\n"
NOTES.append(raw(f"{head}Content-Length: 9\\r\\n\\r\\nabc".encode()))
"""


@rule("LR-210", "LR-094")
async def test_a_truncated_upload(account: CustomAccount) -> None:
    await account.deploy_custom()
    assert document_of(await account.call(TRUNCATED))["errorType"] == "Runtime.TruncatedResponse"
    [answer] = value_of(await account.call("say(NOTES)"))
    assert answer.startswith("HTTP/1.1 400 ")
    assert '"errorType":"TruncatedHTTPRequest"' in answer


@rule("LR-210", "LR-094")
async def test_an_unknown_response_mode(account: CustomAccount) -> None:
    await account.deploy_custom()
    code = 'NOTES.append(say(1, {"Lambda-Runtime-Function-Response-Mode": "later"})[:2])'
    result = await account.call(code)
    assert document_of(result)["errorType"] == "Runtime.InvalidResponseModeHeader"
    assert "Error Type: Runtime.InvalidResponseModeHeader" in messages(result, "platform")[-1]
    [[status, body]] = value_of(await account.call("say(NOTES)"))
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")


@rule("LR-212", "LR-213")
async def test_other_paths(account: CustomAccount) -> None:
    await account.deploy_custom()
    code = """
say([call("GET", "/ping", base="")[0], call("GET", "restore/next")[0],
     call("POST", "restore/error", "{}")[0], call("GET", "nothing")[0]])
"""
    assert value_of(await account.call(code)) == [200, 404, 404, 404]


STREAM = """
def chunk(data): return b"%x\\r\\n%s\\r\\n" % (len(data), data)
def stream(chunks, trailers=b"", kind=b"text/plain"):
    connection.close()
    connection.connect()
    connection.sock.sendall(
        f"POST {BASE}invocation/{ID}/response HTTP/1.1\\r\\nHost: x\\r\\n".encode()
        + b"Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n"
        + b"Trailer: Lambda-Runtime-Function-Error-Type\\r\\n"
        + b"Trailer: Lambda-Runtime-Function-Error-Body\\r\\n"
        + b"Content-Type: " + kind + b"\\r\\n\\r\\n")
    for data in chunks:
        connection.sock.sendall(chunk(data))
    connection.sock.sendall(b"0\\r\\n" + trailers + b"\\r\\n")
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    NOTES.append([answer.status, answer.read().decode()])
"""
AT_START = (("AT_START", STREAM),)


@rule("LR-211", "LR-147", "LR-149")
async def test_a_streamed_response_for_a_caller_who_waits(account: CustomAccount) -> None:
    await account.deploy_custom(environment=AT_START)
    result = await account.call('stream([b"one ", b"two"])')
    assert isinstance(result, Returned)
    assert result.payload == b"one two"
    assert value_of(await account.call("say(NOTES)")) == [OK]


@rule("LR-211", "LR-147")
async def test_a_stream_that_fails(account: CustomAccount) -> None:
    await account.deploy_custom(environment=AT_START)
    body = base64.b64encode(b'{"errorType":"Error","errorMessage":"mid"}').decode()
    trailers = (
        "Lambda-Runtime-Function-Error-Type: Error\r\n"
        f"Lambda-Runtime-Function-Error-Body: {body}\r\n"
    )
    result = await account.call(f'stream([b"part"], {trailers.encode()!r})')
    assert document_of(result) == {"errorType": "Error", "errorMessage": "mid"}
    assert isinstance(result, FunctionError)


@rule("LR-211")
async def test_a_stream_is_heard_while_it_is_made(account: CustomAccount) -> None:
    await account.deploy_custom(environment=AT_START)
    sink = Sink()
    code = """
def pieces():
    yield b"one"
    while not os.path.exists("go"): time.sleep(0.005)
    yield b"two"
stream(pieces())
"""
    running = asyncio.ensure_future(account.call(code, sink=sink))
    await until(lambda: len(sink.told) == 2)
    assert sink.told == ["text/plain", b"one"]
    assert not running.done()
    (account.folder / "f" / "go").touch()
    result = await running
    assert sink.told == ["text/plain", b"one", b"two", "ended"]
    assert isinstance(result, Returned)
    assert result.payload == b""


@rule("LR-323")
async def test_a_slow_taker_holds_the_stream_back(account: CustomAccount) -> None:
    await account.deploy_custom(environment=AT_START, timeout_s=60)
    sink = Sink()
    code = 'stream(iter([b"x" * 1048576] * 201)) if EVENT else 0'
    running = asyncio.ensure_future(account.call(code, sink=sink))
    await until(lambda: sink.flow is not None)
    assert sink.flow is not None
    sink.flow.pause()
    held = sink.size
    await asyncio.sleep(0.05)  # the pause can only be seen by nothing coming
    assert sink.size == held
    sink.flow.resume()
    assert document_of(await running)["errorType"] == "Function.ResponseSizeTooLarge"
    assert 199 * 1048576 < sink.size <= 200 * 1048576


@rule("LR-216")
async def test_work_after_the_answer_counts_and_nobody_waits(account: CustomAccount) -> None:
    await account.deploy_custom()
    code = (
        'say("early")\nwhile not os.path.exists("go"): time.sleep(0.005)\nprint("late", flush=True)'
    )
    result = await account.call(code)
    assert value_of(result) == "early"
    second = asyncio.ensure_future(account.call("say(os.getppid())"))
    await asyncio.sleep(0)
    assert account.service.describe()[0].busy >= 1  # still the first
    (account.folder / "f" / "go").touch()
    await second
    lines = [line.message for line in account.service.logs("f")]
    first_id = result.request_id
    assert [line for line in lines if line == "late"] == ["late"]
    report = next(line for line in lines if line.startswith(f"REPORT RequestId: {first_id}"))
    billed = float(re.findall(r"Duration: ([\d.]+) ms", report)[0])
    assert isinstance(result, Returned)
    assert billed > result.duration_ms


@rule("LR-216")
async def test_the_timeout_counts_until_the_next_event_is_asked_for(
    account: CustomAccount,
) -> None:
    await account.deploy_custom(timeout_s=1)
    result = await account.call('say("early"); time.sleep(60)')
    assert value_of(result) == "early"
    line = f"REPORT RequestId: {result.request_id}\tDuration: 1000.00 ms"
    await until(lambda: any(x.message.startswith(line) for x in account.service.logs("f")))
    last = next(x.message for x in account.service.logs("f") if x.message.startswith(line))
    assert "Status: timeout" in last
    assert value_of(await account.call("say(1)")) == 1


async def ended(account: CustomAccount, code: str) -> InvocationResult:
    await account.deploy_custom(timeout_s=2)
    failed = await account.call(code)
    assert value_of(await account.call('say("again")')) == "again"
    return failed


@rule("LR-087", "LR-088", "LR-185")
@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("sys.exit(7)", "Runtime exited with error: exit status 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_a_lost_runtime(account: CustomAccount, code: str, how: str) -> None:
    result = await ended(account, code)
    assert document_of(result) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} Error: {how}",
    }


@rule("LR-086")
async def test_a_runtime_that_does_not_answer(account: CustomAccount) -> None:
    result = await ended(account, "time.sleep(60)")
    assert isinstance(result, TimedOut)
    assert document_of(result)["errorMessage"].endswith("Task timed out after 2.00 seconds")


@rule("LR-089")
async def test_a_runtime_that_takes_too_much(account: CustomAccount) -> None:
    result = await ended(account, "kept = b'x' * 400_000_000; time.sleep(60)")
    assert document_of(result)["errorMessage"].endswith("Runtime exited with error: signal: killed")


@rule("LR-215", "LR-163", "LR-174")
async def test_where_a_bootstrap_runs(account: CustomAccount) -> None:
    wrapper = (("AWS_LAMBDA_EXEC_WRAPPER", "/nowhere"), ("OWN", "1"))
    await account.deploy_custom(environment=wrapper)
    code = "say([os.getcwd(), dict(os.environ), sys.argv])"
    folder, environ, arguments = value_of(await account.call(code))
    root = str(account.folder / "f")
    assert (folder, arguments) == (root, [f"{root}/bootstrap"])
    assert "AWS_EXECUTION_ENV" not in environ
    assert re.fullmatch(r"127\.0\.0\.1:\d+", environ["AWS_LAMBDA_RUNTIME_API"])
    assert environ["_HANDLER"] == "any.thing"
    assert environ["LAMBDA_TASK_ROOT"] == root
    assert environ["OWN"] == "1"


@rule("LR-215")
async def test_a_bootstrap_of_a_layer(account: CustomAccount) -> None:
    opt = account.folder / "opt"
    write_bootstrap(opt, DRIVER)
    await account.deploy_custom("", opt=opt)
    assert value_of(await account.call("say(sys.argv)")) == [f"{opt}/bootstrap"]
    write_bootstrap(account.folder / "f", DRIVER)
    await account.deploy_custom("", opt=opt)
    assert value_of(await account.call("say(sys.argv)")) == [f"{account.folder}/f/bootstrap"]


@rule("LR-091", "LR-215")
@pytest.mark.parametrize("there", [False, True])
async def test_no_bootstrap_that_can_be_executed(account: CustomAccount, there: bool) -> None:
    if there:
        write_bootstrap(account.folder / "f", DRIVER).chmod(0o644)
    failed = await account.deploy_custom("")
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "Runtime.InvalidEntrypoint"
    message = str(failed.document["errorMessage"])
    wanted = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    assert re.match(r"RequestId: [-0-9a-f]+ Error: " + re.escape(wanted), message)
    assert ("chmod +x" in message) == there


async def test_each_environment_has_an_api_of_its_own(account: CustomAccount) -> None:
    await account.deploy_custom()
    code = 'say(HOST)\nwhile not os.path.exists("go"): time.sleep(0.005)'
    one, other = await asyncio.gather(account.call(code), account.call(code))
    assert value_of(one) != value_of(other)
    (account.folder / "f" / "go").touch()


@rule("LR-201")
async def test_a_runtime_that_asks_again_after_it_lost_its_connection(
    account: CustomAccount,
) -> None:
    code = r"""
raw(f"GET {BASE}invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode())
open("lost", "w").close()
while not os.path.exists("go"): time.sleep(0.005)
"""
    await account.deploy_custom(environment=(("AT_START", code),))
    await until((account.folder / "f" / "lost").exists)
    waiting = asyncio.ensure_future(account.call("say(1)"))
    await until(lambda: account.service.describe()[0].busy)
    (account.folder / "f" / "go").touch()
    assert value_of(await waiting) == 1
    assert value_of(await account.call("say(2)")) == 2


@rule("LR-089", "LR-325")
async def test_the_memory_of_a_custom_runtime_and_its_children(account: CustomAccount) -> None:
    await account.deploy_custom(timeout_s=20)
    hog = "kept = b'x' * 300_000_000; import time; time.sleep(60)"
    spawn = f"import subprocess; subprocess.run([sys.executable, '-c', {hog!r}])"
    result = await account.call(spawn)
    assert document_of(result)["errorMessage"].endswith("signal: killed")
    assert "Runtime.OutOfMemory" in "\n".join(messages(result))
