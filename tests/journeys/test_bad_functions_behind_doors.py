"""Functions that misbehave, in each kind of runtime, behind each of Lambda's own doors.

Whatever they do costs the invocation at hand, with AWS's answer; the next one is served.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from edgeproxy.testing import Edge
from tests.support.asynchronous import ACCOUNT, Queue, event_invoke, function, until
from tests.support.custom_runtimes import write_bootstrap

_ELB = "AWS::ElasticLoadBalancingV2::"

_DO = """
import os, subprocess, sys, time
def flood():
    for _ in range(64): sys.stdout.write("x" * 100_000)
    return "flooded"
def do(what):
    if what == "flood": return flood()
    if what == "dies": os._exit(3)
    if what == "silent": time.sleep(60)
    if what == "children": return str(subprocess.Popen(["sleep", "60"]).pid)
    return "good"
def last(event): return event.get("rawPath", event.get("path")).rpartition("/")[2]
def made(text): return {"statusCode": 200, "body": text}
"""
_PYTHON = f"""{_DO}
def handler(event, context):
    if last(event) == "twice" and os.fork() == 0:
        return made("the child's")
    return made(do(last(event)))
"""
_NODE = """
const { spawn } = require('child_process');
const DO = {
  flood: () => {
    for (let i = 0; i < 64; i += 1) process.stdout.write('x'.repeat(100000));
    return 'flooded';
  },
  dies: () => process.exit(3),
  children: () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    child.unref(); // or the event loop would not be empty, for which an answer waits
    return String(child.pid);
  },
};
exports.handler = (event, context, callback) => {
  const what = (event.rawPath || event.path).split('/').pop();
  if (what === 'silent') { setTimeout(() => {}, 60000); return; }
  callback(null, { statusCode: 200, body: (DO[what] || (() => 'good'))() });
  if (what === 'twice') callback(null, { statusCode: 500, body: 'the second' });
};
"""
_CUSTOM = f"""#!/usr/bin/env python3
import http.client, json
{_DO}
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    connection.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = connection.getresponse()
    return answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
while True:
    event, request_id = call("GET", "next")
    what = last(json.loads(event))
    call("POST", request_id + "/response", json.dumps(made(do(what))))
    if what == "twice":
        call("POST", request_id + "/response", json.dumps(made("the second")))
"""
KINDS = ("python", "node", "custom")
_SETTINGS = {
    "python": ("python3.12", "app.py", _PYTHON, "import os\nos._exit(3)\n"),
    "node": ("nodejs20.x", "app.js", _NODE, "process.exit(3);\n"),
    "custom": ("provided.al2023", "bootstrap", _CUSTOM, "#!/usr/bin/env python3\nexit(3)\n"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a function does, and the body of its answer or the type of its error."""

    name: str
    body: str = ""
    error: str = ""


ROWS = (
    Row("flood", body="flooded"),
    Row("dies", error="Runtime.ExitError"),
    Row("silent", error="Sandbox.Timedout"),
    Row("twice", body="good"),
    Row("children"),
    Row("in-init", error="Runtime.ExitError"),
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """All functions, each with a URL, a path of one load balancer, and a destination."""
    folder = tmp_path_factory.mktemp("doors")
    page = {"ContentType": "text/plain", "StatusCode": "404", "MessageBody": "none"}
    resources: dict[str, Any] = {
        "Alb": {"Type": f"{_ELB}LoadBalancer", "Properties": {}},
        "Listener": {
            "Type": f"{_ELB}Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Alb"},
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": page}],
            },
        },
    }
    for number, name in enumerate(f"{kind}{init}" for kind in KINDS for init in ("", "init")):
        kind = name.removesuffix("init")
        runtime, file, code, dying = _SETTINGS[kind]
        write_bootstrap(folder / name, dying if name.endswith("init") else code, file)
        resources[name] = function(
            FunctionName=name, Runtime=runtime, Code=f"./{name}", Timeout=1, Handler="app.handler"
        )
        arn = f"arn:aws:sqs:{ACCOUNT}:{name}"
        resources[f"{name}Config"] = event_invoke(name, arn, arn, MaximumRetryAttempts=0)
        resources[f"{name}Url"] = {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": name}, "AuthType": "NONE"},
        }
        resources[f"{name}Group"] = {
            "Type": f"{_ELB}TargetGroup",
            "Properties": {
                "TargetType": "lambda",
                "Targets": [{"Id": {"Fn::GetAtt": [name, "Arn"]}}],
            },
        }
        path = {"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{name}/*"]}}
        forward = {"Type": "forward", "TargetGroupArn": {"Ref": f"{name}Group"}}
        resources[f"{name}Rule"] = {
            "Type": f"{_ELB}ListenerRule",
            "Properties": {
                "ListenerArn": {"Ref": "Listener"},
                "Priority": number + 1,
                "Conditions": [path],
                "Actions": [forward],
            },
        }
    with Edge() as edge:
        yield Queue(edge, folder, resources)


def _invoked(scene: Queue, name: str, path: str) -> tuple[str, str]:
    answer = scene.api.invoke(FunctionName=name, Payload=json.dumps({"path": path}))
    document = json.load(answer["Payload"])
    assert answer["StatusCode"] == 200
    if "FunctionError" not in answer:
        return document["body"], ""
    assert answer["FunctionError"] == "Unhandled"
    return "", document["errorType"]


def _through_url(scene: Queue, name: str, path: str) -> tuple[str, str]:
    url = scene.site.endpoints["function_urls"][f"{name}Url"]["url"].rstrip("/")
    answer = scene.site.get(path, url=url)
    if answer.status == 200:
        return answer.text, ""
    assert (answer.status, answer.text) == (502, "Internal Server Error")
    return "", "502"


def _through_balancer(scene: Queue, name: str, path: str) -> tuple[str, str]:
    (listener,) = scene.site.endpoints["load_balancers"]["Alb"]["listeners"]
    answer = scene.site.get(path, url=listener["url"])
    if answer.status == 200:
        return answer.text, ""
    assert answer.status == 502
    assert "502 Bad Gateway" in answer.text
    return "", "502"


def _queued(scene: Queue, name: str, path: str) -> tuple[str, str]:
    request_id = scene.submit({"path": path}, name=name)
    file = scene.state / "destinations" / f"sqs-{name}.jsonl"

    def told() -> Any:
        records = map(json.loads, file.read_text().splitlines() if file.exists() else ())
        return [each for each in records if each["requestContext"]["requestId"] == request_id]

    (record,) = until(told)
    answer = record["responsePayload"]
    if record["requestContext"]["condition"] == "Success":
        return answer["body"], ""
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    return "", answer["errorType"]


DOORS = {
    "invoke": (_invoked, ("LI-040", "LI-082")),
    "url": (_through_url, ("FU-120", "FU-124")),
    "balancer": (_through_balancer, ("AL-100",)),
    "queue": (_queued, ("LI-151",)),
}


def _is_alive(pid: str) -> bool:
    command = ["ps", "-o", "stat=", "-p", pid]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")


def _cases() -> Iterator[Any]:
    for door, (_, rules) in DOORS.items():
        for kind in KINDS:
            for row in ROWS:
                marks = [pytest.mark.rule(*rules)] if row.error else []
                yield pytest.param(door, kind, row, id=f"{door}-{kind}-{row.name}", marks=marks)


@pytest.mark.parametrize(("door", "kind", "row"), list(_cases()))
def test_a_misbehaviour_and_the_next_invocation(
    scene: Queue, door: str, kind: str, row: Row
) -> None:
    ask, _ = DOORS[door]
    name = f"{kind}init" if row.name == "in-init" else kind
    body, error = ask(scene, name, f"/{name}/{row.name}")
    if row.name == "children":
        assert _is_alive(body)
        ask(scene, name, f"/{name}/dies")  # with their environment they end
        until(lambda: not _is_alive(body))
    elif door in ("url", "balancer"):
        assert (body, error) == (row.body, row.error and "502")
    else:
        assert (body, error) == (row.body, row.error)
    assert ask(scene, kind, f"/{kind}/good") == ("good", "")
