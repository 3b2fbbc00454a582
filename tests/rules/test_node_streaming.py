"""Streaming handlers of Node.js (LR-051, LR-140 to LR-151), heard by whoever takes the pieces."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.awslambda.service import DeployFailed
from edgeproxy.runtimes.invocation import FunctionError, Returned, TimedOut
from tests.support.custom_runtimes import Sink
from tests.unit.runtimes.account import NODE_22, NODE_24, Account, document_of, messages, until

rule = pytest.mark.rule

OCTETS = "application/octet-stream"
HTTP = "application/vnd.awslambda.http-integration-response"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        yield account


def streaming(body: str, options: str = "{}") -> str:
    """A streaming handler with that body."""
    return (
        "const fs = require('fs');\n"
        "const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n"
        "const until = async (file) => { while (!fs.existsSync(file)) await sleep(5); };\n"
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {\n"
        f"{body}\n}}, {options});\n"
    )


@pytest.mark.parametrize("runtime", [NODE_22, NODE_24])
@rule("LR-140", "LR-141", "LR-143")
async def test_bytes_are_there_before_the_function_ends(account: Account, runtime: str) -> None:
    code = streaming(
        "stream.write('one'); await until('go'); stream.write(Buffer.from('two')); stream.end();"
    )
    await account.deploy(code, runtime=runtime, timeout_s=30)
    sink = Sink()
    running = asyncio.ensure_future(account.call(sink=sink))
    await until(lambda: len(sink.told) == 2)
    assert sink.told == [OCTETS, b"one"]
    assert not running.done()
    (account.folder / "f" / "go").touch()
    result = await running
    assert sink.told == [OCTETS, b"one", b"two", "ended"]
    assert isinstance(result, Returned)
    assert (result.payload, result.content_type) == (b"", OCTETS)


@rule("LR-141")
async def test_what_a_handler_is_called_with(account: Account) -> None:
    code = streaming(
        "stream.end(JSON.stringify({ event, id: context.awsRequestId, n: arguments.length }));"
    ).replace("async (event, stream, context) =>", "async function (event, stream, context)")
    result = await account.run(code, {"a": 1}, runtime=NODE_22)
    assert isinstance(result, Returned)
    told = json.loads(result.payload)
    assert told == {"event": {"a": 1}, "id": result.request_id, "n": 3}


@rule("LR-141")
async def test_a_handler_must_be_asynchronous_and_returns_nothing(account: Account) -> None:
    plain = "exports.handler = awslambda.streamifyResponse((e, s) => { s.end('x'); return 1; });"
    result = await account.run(plain.replace("s.end('x'); ", ""), runtime=NODE_22)
    assert document_of(result)["errorMessage"] == "Streaming does not support non-async handlers."
    result = await account.run(streaming("stream.end('x'); return 7;"), runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.payload == b"x"
    assert any("Streaming handlers ignore return values." in line for line in messages(result))


@rule("LR-140")
@pytest.mark.parametrize("value", ["1", "true"])
async def test_the_global_can_be_left_out(account: Account, value: str) -> None:
    code = "exports.handler = async () => typeof awslambda;"
    off = (("AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA", value),)
    result = await account.run(code, runtime=NODE_22, environment=off)
    assert isinstance(result, Returned)
    assert result.payload == b'"undefined"'
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.payload == b'"object"'


@rule("LR-051")
async def test_only_responses_are_streamed(account: Account) -> None:
    code = (
        "exports.handler = async () => 1;\n"
        "exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
    )
    deployed = await account.deploy(code, runtime=NODE_22)
    assert isinstance(deployed, DeployFailed)
    assert deployed.document["errorType"] == "Runtime.MalformedStreamingHandler"
    assert deployed.document["errorMessage"] == "Only response streaming is supported."


@rule("LR-142")
async def test_the_high_water_mark(account: Account) -> None:
    told = "stream.end(`${stream.writableHighWaterMark}`);"
    result = await account.run(streaming(told, "{ highWaterMark: 1234 }"), runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.payload == b"1234"


@rule("LR-143")
async def test_the_content_type_comes_first(account: Account) -> None:
    code = streaming(
        "stream.setContentType('text/plain'); stream.write('x');\n"
        "try { stream.setContentType('text/html'); } catch (error) {\n"
        "  stream.write(`${error.name}: ${error.message}`); }\n"
        "stream.end();"
    )
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.content_type == "text/plain"
    late = b"Runtime.InvalidStreamingOperation: Cannot set content-type, too late."
    assert result.payload == b"x" + late


@rule("LR-144")
async def test_what_is_no_text_and_no_bytes_becomes_json(account: Account) -> None:
    code = streaming(
        "stream.write({ a: [1] }); stream.write(7); stream.write(new Uint8Array([33]));"
        "stream.write('\\u00fc'); stream.end();"
    )
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.payload == '{"a":[1]}7!ü'.encode()


@rule("LR-145", "LR-149")
async def test_metadata_come_before_the_first_bytes(account: Account) -> None:
    code = streaming(
        "stream = awslambda.HttpResponseStream.from(stream, {\n"
        "  statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['a=b'] });\n"
        "stream.write('hello'); stream.end();"
    )
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned)
    assert result.content_type == HTTP
    metadata = b'{"statusCode":201,"headers":{"x-a":"b"},"cookies":["a=b"]}'
    assert result.payload == metadata + bytes(8) + b"hello"


@rule("LR-146")
async def test_without_a_write_there_are_no_metadata(account: Account) -> None:
    code = streaming("awslambda.HttpResponseStream.from(stream, { statusCode: 201 }).end();")
    result = await account.run(code, runtime=NODE_22)
    assert isinstance(result, Returned)
    assert (result.content_type, result.payload) == (HTTP, b"")


@rule("LR-147")
async def test_a_failure_after_the_start(account: Account) -> None:
    await account.deploy(
        streaming("stream.write('part'); throw new Error('mid');"), runtime=NODE_22
    )
    sink = Sink()
    result = await account.call(sink=sink)
    assert sink.told == [OCTETS, b"part"]
    assert isinstance(result, FunctionError)
    document = document_of(result)
    assert (document["errorType"], document["errorMessage"]) == ("Error", "mid")
    assert str(document["trace"]).startswith("['Error: mid'")
    assert any("Invoke Error" in line for line in messages(result))
    again = Sink()
    await account.call(sink=again)
    assert again.body == b"part"


async def test_a_failure_before_the_start_and_one_that_ends_the_process(account: Account) -> None:
    await account.deploy(streaming("throw new TypeError('early');"), runtime=NODE_22)
    sink = Sink()
    assert document_of(await account.call(sink=sink))["errorType"] == "TypeError"
    assert sink.told == []
    late = "setImmediate(() => { throw new RangeError('lost'); }); await sleep(1e6);"
    code = f"stream.write('x'); {late}"
    await account.deploy(streaming(code), runtime=NODE_22, timeout_s=30)
    result = await account.call(sink=sink)
    assert document_of(result)["errorType"] == "RangeError"


@pytest.mark.parametrize(
    "body", ["stream.write('x');", "stream.write('x'); await new Promise(() => {});"]
)
@rule("LR-148")
async def test_a_stream_that_is_not_ended_runs_into_the_timeout(
    account: Account, body: str
) -> None:
    await account.deploy(streaming(body), runtime=NODE_22, timeout_s=1)
    sink = Sink()
    assert isinstance(await account.call(sink=sink), TimedOut)
    assert sink.told == [OCTETS, b"x"]


@rule("LR-148")
async def test_a_stream_that_is_destroyed_is_not_finished(account: Account) -> None:
    result = await account.run(streaming("stream.destroy();"), runtime=NODE_22)
    assert document_of(result)["errorMessage"] == "Response stream is not finished."


async def test_the_response_ends_before_the_handler(account: Account) -> None:
    code = streaming("stream.end('all'); await until('go'); console.log('after');")
    await account.deploy(code, runtime=NODE_22, timeout_s=30)
    sink = Sink()
    result = await account.call(sink=sink)
    assert sink.told == [OCTETS, b"all", "ended"]
    assert isinstance(result, Returned)
    assert account.service.describe()[0].busy == 1
    (account.folder / "f" / "go").touch()
    await until(lambda: account.service.describe()[0].idle == 1)
    assert any(line.message.endswith("\tafter") for line in account.service.logs("f"))


async def test_a_slow_taker_holds_the_function_back(account: Account) -> None:
    code = streaming(
        "let turns = 0; const timer = setInterval(() => { turns += 1; }, 1);\n"
        "let sent = 0; const piece = Buffer.alloc(65536);\n"
        "for (; sent < 64; sent += 1) {\n"
        "  if (!stream.write(piece)) await new Promise((done) => stream.once('drain', done));\n"
        "  fs.writeFileSync('sent', `${sent}`);\n"
        "}\n"
        "clearInterval(timer); stream.end(turns > 0 ? 'turned' : 'stood still');"
    )
    await account.deploy(code, runtime=NODE_22, timeout_s=60)

    class Slow(Sink):
        def data(self, chunk: bytes) -> None:
            super().data(chunk)
            if len(self.told) == 2 and self.flow is not None:
                self.flow.pause()

    sink = Slow()
    running = asyncio.ensure_future(account.call(sink=sink))
    await until(lambda: sink.size > 0)
    held = sink.size
    await asyncio.sleep(0.2)  # that nothing comes can only be seen by waiting
    assert sink.size == held < 8 * 65536
    assert int((account.folder / "f" / "sent").read_text() or 0) < 32
    assert sink.flow is not None
    sink.flow.resume()
    assert isinstance(await running, Returned)
    assert sink.body[64 * 65536 :] == b"turned"


@rule("LR-151", "LR-323")
async def test_two_hundred_megabytes_and_no_more(account: Account) -> None:
    code = streaming(
        "const piece = Buffer.alloc(1048576);\n"
        "for (let n = 0; n < event; n += 1) {\n"
        "  if (!stream.write(piece)) await new Promise((done) => stream.once('drain', done));\n"
        "}\n"
        "stream.end();"
    )
    await account.deploy(code, runtime=NODE_22, timeout_s=120, memory_mb=512)

    class Counting(Sink):
        count = 0

        def data(self, chunk: bytes) -> None:
            self.count += len(chunk)

    sink = Counting()
    assert isinstance(await account.call(200, sink=sink), Returned)
    assert sink.count == 200 * 1048576
    result = await account.call(201, sink=Counting())
    assert document_of(result)["errorType"] == "Function.ResponseSizeTooLarge"


@rule("LR-149")
async def test_who_waits_for_the_whole_gets_six_megabytes_at_most(account: Account) -> None:
    await account.deploy(streaming("stream.end(Buffer.alloc(event));"), runtime=NODE_22)
    result = await account.call(6291556)
    assert isinstance(result, Returned)
    assert len(result.payload) == 6291556
    result = await account.call(6291557)
    assert document_of(result)["errorType"] == "Function.ResponseSizeTooLarge"
