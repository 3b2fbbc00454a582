"""`breakpoint()` in a Python function, with a person at the terminal and without."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import dev, run
from tests.support.terminal import Screen, on_terminal

_TIMEOUT_S = 30

STOPS = """
def handler(event, context):
    answer = 41
    {stop}
    answer += 1
    left_s = context.get_remaining_time_in_millis() / 1000
    return {{"status": "200", "body": f"{{answer}} {{0 < left_s < 30}}"}}
"""
STOPPED = STOPS.format(stop="breakpoint()")
TEMPLATE = """
Resources:
  Hook:
    Type: AWS::Lambda::Function
    Properties:
      {FunctionName: hook, Code: ./hook, Handler: hook.handler, Runtime: python3.13, Timeout: 1,
       Role: "arn:aws:iam::123456789012:role/edge"}
  HookVersion:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Hook}
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins: [{Id: web, DomainName: web.example.com, S3OriginConfig: {}}]
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          LambdaFunctionAssociations:
            [{EventType: viewer-request, LambdaFunctionARN: !Ref HookVersion}]
"""
PAUSE_S = 2
"""Longer than the function may take."""


@contextmanager
def dev_on_terminal(cwd: Path, *arguments: str) -> Iterator[tuple[Screen, str]]:
    """`edgeproxy dev` with a function `hook.py` at viewer requests; its screen and its URL."""
    (cwd / "hook").mkdir()
    (cwd / "hook.py").rename(cwd / "hook" / "hook.py")
    (cwd / "template.yaml").write_text(TEMPLATE)
    with on_terminal(
        "dev", "template.yaml", "--origin", "web=hook", "--port", "0", "--control-port", "0",
        "--endpoints-file", "endpoints.json", *arguments, cwd=cwd,
    ) as screen:  # fmt: skip
        screen.wait_for("edgeproxy is ready")
        yield screen, json.loads((cwd / "endpoints.json").read_text())["viewer"]


class Request(threading.Thread):
    """A request under way."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.answer: tuple[int, str] | None = None
        self.start()

    def run(self) -> None:
        try:
            with urllib.request.urlopen(self.url, timeout=60) as response:
                self.answer = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                self.answer = error.code, error.read().decode()
        except OSError as error:
            self.answer = 0, str(error)

    def result(self) -> tuple[int, str] | None:
        self.join(_TIMEOUT_S)
        return self.answer


@pytest.mark.parametrize("stop", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_a_prompt_in_invoke(tmp_path: Path, stop: str) -> None:
    (tmp_path / "hook.py").write_text(STOPS.format(stop=stop))
    with on_terminal("invoke", "hook.py", cwd=tmp_path) as screen:
        screen.wait_for("-> answer += 1\n(Pdb) ")
        screen.type("p answer", "41\n(Pdb) ")
        screen.type("n", "(Pdb) ")
        screen.type("print('printed', answer)", "printed 42\n(Pdb) ")
        screen.type("c", '"body": "42 True"')
        assert screen.ended() == 0
    assert "hook waits at a breakpoint" in screen.text


def test_quitting_fails_the_invocation(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED)
    with on_terminal("invoke", "hook.py", cwd=tmp_path) as screen:
        screen.wait_for("(Pdb) ")
        screen.type("q", '"errorType": "BdbQuit"')
        assert screen.ended() == 1


def test_a_prompt_while_the_code_loads(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text("answer = 41\nbreakpoint()\ndef handler(e, c): return answer")
    with on_terminal("invoke", "hook.py", cwd=tmp_path) as screen:
        screen.wait_for("(Pdb) ")
        screen.watch(11)  # the init phase has ten seconds
        screen.type("answer = 7", "(Pdb) ")
        screen.type("c", "\n7\n")
        assert screen.ended() == 0


def test_time_waits_for_the_prompt_in_dev(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED)
    with dev_on_terminal(tmp_path) as (screen, url):
        request = Request(url + "/slow")
        screen.wait_for("(Pdb) ")
        assert screen.watch(PAUSE_S) == ""
        assert request.answer is None
        screen.type("p answer", "41\n(Pdb) ")
        screen.type("c", "/slow")
        assert request.result() == (200, "42 True")
        assert "sandbox" not in screen.text.lower()


def test_after_the_prompt_time_goes_on(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED.replace("answer += 1", "import time; time.sleep(60)"))
    with dev_on_terminal(tmp_path) as (screen, url):
        request = Request(url)
        screen.wait_for("(Pdb) ")
        screen.type("c", "Task timed out")
        answer = request.result()
        assert answer is not None
        assert answer[0] == 503


def test_one_prompt_at_a_time_and_no_log_lines_in_it(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(
        STOPPED.replace(
            "breakpoint()",
            "'/stop' in event['Records'][0]['cf']['request']['uri'] and breakpoint()",
        )
    )
    with dev_on_terminal(tmp_path) as (screen, url):
        requests = [Request(url + "/stop/1"), Request(url + "/stop/2")]
        screen.wait_for("(Pdb) ")
        other = Request(url + "/other")
        assert other.result() == (200, "42 True")
        assert screen.watch(1) == ""
        screen.type("n", "(Pdb) ")  # a step keeps the terminal
        assert screen.text.count("waits at a breakpoint") == 1
        screen.type("c", "(Pdb) ")
        assert screen.text.count("waits at a breakpoint") == 2
        assert "/other" not in screen.text
        screen.type("c", "/other")
        screen.wait_for("/stop/1")
        screen.wait_for("/stop/2")
        assert [request.result() for request in requests] == [(200, "42 True")] * 2


def test_control_c_at_the_prompt_ends_edgeproxy(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED)
    with dev_on_terminal(tmp_path) as (screen, url):
        request = Request(url + "/held")
        screen.wait_for("(Pdb) ")
        screen.press("\x03")
        assert screen.ended() == 0
        assert request.result() is not None
    assert "/held" in screen.text


def test_without_a_terminal_it_fails_as_on_aws(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED)
    (tmp_path / "site").mkdir()
    result = run("invoke", "hook.py", cwd=tmp_path)
    assert result.returncode == 1
    assert json.loads(result.stdout)["errorType"] == "BdbQuit"
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        for _ in range(2):
            answer = Request(command.endpoints["viewer"]).result()
            assert answer is not None
            assert answer[0] == 503
        command.wait_for("BdbQuit")


def test_stepping_out_of_the_handler_ends_the_session(tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(STOPPED)
    with dev_on_terminal(tmp_path) as (screen, url):
        for number in ("/1", "/2"):
            since = len(screen.text)
            request = Request(url + number)
            screen.wait_for("-> answer += 1\n(Pdb) ", since)
            for shown in ("-> left_s", "-> return", "--Return--"):
                since = len(screen.text)
                screen.type("n", "(Pdb) ")
                assert shown in screen.text[since:]
            screen.type("n", number)
            assert request.result() == (200, "42 True")
        assert screen.text.count("waits at a breakpoint") == 2
