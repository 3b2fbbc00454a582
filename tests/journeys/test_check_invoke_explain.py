"""The commands beside `dev`, as processes of their own: what they print and how they exit."""

import json
import re
import textwrap
import urllib.request
from pathlib import Path

import pytest

from tests.support.command import dev, run
from tests.support.origin import Answer, Origin

TEMPLATE = """
Resources:
  Store:
    Type: AWS::CloudFront::KeyValueStore
    Properties: {{Name: words}}
  Rewrite:
    Type: AWS::CloudFront::Function
    Properties:
      Name: rewrite
      AutoPublish: true
      FunctionConfig:
        Comment: ""
        Runtime: cloudfront-js-2.0
        KeyValueStoreAssociations: [{{KeyValueStoreARN: !GetAtt Store.Arn}}]
      FunctionCode: |
        {code}
  Greet:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: greet
      Code: {{ZipFile: {source}}}
      Handler: index.handler
      Runtime: python3.12
      Role: arn:aws:iam::123456789012:role/edge
  GreetVersion:
    Type: AWS::Lambda::Version
    Properties: {{FunctionName: !Ref Greet}}
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: web
            DomainName: web.example.com
            CustomOriginConfig: {{OriginProtocolPolicy: http-only}}
        CacheBehaviors:
          - PathPattern: /api/*
            TargetOriginId: web
            ViewerProtocolPolicy: https-only
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          FunctionAssociations:
            - {{EventType: viewer-request, FunctionARN: !GetAtt Rewrite.FunctionARN}}
          LambdaFunctionAssociations:
            - {{EventType: {event_type}, LambdaFunctionARN: !Ref GreetVersion}}
"""
CODE = "async function handler(event) { console.log('in'); return event.request; }"
SOURCE = """def handler(event, context):
    print('seen')
    if 'Records' in event:
        return event['Records'][0]['cf']['request']
    return {'got': event}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def write(
    folder: Path, *, code: str = CODE, source: str = SOURCE, event_type: str = "origin-request"
) -> None:
    text = TEMPLATE.format(code=code, source=json.dumps(source), event_type=event_type)
    (folder / "template.yaml").write_text(text)


# check


def test_check_of_a_good_definition(folder: Path) -> None:
    result = run("check", cwd=folder)
    assert result.returncode == 0
    assert all("is not installed here" in line for line in result.stderr.splitlines())
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("0 errors, 0 warnings; ")
    assert lines[-2] == "dry runs: 2 events, 2 edge functions"
    assert any(line.startswith("ignored: template.yaml:") and "Role" in line for line in lines)
    assert not any(line.startswith("honoured: ") for line in lines)
    verbose = run("check", "--verbose", "template.yaml", cwd=folder)
    assert "honoured: template.yaml:" in verbose.stdout
    assert "dry run: greet on origin-request of *, with /sample" in verbose.stdout
    assert "dry run" not in run("check", "--no-dry-run", cwd=folder).stdout


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        ({"event_type": "viewer-request"}, "LE-ASSOC-02", "viewer-request"),
        ({"event_type": "viewer-response"}, "LE-ASSOC-03", "viewer"),
        ({"source": "import no_such_module\n" + SOURCE}, "LE-ERR-01", "no_such_module"),
        ({"code": "function handler(event { }"}, "CFF-JS2-12", "Rewrite"),
        ({"code": "function handler(e) { return e?.request; }"}, "CFF-JS2-11", "Rewrite"),
    ],
)
def test_check_of_what_aws_would_refuse_or_fail(
    folder: Path, change: dict[str, str], rule: str, said: str
) -> None:
    write(folder, **change)
    result = run("check", "template.yaml", cwd=folder)
    assert result.returncode == 1
    (line, *_) = [line for line in result.stdout.splitlines() if f"[{rule}]" in line]
    assert line.startswith("error: template.yaml:")
    assert said in line
    document = json.loads(run("check", "--json", "template.yaml", cwd=folder).stdout)
    (finding, *_) = [each for each in document["findings"] if each["rule"] == rule]
    assert set(finding) == {"severity", "rule", "message", "remedy", "place", "found_by"}
    assert (finding["severity"], finding["found_by"]) == ("error", "reading")
    place = finding["place"]
    assert set(place) == {"file", "line", "column", "resource", "property"}
    assert place["file"] == "template.yaml"
    assert place["resource"] in ("Site", "Greet", "Rewrite")
    assert place["line"] > 1
    assert finding["remedy"]


def test_check_json_of_a_good_definition(folder: Path) -> None:
    result = run("check", "--json", cwd=folder)
    assert result.returncode == 0
    document = json.loads(result.stdout)
    assert document["findings"] == []
    assert [each["function"] for each in document["dry_runs"]] == ["greet", "rewrite"]
    assert all(each["error"] == "" and each["duration_ms"] > 0 for each in document["dry_runs"])
    treatments = {line["treatment"] for line in document["report"]}
    assert {"honoured", "ignored"} <= treatments
    for line in document["report"]:
        assert set(line) == {"treatment", "file", "line", "path", "why"}
        assert line["why"] or line["treatment"] == "honoured"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["broken.yaml"], "broken.yaml:2"),
        (["template.yaml", "--no-such-option"], "--no-such-option"),
        (["template.yaml", "--kvs", "nonsense"], "NAME=FILE"),
        (["template.yaml", "--kvs", "words=missing.json"], "missing.json"),
    ],
)
def test_check_of_what_cannot_be_read(folder: Path, arguments: list[str], said: str) -> None:
    (folder / "broken.yaml").write_text("a: [\n")
    result = run("check", *arguments, cwd=folder)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_check_of_options(folder: Path) -> None:
    (folder / "hook.py").write_text("def handler(event, context:\n")
    result = run("check", "http://127.0.0.1:1", "--viewer-request", "hook.py", cwd=folder)
    assert result.returncode == 1
    assert "error: hook.py:1:12 hook: Runtime.UserCodeSyntaxError: Syntax error" in result.stdout
    assert "[LE-ERR-01]" in result.stdout
    assert "    -> mend it" in result.stdout


def test_check_runs_what_reading_cannot_judge(folder: Path) -> None:
    write(folder, source="def handler(event, context):\n    return event\n")
    result = run("check", cwd=folder)
    assert result.returncode == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert "Resources.Greet: greet returns what CloudFront refuses on origin-request" in line
    assert line.endswith("[LE-RET-06, by a dry run]")
    document = json.loads(run("check", "--json", cwd=folder).stdout)
    [finding] = document["findings"]
    assert (finding["rule"], finding["found_by"]) == ("LE-RET-06", "dry run")
    assert finding["place"]["resource"] == "Greet"
    only_read = run("check", "--no-dry-run", "--json", cwd=folder)
    assert only_read.returncode == 0
    document = json.loads(only_read.stdout)
    assert (document["findings"], document["dry_runs"]) == ([], None)


def test_check_gives_warnings_alone_status_0(folder: Path) -> None:
    write(folder, source="def handler(event, context):\n    return event['Nothing']\n")
    result = run("check", cwd=folder)
    assert result.returncode == 0
    assert "warning: " in result.stdout
    assert "KeyError: 'Nothing' [LE-ERR-01, by a dry run]" in result.stdout


def test_check_names_the_line_of_inline_code(folder: Path) -> None:
    template = folder / "template.yaml"
    code = textwrap.indent(SOURCE + "import nothing\n", " " * 10)
    inline = f"{{ZipFile: {json.dumps(SOURCE)}}}"
    text = template.read_text().replace(inline, f"\n        ZipFile: |\n{code}".rstrip())
    template.write_text(text)
    number = 1 + text.splitlines().index("          import nothing")
    result = run("check", "--json", cwd=folder)
    [finding] = json.loads(result.stdout)["findings"]
    assert finding["place"] == {
        "file": "template.yaml",
        "line": number,
        "column": 11,
        "resource": "Greet",
        "property": None,
    }


def test_check_of_a_container_image_is_a_finding(folder: Path) -> None:
    template = folder / "template.yaml"
    text = template.read_text().replace("Runtime: python3.12", "PackageType: Image")
    template.write_text(text.replace(f"{{ZipFile: {json.dumps(SOURCE)}}}", "{ImageUri: image}"))
    result = run("check", cwd=folder)
    assert (result.returncode, result.stderr) == (1, "")
    assert "Lambda@Edge does not support container images. [LE-ASSOC-09]" in result.stdout


def test_check_does_not_ask_origins(folder: Path, origin: Origin) -> None:
    (folder / "hook.py").write_text(SOURCE)
    result = run("check", origin.url, "--origin-request", "hook.py", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert "dry runs: 1 event, 1 edge function" in result.stdout
    assert origin.got == []


# invoke


@pytest.mark.parametrize("name", ["greet", "Greet"])
def test_invoke_prints_the_result_and_the_log_apart(folder: Path, name: str) -> None:
    result = run(
        "invoke", name, "--target", "template.yaml", "--event", "-", cwd=folder, stdin='{"a": 1}'
    )
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"got": {"a": 1}}
    assert "seen" in result.stderr.splitlines()
    assert "REPORT RequestId: " in result.stderr


def test_invoke_without_an_event_gives_a_sample_of_the_functions_own(folder: Path) -> None:
    result = run("invoke", "greet", "--target", "template.yaml", cwd=folder)
    request = json.loads(result.stdout)
    assert (request["uri"], request["method"]) == ("/sample", "GET")
    assert request["origin"]["custom"]["domainName"] == "web.example.com"
    assert "CloudFront would" not in result.stderr
    rewritten = run("invoke", "rewrite", "--target", "template.yaml", cwd=folder)
    assert json.loads(rewritten.stdout)["uri"] == "/sample"
    (folder / "one.py").write_text("def handler(event, context):\n    return event\n")
    assert json.loads(run("invoke", "one.py", cwd=folder).stdout) == {}


@pytest.mark.parametrize(
    "event_type", ["viewer-request", "origin-request", "origin-response", "viewer-response"]
)
def test_invoke_with_a_sample_of_an_event_type(folder: Path, event_type: str) -> None:
    (folder / "one.py").write_text("def handler(event, context):\n    return event\n")
    result = run("invoke", "one.py", "--event-type", event_type, cwd=folder)
    cf = json.loads(result.stdout)["Records"][0]["cf"]
    assert cf["config"]["eventType"] == event_type
    assert ("response" in cf) == event_type.endswith("-response")
    assert ("origin" in cf["request"]) == event_type.startswith("origin-")


@pytest.mark.rule("LE-ERR-15")
def test_invoke_judges_nothing_and_tells_what_cloudfront_would_refuse(folder: Path) -> None:
    (folder / "one.py").write_text(
        "def handler(event, context):\n"
        "    request = event['Records'][0]['cf']['request']\n"
        "    request['headers']['x-edge-a'] = [{'key': 'X-Edge-A', 'value': '1'}]\n"
        "    return request\n"
    )
    sample = run("invoke", "one.py", "--event-type", "origin-request", cwd=folder)
    assert sample.returncode == 0
    assert "x-edge-a" in json.loads(sample.stdout)["headers"]
    assert "edgeproxy: CloudFront would refuse this result: " in sample.stderr
    assert "[LE-HDR-0" in sample.stderr
    (folder / "echo.py").write_text("def handler(event, context):\n    return event\n")
    event = run("invoke", "echo.py", "--event-type", "origin-request", cwd=folder).stdout
    given = run("invoke", "one.py", "--event", "-", cwd=folder, stdin=event)
    assert given.returncode == 0
    assert "edgeproxy: CloudFront would refuse this result: " in given.stderr


def test_invoke_a_file_with_an_event_file(folder: Path) -> None:
    (folder / "one.mjs").write_text("export const main = async (event) => event.a + 1;\n")
    (folder / "event.json").write_text('{"a": 1}')
    result = run("invoke", "one.mjs:main", "--event", "event.json", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "2\n"), result.stderr


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def handler(event, context):\n    raise ValueError('no')\n", "ValueError"),
        ("import no_such_module\n", "Runtime.ImportModuleError"),
        ("import os\ndef handler(event, context):\n    os._exit(1)\n", "Runtime.ExitError"),
    ],
)
def test_invoke_of_a_function_that_fails(folder: Path, source: str, kind: str) -> None:
    write(folder, source=source)
    result = run("invoke", "greet", "--target", "template.yaml", cwd=folder)
    assert result.returncode == 1
    assert json.loads(result.stdout)["errorType"] == kind


def test_invoke_shows_a_traceback_as_python_does(folder: Path) -> None:
    write(folder, source="def handler(event, context):\n    raise ValueError('no')\n")
    result = run("invoke", "greet", "--target", "template.yaml", cwd=folder)
    (place,) = [line for line in result.stderr.splitlines() if "in handler" in line]
    assert place.startswith('  File "')
    assert "    raise ValueError('no')" in result.stderr.splitlines()


def viewer_event() -> str:
    request = {"method": "GET", "uri": "/a", "querystring": {}, "headers": {}, "cookies": {}}
    context = {"eventType": "viewer-request", "requestId": "1"}
    viewer = {"ip": "192.0.2.1"}
    return json.dumps({"version": "1.0", "context": context, "viewer": viewer, "request": request})


def test_invoke_a_cloudfront_function(folder: Path) -> None:
    command = ("invoke", "rewrite", "--target", "template.yaml", "--event", "-")
    result = run(*command, cwd=folder, stdin=viewer_event())
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["uri"] == "/a"
    assert "in" in result.stderr.splitlines()
    assert "Compute utilization: " in result.stderr


@pytest.mark.rule("CFF-LIM-04")
def test_invoke_tells_what_cloudfront_would_make_of_a_result(tmp_path: Path) -> None:
    (tmp_path / "fn.js").write_text(
        "function handler(event) {\n"
        "  for (var i = 0, sum = 0; i < 100000; i++) { sum += i; }\n"
        "  event.request.headers['X-Upper'] = {value: '1'};\n"
        "  return event.request;\n"
        "}\n"
    )
    result = run("invoke", "fn.js", "--event", "-", cwd=tmp_path, stdin=viewer_event())
    assert result.returncode == 0, result.stderr
    assert "X-Upper" in json.loads(result.stdout)["headers"]
    utilisation, told, refused, remedy = result.stderr.splitlines()
    assert utilisation == "Compute utilization: 100"
    assert "likely to throttle" in told
    assert told.endswith("[CFF-LIM-04]")
    assert "would refuse this result" in refused
    assert refused.endswith("[CFF-HDR-05]")
    assert remedy == "    -> Write 'x-upper'."


def test_invoke_a_cloudfront_function_with_its_store(folder: Path) -> None:
    write(
        folder,
        code="import cf from 'cloudfront'; async function handler(event) "
        "{ event.request.uri = await cf.kvs().get('k'); return event.request; }",
    )
    command = ("invoke", "rewrite", "--target", "template.yaml", "--event", "-")
    result = run(*command, cwd=folder, stdin=viewer_event())
    assert result.returncode == 1
    assert "FunctionExecutionError: KeyNotFound" in result.stderr
    assert result.stdout == ""
    (folder / "words.json").write_text('{"data": [{"key": "k", "value": "/v"}]}')
    result = run(*command, "--kvs", "words=words.json", cwd=folder, stdin=viewer_event())
    assert json.loads(result.stdout)["uri"] == "/v"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["nothing", "--target", "template.yaml"], "", "there is greet, rewrite"),
        (["greet", "--target", "template.yaml", "--event", "missing.json"], "", "missing.json"),
        (["greet", "--target", "template.yaml", "--event", "-"], "{", "not JSON"),
        (["missing.py"], "", "missing.py"),
        (
            ["rewrite", "--target", "template.yaml", "--event-type", "origin-request"],
            "",
            "has no origin-request events",
        ),
        (["greet", "--target", "template.yaml", "--event-type", "request"], "", "viewer-request"),
        (["greet", "--target", "missing.yaml"], "", "missing.yaml"),
    ],
)
def test_invoke_that_cannot_be_done(
    folder: Path, arguments: list[str], stdin: str, said: str
) -> None:
    result = run("invoke", *arguments, cwd=folder, stdin=stdin)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


# explain and invalidate


def test_explain_a_definition(folder: Path) -> None:
    result = run("explain", "/a.css?v=1", "--target", "template.yaml", cwd=folder)
    assert result.returncode == 0
    text = result.stdout
    for said in (
        "distribution  Site (d",
        "behavior      * -> web",
        "cache policy Managed-CachingOptimized",
        "viewer-request   rewrite (cloudfront)",
        "origin-request   greet (lambda)",
        "path: /a.css",
        "origin gets   GET /a.css at web.example.com",
        "Host: web.example.com",
    ):
        assert said in text, text


def test_explain_as_json(folder: Path) -> None:
    result = run(
        "explain", "http://www.example.com/a.css", "--target", "template.yaml", "--json",
        "--method", "head", "-H", "Accept-Encoding: gzip", cwd=folder,
    )  # fmt: skip
    document = json.loads(result.stdout)
    assert document["admitted"] is True
    assert document["forwarded"]["method"] == "HEAD"
    assert [f["event_type"] for f in document["functions"]] == ["viewer-request", "origin-request"]
    parts = {part["part"]: part["value"] for part in document["cache"]["key"]}
    assert parts["header accept-encoding"] == "gzip"


def test_explain_what_would_become_of_an_answer(folder: Path) -> None:
    question = ("explain", "/a.css", "--target", "template.yaml")
    given = ("--answer-header", "Cache-Control: max-age=9, stale-if-error=30")
    stored = run(*question, *given, cwd=folder)
    assert (
        "that answer   would be stored, fresh for 9 s: max-age=9; stale-if-error for 30 s\n"
        in stored.stdout
    )
    passed = run(*question, "--answer-status", "302", "--answer-header", "Cache-Control: no-store",
                 cwd=folder)  # fmt: skip
    assert "that answer   would" in passed.stdout
    document = json.loads(run(*question, "--answer-status", "599", "--json", cwd=folder).stdout)
    assert document["answer"] == {"stored": False, "why": "599 is never cached"}
    assert document["cache"]["now"] is None


def test_explain_what_is_refused_and_what_is_not_cached(folder: Path) -> None:
    refused = run("explain", "http://h/api/x", "--target", "template.yaml", cwd=folder)
    assert refused.returncode == 0
    assert "refused       403: " in refused.stdout
    (folder / "template.yaml").write_text(
        (folder / "template.yaml").read_text().replace("https-only", "allow-all")
    )
    passed = run("explain", "/api/x", "--target", "template.yaml", cwd=folder)
    assert "cache         never: " in passed.stdout
    assert "functions     none" in passed.stdout


def test_explain_and_invalidate_on_a_running_edge(folder: Path, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    write(folder, source="def handler(e, c): return e['Records'][0]['cf']['request']\n")
    with dev("template.yaml", "--origin", f"web={origin.url}", cwd=folder) as command:
        control = command.endpoints["control"]
        file = str(command.endpoints_file)
        for where in (("--control", control), ("--endpoints-file", file)):
            explained = run("explain", "/a", *where, cwd=folder)
            assert (explained.returncode, explained.stderr) == (0, "")
            assert "behavior      * -> web" in explained.stdout
            assert "now           Miss: nothing stored for this key" in explained.stdout
        answer = run("invalidate", "/*", "--control", control, cwd=folder)
        assert (answer.returncode, answer.stdout) == (0, "0 objects dropped\n")
        urllib.request.urlopen(command.endpoints["viewer"] + "/a").close()
        explained = run("explain", "/a", "--control", control, cwd=folder)
        assert re.search(
            "now           Hit: fresh for [56][0-9] s more .max-age=60", explained.stdout
        )
        answer = run("invalidate", "/a", "--endpoints-file", file, cwd=folder)
        assert (answer.returncode, answer.stdout) == (0, "1 object dropped\n")
        for arguments, said in (
            (["a"], "does not begin with /"),
            (["/a", "--distribution", "Nothing"], "there is Site"),
        ):
            answer = run("invalidate", *arguments, "--control", control, cwd=folder)
            assert answer.returncode == 2
            assert said in answer.stderr


@pytest.mark.parametrize("command", [["invalidate", "/a"], ["explain", "/a"]])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        (["--control", "http://127.0.0.1:1"], "no running edge answers"),
        (["--control", "nonsense"], "is not a URL"),
        (["--endpoints-file", "missing.json"], "missing.json"),
        (["--endpoints-file", "template.yaml"], "is not an endpoints file"),
    ],
)
def test_without_a_running_edge(folder: Path, command, where, said) -> None:
    result = run(*command, *where, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "/a", "--target", "template.yaml", "-H", "nonsense"], "NAME: VALUE"),
        (["explain", "/a", "--target", "missing.yaml"], "missing.yaml"),
        (["explain", "/a", "--answer-header", "x", "--target", "template.yaml"], "NAME: VALUE"),
        (["explain", "/a", "--answer-status", "1", "--target", "template.yaml"], "100 to 999"),
        (["invalidate"], "PATH"),
        (["nonsense"], "nonsense"),
        (["dev", "--nonsense"], "edgeproxy dev: takes no --nonsense"),
        (["dev", "--port", "many"], "argument --port: invalid int value: 'many'"),
        ([], "COMMAND"),
    ],
)
def test_a_command_line_that_cannot_be_used(folder: Path, arguments, said) -> None:
    result = run(*arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 4, "what is wrong does not drown in the usage"


@pytest.mark.rule("CFF-TEST-03")
def test_invoke_takes_an_event_as_a_test_does(tmp_path: Path) -> None:
    (tmp_path / "fn.js").write_text(
        "function handler(event) {\n"
        "  console.log('seen');\n"
        "  if (event.request.uri === '/no') { throw new Error('no'); }\n"
        "  return {statusCode: 200, statusDescription: '\\ud800'};\n"
        "}\n"
    )
    for uri, status in (("/", 0), ("/no", 1)):
        event = {"context": {"eventType": "viewer-request"}, "request": {"uri": uri}}
        result = run("invoke", "fn.js", "--event", "-", cwd=tmp_path, stdin=json.dumps(event))
        assert result.returncode == status, result.stderr
        assert "seen\nCompute utilization: " in result.stderr
        if status:
            assert result.stdout == ""
            assert "FunctionExecutionError: Error: no (" in result.stderr
        else:
            assert json.loads(result.stdout)["statusCode"] == 200


def test_invoke_a_file_that_exports_nothing_is_a_cloudfront_function(tmp_path: Path) -> None:
    (tmp_path / "fn.js").write_text("function handler(event) { return event.request; }")
    result = run("invoke", "fn.js", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["uri"].startswith("/")
    assert "fn.js exports nothing: it is run as a CloudFront Function" in result.stderr
    (tmp_path / "fn.js").write_text("function handlr(event) { return event.request; }")
    result = run("invoke", "fn.js", cwd=tmp_path)
    assert result.returncode == 1
    assert "handler is not defined" in result.stderr
