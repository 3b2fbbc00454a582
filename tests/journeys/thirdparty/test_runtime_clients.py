"""AWS's own runtime interface clients as custom runtimes, unchanged."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.runtimes.invocation import FunctionError, Returned
from tests.journeys.thirdparty.packages import node_modules, python_packages
from tests.support.custom_runtimes import CustomAccount, Sink
from tests.unit.runtimes.account import document_of, messages, until, value_of

_PROJECTS = Path(__file__).parent / "projects"
rule = pytest.mark.rule

PYTHON_CODE = """
import logging, os, sys

def handler(event, context):
    if event == "raise":
        raise ValueError("boom")
    if event == "exit":
        sys.exit(4)
    if event == "set":
        return {1, 2}
    print("printed")
    logging.getLogger().warning("logged")
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context and context.client_context.custom,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "memory": context.memory_limit_in_mb,
    }
"""
NODE_CODE = """
import fs from 'node:fs';

export const handler = async (event, context) => {
  if (event === 'throw') throw new TypeError('boom');
  return { event, id: context.awsRequestId, left: context.getRemainingTimeInMillis() };
};

export const stream = awslambda.streamifyResponse(async (event, out) => {
  const metadata = { statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['a=b'] };
  out = awslambda.HttpResponseStream.from(out, metadata);
  out.write('first ');
  if (event === 'throw') {
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error('mid');
  }
  while (event === 'wait' && !fs.existsSync('go')) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  out.write('second');
  out.end();
});
"""
PRELUDE = b'{"statusCode":201,"headers":{"x-a":"b"},"cookies":["a=b"]}' + bytes(8)
HTTP = "application/vnd.awslambda.http-integration-response"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[CustomAccount]:
    async with CustomAccount(tmp_path) as entered:
        yield entered


async def deploy_python(account: CustomAccount, handler: str = "app.handler") -> object:
    account.write({"app.py": PYTHON_CODE})
    packages = python_packages("requirements-awslambdaric.txt")
    bootstrap = f'#!/bin/sh\nexec {sys.executable} -m awslambdaric "$_HANDLER"\n'
    paths = (("PYTHONPATH", str(packages)),)
    return await account.deploy_custom(bootstrap, handler=handler, environment=paths)


async def deploy_node(account: CustomAccount, handler: str) -> object:
    account.write({"app.mjs": NODE_CODE})
    packages = node_modules(_PROJECTS / "node_runtime_client", build=True)
    client = packages / "aws-lambda-ric" / "index.mjs"
    bootstrap = f'#!/bin/sh\nexec {shutil.which("node")} {client} "$_HANDLER"\n'
    return await account.deploy_custom(bootstrap, handler=handler)


@rule("LR-201", "LR-202", "LR-203")
async def test_the_python_client(account: CustomAccount) -> None:
    await deploy_python(account)
    context = '{"custom": {"a": "b"}}'
    result = await account.call({"n": 1}, client_context=context, trace_id="Root=1-2-3")
    told = value_of(result)
    assert 0 < told.pop("left") <= 3000
    assert result.trace_id.startswith("Root=1-2-3;")
    assert told == {
        "event": {"n": 1},
        "id": result.request_id,
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "custom": {"a": "b"},
        "trace": result.trace_id,
        "memory": "128",
    }
    printed, logged = messages(result, "stdout")
    assert printed == "printed"
    assert logged.startswith("[WARNING]\t")
    assert logged.endswith(f"Z\t{result.request_id}\tlogged")


@rule("LR-204", "LR-088")
async def test_errors_of_the_python_client(account: CustomAccount) -> None:
    await deploy_python(account)
    raised = document_of(await account.call("raise"))
    assert (raised["errorType"], raised["errorMessage"]) == ("ValueError", "boom")
    assert "in handler" in raised["stackTrace"][0]
    assert document_of(await account.call("set"))["errorType"] == "Runtime.MarshalError"
    left = document_of(await account.call("exit"))
    assert left["errorMessage"].endswith("Runtime exited with error: exit status 4")
    assert value_of(await account.call("again"))["event"] == "again"


@rule("LR-206")
async def test_the_python_client_cannot_find_a_handler(account: CustomAccount) -> None:
    await deploy_python(account, "app.nosuch")
    document = document_of(await account.call())
    assert document["errorType"] == "Runtime.HandlerNotFound"
    assert document["errorMessage"] == "Handler 'nosuch' missing on module 'app'"


@rule("LR-201", "LR-203", "LR-204")
async def test_the_node_client(account: CustomAccount) -> None:
    await deploy_node(account, "app.handler")
    result = await account.call({"n": 1})
    told = value_of(result)
    assert 0 < told.pop("left") <= 3000
    assert told == {"event": {"n": 1}, "id": result.request_id}
    failed = document_of(await account.call("throw"))
    assert (failed["errorType"], failed["errorMessage"]) == ("TypeError", "boom")


@rule("LR-147", "LR-145", "LR-149")
async def test_a_stream_of_the_node_client(account: CustomAccount) -> None:
    await deploy_node(account, "app.stream")
    result = await account.call()
    assert isinstance(result, Returned)
    assert result.payload == PRELUDE + b"first second"
    sink = Sink()
    running = asyncio.ensure_future(account.call("wait", sink=sink))
    await until(lambda: b"first" in sink.body)
    assert sink.told[0] == HTTP
    assert not running.done()
    (account.folder / "f" / "go").touch()
    assert isinstance(await running, Returned)
    assert sink.body == PRELUDE + b"first second"
    assert sink.told[-1] == "ended"


@rule("LR-147", "LR-211")
async def test_a_stream_of_the_node_client_that_fails(account: CustomAccount) -> None:
    await deploy_node(account, "app.stream")
    sink = Sink()
    result = await account.call("throw", sink=sink)
    assert isinstance(result, FunctionError)
    assert (result.document["errorType"], result.document["errorMessage"]) == ("Error", "mid")
    assert sink.body == PRELUDE + b"first "
    assert "ended" not in sink.told
