"""`edgeproxy dev` as a user meets it."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command import dev, run
from tests.support.origin import Origin
from tests.support.ports import free_port

PASS = "def handler(event, context):\n    return event['Records'][0]['cf']['request']\n"


def answering(body: str) -> str:
    return f"def handler(event, context):\n    return {{'status': '200', 'body': '{body}'}}\n"


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def children_of(pid: int) -> list[int]:
    shown = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in shown.stdout.split()]


def is_running(pid: int) -> bool:
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(shown.stdout.strip()) and not shown.stdout.startswith("Z")


def test_a_url_target_with_a_function_in_front_of_a_real_app(origin: Origin, tmp_path: Path):
    (tmp_path / "hook.py").write_text(PASS)
    with dev(origin.url, "--viewer-request", "hook.py", cwd=tmp_path) as command:
        endpoints = command.endpoints
        assert get(endpoints["viewer"] + "/hello?a=1") == (200, b"from the origin")
        console = command.wait_for("/hello?a=1")
        for url in (endpoints["viewer"], endpoints["control"]):
            assert url in console
        assert "UseOriginCacheControlHeaders-QueryStrings" in console
        assert "AllViewer" in console
    assert origin.targets == ["/hello?a=1"]


def test_a_folder_answers_like_s3(tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.txt").write_text("hello")
    with dev("site", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        assert get(viewer + "/a.txt") == (200, b"hello")
        assert get(viewer + "/b.txt")[0] == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_is_quick_and_leaves_nothing(tmp_path: Path, number: signal.Signals):
    (tmp_path / "hook.py").write_text(PASS)
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        get(command.endpoints["viewer"] + "/")
        workers = children_of(command.process.pid)
        assert workers
        started = time.monotonic()
        assert command.stop(number) == 0
        assert time.monotonic() - started < 10
        assert not any(map(is_running, workers))
        assert not command.endpoints_file.exists()


def test_workers_do_not_outlive_a_killed_proxy(tmp_path: Path):
    (tmp_path / "hook.py").write_text(PASS)
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        get(command.endpoints["viewer"] + "/")
        workers = children_of(command.process.pid)
        assert workers
        command.process.kill()
        command.process.wait(10)
        deadline = time.monotonic() + 20
        while any(map(is_running, workers)):
            assert time.monotonic() < deadline, "a worker outlived its proxy"


DYING = """
import os
def handler(event, context):
    if event["Records"][0]["cf"]["request"]["uri"] == "/die":
        os._exit(1)
    return {"status": "200", "body": f"{os.getppid()} {os.getpid()}"}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there are workers forked")
@pytest.mark.parametrize("kills", [True, False])
def test_forked_workers_do_not_outlive_the_proxy(tmp_path: Path, kills: bool):
    (tmp_path / "hook.py").write_text(DYING)
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        deadline, parent = time.monotonic() + 20, command.process.pid
        while parent == command.process.pid:
            assert time.monotonic() < deadline, "no worker was forked"
            get(command.endpoints["viewer"] + "/die")
            parent, worker = map(int, get(command.endpoints["viewer"] + "/")[1].split())
        if kills:
            command.process.kill()
            command.process.wait(10)
        else:
            assert command.stop(signal.SIGTERM) == 0
        while is_running(parent) or is_running(worker):
            assert kills, "it was left behind"
            assert time.monotonic() < deadline, "it outlived its proxy"


def test_saving_a_function_takes_effect_and_a_broken_save_does_not(tmp_path: Path):
    hook = tmp_path / "hook.py"
    hook.write_text(answering("one"))
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        assert get(viewer) == (200, b"one")
        hook.write_text(answering("two"))
        command.wait_for("reloaded hook")
        assert get(viewer) == (200, b"two")
        hook.write_text("def handler(event, context:\n")
        command.wait_for("hook does not load")
        assert get(viewer) == (200, b"two")
        hook.write_text(answering("three"))
        command.wait_for("reloaded hook in")
        deadline = time.monotonic() + 20
        while get(viewer) != (200, b"three"):
            assert time.monotonic() < deadline


def test_a_broken_definition_keeps_the_last_good_one(tmp_path: Path, origin: Origin):
    template = tmp_path / "template.yaml"
    good = """
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: web
            DomainName: web.example.com
            CustomOriginConfig: {OriginProtocolPolicy: http-only}
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
"""
    template.write_text(good)
    with dev("--origin", f"web={origin.url}", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        assert get(viewer)[0] == 200
        template.write_text(good.replace("TargetOriginId: web", "TargetOriginId: nowhere"))
        command.wait_for("the last good definition goes on serving")
        assert "nowhere" in command.console
        assert get(viewer)[0] == 200
        template.write_text(good.replace("allow-all", "redirect-to-https"))
        command.wait_for("reloaded template.yaml")
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(viewer, timeout=10)


def test_it_starts_although_a_function_does_not_load(tmp_path: Path):
    hook = tmp_path / "hook.py"
    hook.write_text("import nothing_of_that_name\ndef handler(e, c): ...\n")
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        console = command.wait_for("hook does not load")
        assert "No module named 'nothing_of_that_name'" in console
        assert get(viewer)[0] == 503
        hook.write_text(answering("mended"))
        command.wait_for("reloaded hook")
        assert get(viewer) == (200, b"mended")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["http://127.0.0.1:1", "--viewer-request", "missing.py"], "missing.py"),
        (["http://127.0.0.1:1", "--cache-policy", "NoSuchPolicy"], "NoSuchPolicy"),
        (["http://127.0.0.1:1", "--viewer-country", "Germany"], "country"),
        (["http://127.0.0.1:1", "--origin", "nonsense"], "ID_OR_DOMAIN=URL_OR_DIR"),
        (["http://127.0.0.1:1", "--strict", "--lenient"], "exclude each other"),
        ([], "template.yaml"),
        (["unknown-intrinsic.yaml"], "!Nonsense"),
        (["wrong-type.yaml"], "DefaultCacheBehavior"),
        (["broken.yaml"], "broken.yaml:3"),
        (["broken.json"], "broken.json:1"),
    ],
)
def test_bad_input_is_one_clear_message_and_status_2(
    tmp_path: Path, arguments: list[str], said: str
):
    (tmp_path / "unknown-intrinsic.yaml").write_text("Resources:\n  Site: !Nonsense x\n")
    (tmp_path / "wrong-type.yaml").write_text(
        "Resources:\n  Site:\n    Type: AWS::CloudFront::Distribution\n    Properties:\n"
        "      DistributionConfig:\n        Enabled: true\n        Origins: []\n"
        "        DefaultCacheBehavior: 5\n"
    )
    (tmp_path / "broken.yaml").write_text("Resources:\n  - a: [\n")
    (tmp_path / "broken.json").write_text("{,}")
    result = run("dev", *arguments, "--port", "0", "--control-port", "0", cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stderr.count("edgeproxy: ") == 1


def test_a_port_in_use_is_said(tmp_path: Path):
    (tmp_path / "site").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("dev", "site", "--port", str(port), "--control-port", "0", cwd=tmp_path)
    assert result.returncode == 2
    assert str(port) in result.stderr
    assert "in use" in result.stderr


def test_an_origin_that_is_down_is_502_and_explained(tmp_path: Path):
    port = free_port()
    with dev(f"http://127.0.0.1:{port}", cwd=tmp_path) as command:
        assert get(command.endpoints["viewer"] + "/x")[0] == 502
        command.wait_for(f"127.0.0.1:{port} refused the connection")


def test_the_console_as_json(tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.txt").write_text("hello")
    with dev("site", "--log-format", "json", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        get(viewer + "/a.txt?q=1")
        console = command.wait_for('"path":"/a.txt"')
    documents = [json.loads(line) for line in console.splitlines() if line]
    request = next(d for d in documents if d["type"] == "request")
    assert (request["status"], request["query"], request["result_type"]) == (200, "q=1", "Miss")


def test_a_request_that_is_refused_leaves_a_line(tmp_path: Path):
    (tmp_path / "site").mkdir()
    with dev("site", cwd=tmp_path) as command:
        where = urlsplit(command.endpoints["viewer"])
        for lines, status, why in (
            (b"nonsense", 400, "400 "),
            (b"GET /%s HTTP/1.1" % (b"x" * 9000), 414, "414 the URL is longer"),
            (b"GET / HTTP/1.1\r\nA: %s" % (b"x" * 33_000), 494, "494 request line and headers"),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nx-edgeproxy-viewer-ip: me",
                400,
                "400 x-edgeproxy-viewer-ip is not an IP address",
            ),
        ):
            with socket.create_connection((where.hostname, where.port), 10) as connection:
                connection.sendall(lines + b"\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(65_536), b""))
            assert answer.split(b" ", 2)[1] == b"%d" % status
            command.wait_for(f"! {why}")
        assert b"\r\nx-edgeproxy-why: x-edgeproxy-viewer-ip is not an IP address\r\n" in answer


def test_a_malformed_request_body_is_not_the_origin_s_fault(origin: Origin, tmp_path: Path):
    with dev(origin.url, cwd=tmp_path) as command:
        where = urlsplit(command.endpoints["viewer"])
        with socket.create_connection((where.hostname, where.port), 10) as connection:
            connection.sendall(
                b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
            )
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
        console = command.wait_for("! 400 the viewer's request body is malformed")
        assert "| the viewer's request body is malformed" in console
        assert origin.url not in console.partition("POST")[2]


def test_a_request_that_the_end_cuts_off_still_gets_its_line(tmp_path: Path):
    (tmp_path / "hook.py").write_text(
        "import time\n" + PASS.replace("    ", "    time.sleep(30)\n    ")
    )
    (tmp_path / "site").mkdir()
    with dev("site", "--viewer-request", "hook.py", cwd=tmp_path) as command:
        where = urlsplit(command.endpoints["viewer"])
        with socket.create_connection((where.hostname, where.port), 10) as connection:
            connection.sendall(b"GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.settimeout(0.5)
                connection.recv(1)
            assert command.stop() == 0
    assert re.search(r"GET +/waits +left Error", command.console)
