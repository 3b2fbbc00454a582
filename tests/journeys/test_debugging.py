"""A function under an editor's debugger: `edgeproxy dev --debug-function`."""

import asyncio
import json
import re
import socket
import threading
import time
import urllib.request
from concurrent.futures import ALL_COMPLETED, Future, wait
from pathlib import Path

import pytest

from tests.support.command import Command, dev, run
from tests.support.debuggers import AdapterClient, inspector
from tests.support.ports import free_port

PYTHON = """
def handler(event, context):
    answer = "one"
    left_ms = context.get_remaining_time_in_millis()
    return {"status": "200", "body": f"{answer} {left_ms > 60_000}"}
"""
NODE = """
exports.handler = async (event, context) => {
  const answer = 'one';
  return { status: '200', body: `${answer} ${context.getRemainingTimeInMillis() > 6e4}` };
};
"""
PAUSE_S = 6
"""Longer than a viewer event may take."""


def body_of(url: str) -> "Future[str]":
    """What the URL answers, asked for in the background."""
    result: Future[str] = Future()

    def ask() -> None:
        with urllib.request.urlopen(url, timeout=60) as response:
            result.set_result(response.read().decode())

    threading.Thread(target=ask, daemon=True).start()
    return result


def port_of(command: Command, name: str) -> int:
    console = command.wait_for(f"{name} waits for a debugger on ")
    found = re.search(rf"{name} waits for a debugger on 127\.0\.0\.1:(\d+)", console)
    assert found is not None
    return int(found[1])


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nothing listens on {port}"
        else:
            return


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_an_editor_attaches_to_a_python_function(tmp_path: Path) -> None:
    hook = tmp_path / "hook.py"
    hook.write_text(PYTHON)
    (tmp_path / "site").mkdir()
    arguments = ("site", "--viewer-request", "hook.py", "--debug-function", "hook")
    with dev(*arguments, cwd=tmp_path) as command:
        viewer, port = command.endpoints["viewer"], port_of(command, "hook")
        assert body_of(viewer).result(30) == "one True"
        with AdapterClient(port) as editor:
            editor.attach(str(hook), 4)
            first = body_of(viewer)
            stopped = editor.event("stopped")
            assert stopped["reason"] == "breakpoint"
            thread = stopped["threadId"]
            (frame, *_) = editor.request("stackTrace", threadId=thread)["stackFrames"]
            assert (frame["source"]["path"], frame["line"]) == (str(hook), 4)
            value = editor.request(
                "evaluate", expression="answer", frameId=frame["id"], context="watch"
            )
            assert value["result"] == "'one'"
            second = body_of(viewer)
            with pytest.raises(TimeoutError):
                first.result(PAUSE_S)
            assert not second.done()
            editor.request("continue", threadId=thread)
            assert first.result(30) == "one True"
            editor.request("continue", threadId=editor.event("stopped")["threadId"])
            assert second.result(30) == "one True"
        hook.write_text(PYTHON.replace("one", "two"))
        command.wait_for("reloaded hook")
        with AdapterClient(port) as editor:
            editor.attach(str(hook), 4)
            answer = body_of(viewer)
            editor.request("continue", threadId=editor.event("stopped")["threadId"])
            assert answer.result(30) == "two True"
        assert command.stop() == 0
        assert is_free(port)


async def test_chrome_attaches_to_a_node_function(tmp_path: Path) -> None:
    hook = tmp_path / "hook.js"
    hook.write_text(NODE)
    (tmp_path / "site").mkdir()
    port = free_port()
    arguments = ("site", "--viewer-request", "hook.js", "--debug-function", f"hook={port}")
    with dev(*arguments, cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        assert port_of(command, "hook") == port
        await asyncio.to_thread(wait_until_open, port)
        assert "chrome://inspect" in command.console
        async with inspector(port) as chrome:
            await chrome.call("Debugger.enable")
            await chrome.call("Debugger.setBreakpointByUrl", lineNumber=3, url=hook.as_uri())
            answer = body_of(viewer)
            paused = await chrome.event("Debugger.paused")
            (frame, *_) = paused["callFrames"]
            assert frame["location"]["lineNumber"] == 3
            value = await chrome.call(
                "Debugger.evaluateOnCallFrame",
                callFrameId=frame["callFrameId"],
                expression="answer",
            )
            assert value["result"]["value"] == "one"
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(answer.result, PAUSE_S)
            await chrome.call("Debugger.resume")
            assert await asyncio.to_thread(answer.result, 30) == "one true"
        hook.write_text(NODE.replace("one", "two"))
        await asyncio.to_thread(command.wait_for, "reloaded hook")
        assert await asyncio.to_thread(body_of(viewer).result, 30) == "two true"
        async with inspector(port) as chrome:
            await chrome.call("Debugger.enable")
        assert await asyncio.to_thread(command.stop) == 0
        assert is_free(port)


def test_the_settings_that_an_editor_needs_are_printed(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(PYTHON)
    (tmp_path / "edge.js").write_text(NODE)
    (tmp_path / "site").mkdir()
    (tmp_path / "edgeproxy.toml").write_text('debug_function = ["hook", "edge"]\n')
    arguments = ("site", "--viewer-request", "hook.py", "--viewer-response", "edge.js")
    with dev(*arguments, cwd=tmp_path) as command:
        python, node = port_of(command, "hook"), port_of(command, "edge")
        console = command.wait_for("\n  }\n")
    launch, _ = json.JSONDecoder().raw_decode(console[console.index("\n  {") :].strip())
    assert launch["configurations"] == [
        {
            "name": "Attach to hook",
            "request": "attach",
            "type": "debugpy",
            "connect": {"host": "127.0.0.1", "port": python},
        },
        {
            "name": "Attach to edge",
            "request": "attach",
            "type": "node",
            "address": "127.0.0.1",
            "port": node,
            "restart": True,
            "skipFiles": ["<node_internals>/**"],
        },
    ]


TEMPLATE = """
Resources:
  Api:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: api
      Runtime: python3.12
      Handler: hook.handler
      Code: .
      Role: arn:aws:iam::123456789012:role/none
      Timeout: 1
      ReservedConcurrentExecutions: 1
  Url:
    Type: AWS::Lambda::Url
    Properties: {AuthType: NONE, TargetFunctionArn: !Ref Api}
  Rewrite:
    Type: AWS::CloudFront::Function
    Properties:
      Name: rewrite
      AutoPublish: true
      FunctionConfig: {Comment: "", Runtime: cloudfront-js-2.0}
      FunctionCode: "function handler(event) { return event.request; }"
"""


def test_a_function_of_a_template_in_its_own_python(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(PYTHON)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    with dev("--debug-function", "Api", cwd=tmp_path) as command:
        url = command.endpoints["function_urls"]["Url"]["url"]
        port = port_of(command, "api")
        wait_until_open(port)
        with AdapterClient(port) as editor:
            editor.attach(str(tmp_path / "hook.py"), 3)
            answers = [body_of(url), body_of(url)]
            for number in range(len(answers)):
                thread = editor.event("stopped")["threadId"]
                ended, waiting = wait(answers, 1.5, ALL_COMPLETED)
                assert (len(ended), len(waiting)) == (number, 2 - number)
                editor.request("continue", threadId=thread)
            assert ["one True" in answer.result(30) for answer in answers] == [True, True]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("nobody", "there is api"),
        ("rewrite", "`edgeproxy invoke rewrite --event FILE`"),
        ("api=http", "NAME[=PORT]"),
        ("api=70000", "NAME[=PORT]"),
    ],
)
def test_what_cannot_be_debugged_is_said(tmp_path: Path, option: str, said: str) -> None:
    (tmp_path / "hook.py").write_text(PYTHON)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    result = run(
        "dev", "--port", "0", "--control-port", "0", "--debug-function", option, cwd=tmp_path
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(PYTHON)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        option = f"api={taken.getsockname()[1]}"
        result = run("dev", "--debug-function", option, "--port", "0", cwd=tmp_path)
    assert result.returncode == 2
    assert option.partition("=")[2] in result.stderr
    assert "give another port" in result.stderr
