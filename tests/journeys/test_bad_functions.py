"""Functions that misbehave: AWS's answer for the request at hand, and a good one for the next."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml

from edgeproxy.testing import Edge, Site
from tests.support.origin import Answer, Origin, running_origin

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"

INVALID = (502, "LambdaValidationError")
FAILED = (503, "LambdaExecutionError")
CFF_INVALID = (502, "FunctionValidationError")
CFF_FAILED = (503, "FunctionExecutionError")
PASSED = (200, "Miss")
GENERATED = (200, "LambdaGeneratedResponse")

# Name, what the function does with ``request``, what the viewer gets.
PYTHON: list[tuple[str, str, tuple[int, str], tuple[str, ...]]] = [
    ("nothing", "pass", INVALID, ("LE-RET-05",)),
    ("string", "return 'x'", INVALID, ("LE-RET-05",)),
    ("number", "return 5", INVALID, ("LE-RET-05",)),
    ("array", "return [request]", INVALID, ("LE-RET-05",)),
    ("whole-event", "return {'Records': [{'cf': {'request': request}}]}", INVALID, ("LE-RET-06",)),
    ("cyclic", "request['me'] = request\nreturn request", FAILED, ("LE-ERR-01",)),
    ("bytes", "return b'\\xff\\xfe'", INVALID, ("LE-RET-07",)),
    ("nan", "return {'status': float('nan')}", INVALID, ("LE-RET-07",)),
    ("half-character", "return {'status': '200', 'body': '\\ud800'}", FAILED, ("LE-ERR-01",)),
    ("huge", "return {'status': '200', 'body': 'x' * 7_000_000}", FAILED, ("LE-ERR-01",)),
    ("over-40-kb", "return {'status': '200', 'body': 'x' * 50_000}", INVALID, ("LE-GEN-09",)),
    ("deep", "for _ in range(99_999): request = [request]\nreturn request", FAILED,
     ("LE-ERR-01",)),
    ("status", "return {'status': '600'}", INVALID, ("LE-GEN-03",)),
    ("line-break", "request['headers']['x-a'] = [{'value': 'a\\r\\nx-b: c'}]\nreturn request",
     INVALID, ("LE-HDR-15",)),
    ("non-latin", "request['headers']['x-a'] = [{'value': '日本'}]\nreturn request", PASSED,
     ("LE-HDR-23", "LE-URI-09")),
    ("both", "return {**request, 'status': '200', 'headers': {}}", GENERATED, ("LE-RET-02",)),
    ("throws", "raise ValueError('no')", FAILED, ("LE-ERR-01", "LE-RET-10")),
    ("throws-oddly", "class E(Exception):\n    def __str__(self): raise E\nraise E", FAILED,
     ("LE-ERR-01",)),
    ("recursion", "return handler(event, context)", FAILED, ("LE-ERR-01",)),
    ("sys-exit", "sys.exit(0)", FAILED, ("LE-ERR-01", "LE-RET-10")),
    ("os-exit", "os._exit(0)", FAILED, ("LE-ERR-01", "LE-RET-10")),
    ("kills-itself", "os.kill(os.getpid(), signal.SIGKILL)", FAILED, ("LE-ERR-01",)),
    ("segfault", "import ctypes\nctypes.string_at(0)", FAILED, ("LE-ERR-01",)),
    ("endless", "while True: pass", FAILED, ("LE-ERR-04",)),
    ("sleeps", "time.sleep(60)", FAILED, ("LE-ERR-04",)),
    ("output", "while True: print('x' * 1000)", FAILED, ("LE-ERR-04",)),
    ("closed-stdout", "sys.stdout.close()\nos.close(1)\nreturn request", PASSED, ()),
    ("no-stdout", "sys.stdout = sys.stderr = None\nreturn request", PASSED, ()),
    ("reads-stdin", "sys.stdin.read()\nreturn request", PASSED, ()),
    ("garbage", "os.write(3, b'\\xff' * 9)\nreturn request", FAILED, ("LE-ERR-01",)),
    ("closed-channel", "os.close(3)\nreturn request", FAILED, ("LE-ERR-01",)),
    ("child", "subprocess.Popen(['sleep', '60'])\nreturn request", PASSED, ()),
    ("signals", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", FAILED,
     ("LE-ERR-04",)),
    ("memory", "held = []\nwhile True: held.append(bytearray(b'x' * 1_000_000))", FAILED,
     ("LE-ERR-01",)),
]  # fmt: skip
NODE: list[tuple[str, str, tuple[int, str], tuple[str, ...]]] = [
    ("nothing", "return;", INVALID, ("LE-RET-05",)),
    ("string", "return 'x';", INVALID, ("LE-RET-05",)),
    ("number", "return 5;", INVALID, ("LE-RET-05",)),
    ("function", "return () => 1;", INVALID, ("LE-RET-05",)),
    ("cyclic", "request.me = request; return request;", FAILED, ("LE-ERR-01",)),
    ("bigint", "return {status: 200n};", FAILED, ("LE-ERR-01",)),
    ("bytes", "return Buffer.from('x');", INVALID, ("LE-RET-07",)),
    ("huge", "return {status: '200', body: 'x'.repeat(7e6)};", FAILED, ("LE-ERR-01",)),
    ("over-40-kb", "return {status: '200', body: 'x'.repeat(5e4)};", INVALID, ("LE-GEN-09",)),
    ("status", "return {status: 'ok'};", INVALID, ("LE-GEN-03",)),
    ("line-break", "request.headers['x-a'] = [{value: 'a\\nb'}]; return request;", INVALID,
     ("LE-HDR-15",)),
    ("non-latin", "request.headers['x-a'] = [{value: '日本'}]; return request;", PASSED,
     ("LE-HDR-23", "LE-URI-09")),
    ("both", "return {...request, status: '200', headers: {}};", GENERATED, ("LE-RET-02",)),
    ("throws", "throw new Error('no');", FAILED, ("LE-ERR-01", "LE-RET-10")),
    ("throws-nothing", "throw undefined;", FAILED, ("LE-RET-10",)),
    ("rejects", "return Promise.reject(new Error('no'));", FAILED, ("LE-RET-10",)),
    ("rejects-elsewhere", "Promise.reject(new Error('no')); return new Promise(() => {});", FAILED,
     ("LE-RET-10",)),
    ("throws-later", "setTimeout(() => { throw new Error('no'); }, 1); return HANG;", FAILED,
     ("LE-RET-10",)),
    ("never-settles", "return HANG;", INVALID, ("LE-RET-05",)),
    ("late-callback", "later(request, () => callback(null, request)); return HANG;", PASSED,
     ("LE-RET-04",)),
    ("two-callbacks", "callback(null, request); callback(null, {status: '500'}); return HANG;",
     PASSED, ("LE-RET-04",)),
    ("callback-error", "callback(new Error('no')); return HANG;", FAILED, ("LE-RET-10",)),
    ("callback-after-timeout", "setTimeout(() => callback(null, request), 5000); return HANG;",
     FAILED, ("LE-ERR-04",)),
    ("exit", "process.exit(0);", FAILED, ("LE-RET-10",)),
    ("kills-itself", "process.kill(process.pid, 'SIGKILL'); for (;;);", FAILED, ("LE-ERR-01",)),
    ("segfault", "process.kill(process.pid, 'SIGSEGV'); for (;;);", FAILED, ("LE-ERR-01",)),
    ("endless", "for (;;);", FAILED, ("LE-ERR-04",)),
    ("output", "for (;;) console.log('x'.repeat(1000));", FAILED, ("LE-ERR-04",)),
    ("closed-stdout", "fs.closeSync(1); console.log('x'); return request;", PASSED, ()),
    ("garbage", "fs.writeSync(3, Buffer.alloc(9, 255)); return request;", FAILED, ("LE-ERR-01",)),
    ("memory", "const held = []; for (;;) held.push(Buffer.alloc(1e6, 1));", FAILED,
     ("LE-ERR-01",)),
]  # fmt: skip
CLOUDFRONT: list[tuple[str, str, tuple[int, str], tuple[str, ...]]] = [
    ("nothing", "return;", CFF_INVALID, ("CFF-RET-06",)),
    ("string", "return 'x';", CFF_INVALID, ("CFF-RET-06",)),
    ("number", "return 5;", CFF_INVALID, ("CFF-RET-06",)),
    ("whole-event", "return event;", CFF_INVALID, ("CFF-RET-04",)),
    ("cyclic", "request.me = request; return request;", CFF_INVALID, ("CFF-ERR-02",)),
    ("bytes", "return Buffer.from('x');", CFF_INVALID, ("CFF-ERR-02",)),
    ("huge", "return {statusCode: 200, body: 'x'.repeat(7e6)};", CFF_FAILED, ("CFF-LIM-02",)),
    ("status", "return {statusCode: 600};", CFF_INVALID, ("CFF-RES-02",)),
    ("line-break", "request.headers['x-a'] = {value: 'a\\r\\nb'}; return request;", CFF_INVALID,
     ("CFF-ERR-02",)),
    ("non-latin", "request.headers['x-a'] = {value: '日本'}; return request;", PASSED,
     ("CFF-EVT-21",)),
    ("both", "return Object.assign(request, {statusCode: 200, headers: {}, cookies: {}});",
     (200, "FunctionGeneratedResponse"), ("CFF-RET-05",)),
    ("throws", "throw new Error('no');", CFF_FAILED, ("CFF-ERR-01",)),
    ("throws-nothing", "throw undefined;", CFF_FAILED, ("CFF-ERR-01",)),
    ("rejects", "return Promise.reject(new Error('no'));", CFF_FAILED, ("CFF-ERR-01",)),
    ("never-settles", "return new Promise(function () {});", CFF_FAILED, ("CFF-ERR-01",)),
    ("recursion", "return handler(event);", CFF_FAILED, ("CFF-ERR-01",)),
    ("endless", "while (true) {}", CFF_FAILED, ("CFF-ERR-01",)),
    ("endless-promises", "function f() { return Promise.resolve().then(f); } return f();",
     CFF_FAILED, ("CFF-ERR-01",)),
    ("output", "for (var i = 0; i < 99; i++) { console.log('x'.repeat(999)); } return request;",
     PASSED, ("CFF-LIM-05",)),
    ("memory", "var a = ['x']; while (true) { a = a.concat(a); }", CFF_FAILED, ("CFF-LIM-02",)),
    ("breaks-built-ins", "try { Object.prototype.uri = 1; } catch (e) {} return request;", PASSED,
     ("CFF-RT-07",)),
]  # fmt: skip

# Functions that cannot start: the whole source and the handler.
UNUSABLE: dict[str, tuple[str, str, tuple[int, str]]] = {
    "python-syntax": ("def handler(event, context:\n", "app.handler", FAILED),
    "python-no-handler": ("def other(event, context): ...\n", "app.handler", FAILED),
    "python-no-module": ("def handler(event, context): ...\n", "nothing.handler", FAILED),
    "python-import": ("import no_module_of_that_name\n", "app.handler", FAILED),
    "python-not-callable": ("handler = 5\n", "app.handler", FAILED),
    "python-exits": ("import os\nos._exit(3)\n", "app.handler", FAILED),
    "node-syntax": ("exports.handler = (", "app.handler", FAILED),
    "node-no-handler": ("exports.other = () => 1;\n", "app.handler", FAILED),
    "node-throws": ("throw new Error('no');\n", "app.handler", FAILED),
    "node-exits": ("process.exit(0);\n", "app.handler", FAILED),
    "cff-syntax": ("function handler(event {\n", "", CFF_FAILED),
    "cff-no-handler": ("function other(event) { return event.request; }\n", "", CFF_FAILED),
    "cff-throws": ("throw new Error('no');\nfunction handler(event) {}\n", "", CFF_FAILED),
}
GOOD = {"python": "return request", "node": "return request;", "cff": "return request;"}


def python_source() -> str:
    lines = ["import os, signal, subprocess, sys, time", "def handler(event, context):"]
    lines += ["    request = event['Records'][0]['cf']['request']"]
    for name, body, *_ in [*PYTHON, ("good", GOOD["python"])]:
        lines += [f"    if request['uri'].endswith('/{name}'):", indent(body, " " * 8)]
    return "\n".join(lines)


def node_source() -> str:
    cases = "\n".join(
        f"  '{name}': async (request, callback) => {{ {body} }},"
        for name, body, *_ in [*NODE, ("good", GOOD["node"])]
    )
    return f"""
const fs = require('fs');
const HANG = new Promise(() => {{}});
const later = (request, act) => setTimeout(act, 20);
const cases = {{
{cases}
}};
exports.handler = (event, context, callback) => {{
  const request = event.Records[0].cf.request;
  return cases[request.uri.split('/').pop()](request, callback);
}};
"""


def cloudfront_source() -> str:
    cases = "\n".join(
        f"  if (request.uri.endsWith('/{name}')) {{ {body} }}"
        for name, body, *_ in [*CLOUDFRONT, ("good", GOOD["cff"])]
    )
    return f"function handler(event) {{\n  var request = event.request;\n{cases}\n}}\n"


def write_template(folder: Path) -> Path:
    """A distribution with a behavior for each function; the default one has none."""
    resources: dict[str, Any] = {}
    behaviors: list[dict[str, Any]] = []

    def behavior(name: str, **more: object) -> dict[str, Any]:
        return {
            "PathPattern": f"/{name}/*",
            "TargetOriginId": "web",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": CACHING_DISABLED,
            "OriginRequestPolicyId": ALL_VIEWER,
            **more,
        }

    def add(name: str, source: str, handler: str = "app.handler") -> None:
        kind = name.partition("-")[0]
        logical = "".join(word.capitalize() for word in name.split("-"))
        if kind == "cff":
            resources[logical] = {
                "Type": "AWS::CloudFront::Function",
                "Properties": {
                    "Name": name,
                    "AutoPublish": True,
                    "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
                    "FunctionCode": source,
                },
            }
            arn = {"Fn::GetAtt": [logical, "FunctionARN"]}
            associated = [{"EventType": "viewer-request", "FunctionARN": arn}]
            behaviors.append(behavior(name, FunctionAssociations=associated))
            return
        (folder / name).mkdir()
        suffix, runtime = ("py", "python3.12") if kind == "python" else ("js", "nodejs20.x")
        (folder / name / f"app.{suffix}").write_text(source)
        resources[logical] = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Code": f"./{name}",
                "Handler": handler,
                "Runtime": runtime,
                "Timeout": 1,
                "Role": "arn:aws:iam::123456789012:role/edge",
            },
        }
        resources[f"{logical}Version"] = {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": logical}},
        }
        associated = [
            {"EventType": "viewer-request", "LambdaFunctionARN": {"Ref": f"{logical}Version"}}
        ]
        behaviors.append(behavior(name, LambdaFunctionAssociations=associated))

    add("python", python_source())
    add("node", node_source())
    add("cff", cloudfront_source())
    for name, (source, handler, _) in UNUSABLE.items():
        add(name, source, handler)
    default = behavior("default")
    del default["PathPattern"]
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    resources["Site"] = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Origins": [web],
                "DefaultCacheBehavior": default,
                "CacheBehaviors": behaviors,
            }
        },
    }
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Origin]]:
    """One edge with all the functions, and its origin."""
    with running_origin() as origin, Edge() as edge:
        origin.answer = Answer()
        template = write_template(tmp_path_factory.mktemp("bad"))
        yield edge.serve(template, origins={"web": origin.url}), origin


def get(site: Site, path: str) -> tuple[int, str]:
    response = site.get(path)
    return response.status, response.x_cache.removesuffix(" from cloudfront")


TABLE = [
    pytest.param(
        kind, name, expected, id=f"{kind}-{name}", marks=[pytest.mark.rule(*rules)] if rules else []
    )
    for kind, rows in (("python", PYTHON), ("node", NODE), ("cff", CLOUDFRONT))
    for name, _, expected, rules in rows
]


@pytest.mark.parametrize(("kind", "name", "expected"), TABLE)
def test_a_misbehaviour_and_the_next_request(
    scene: tuple[Site, Origin], kind: str, name: str, expected: tuple[int, str]
) -> None:
    site, origin = scene
    origin.got.clear()
    assert get(site, f"/{kind}/{name}") == expected
    if name == "non-latin":
        assert (origin.got[0].header("X-A") or "").encode("latin-1").decode() == "日本"
    assert origin.targets == ([f"/{kind}/{name}"] if expected == PASSED else [])
    assert get(site, f"/{kind}/good") == PASSED
    assert get(site, "/elsewhere") == PASSED


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.rule("LE-ERR-01", "CFF-ERR-01", "CFF-JS2-12")
def test_a_function_that_cannot_start_fails_each_request(
    scene: tuple[Site, Origin], name: str
) -> None:
    site, origin = scene
    origin.got.clear()
    for _ in range(2):
        assert get(site, f"/{name}/x") == UNUSABLE[name][2]
    assert origin.got == []
    assert get(site, "/python/good") == PASSED
