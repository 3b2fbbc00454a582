"""Clauses of Lambda's rules that other people's clients have found broken."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import (
    answered,
    call,
    create,
    fails,
    lambda_client,
    package,
    refused,
    template,
)

INVOKE = "/2015-03-31/functions/{}/invocations"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Edge() as edge:
        folder = tmp_path_factory.mktemp("clauses")
        yield edge.serve(template(folder, "tell"), state_dir=folder / "state")


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


@pytest.mark.rule("LR-090", "LI-040")
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("large", {"index.py": "def handler(event, context): return 'x' * 7340032"}),
        ("large-js", {"index.js": "exports.handler = async () => 'x'.repeat(7340032)"}),
    ],
)
def test_callers_see_that_a_result_was_too_large(
    client: Any, name: str, files: dict[str, str]
) -> None:
    runtime = {"Runtime": "nodejs22.x"} if name == "large-js" else {}
    create(client, name, Code={"ZipFile": package(files=files)}, **runtime)
    answer = answered(client, name)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"]) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }


@pytest.mark.rule("LI-022")
@pytest.mark.parametrize("body", [b'"cut \\ud83d"', b"[1e400]", b"1" * 400, b'{"\\udc00": -0}'])
def test_json_that_is_seldom_seen(site: Site, body: bytes) -> None:
    answer = call(site, INVOKE.format("tell"), body)
    assert answer.status == 200
    assert json.loads(answer.body)["event"] == json.loads(body)


@pytest.mark.rule("LI-022")
@pytest.mark.parametrize(
    "body", [b"NaN", b"[-Infinity]", b"\xef\xbb\xbf{}", b"[" * 100_000, '"é"'.encode("utf-16")]
)
def test_what_python_would_take_for_json(site: Site, body: bytes) -> None:
    status, kind, document = fails(call(site, INVOKE.format("tell"), body))
    assert (status, kind) == (400, "InvalidRequestContentException")
    assert document["message"].startswith("Could not parse request body into json: ")


@pytest.mark.rule("LI-005", "LI-020")
def test_wrong_values_of_two_headers_are_told_together(site: Site) -> None:
    headers = {"X_Amz_Invocation_Type": "event", "X_Amz_Log_Type": "tail"}
    status, kind, document = fails(call(site, INVOKE.format("tell"), b"{}", **headers))
    assert (status, kind) == (400, "ValidationException")
    assert document["message"].startswith("2 validation errors detected: ")
    assert "Value 'event' at 'invocationType'" in document["message"]
    assert "Value 'tail' at 'logType'" in document["message"]


@pytest.mark.rule("LR-341")
def test_an_unknown_runtime_is_told_which_there_are(client: Any) -> None:
    status, code, text = refused(create, client=client, name="new", Runtime="PYTHON3.12")
    assert (status, code) == (400, "InvalidParameterValueException")
    assert text.startswith(
        "Value PYTHON3.12 at 'runtime' failed to satisfy constraint: "
        "Member must satisfy enum value set: ["
    )
    assert text.endswith("] or be a valid ARN")
    assert "python3.12, " in text


ENUM = "Member must satisfy enum value set: "
PATTERN = "Member must satisfy regular expression pattern: "
SHORTER = "Member must have length less than or equal to "


@pytest.mark.rule("LI-005")
@pytest.mark.parametrize(
    ("members", "value", "name", "constraint"),
    [
        (
            {"Role": "r1"},
            "r1",
            "role",
            PATTERN + r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        ),
        ({"Handler": "a b"}, "a b", "handler", PATTERN + r"[^\s]+"),
        ({"Description": "x" * 257}, "x" * 257, "description", SHORTER + "256"),
        (
            {"Architectures": ["sparc"]},
            "[sparc]",
            "architectures",
            f"Member must satisfy constraint: [{ENUM}[x86_64, arm64], Member must not be null]",
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            "[x86_64, arm64]",
            "architectures",
            SHORTER + "1",
        ),
        ({"PackageType": "Jar"}, "Jar", "packageType", ENUM + "[Image, Zip]"),
        (
            {"TracingConfig": {"Mode": "On"}},
            "On",
            "tracingConfig.mode",
            ENUM + "[Active, PassThrough]",
        ),
        (
            {"SnapStart": {"ApplyOn": "x"}},
            "x",
            "snapStart.applyOn",
            ENUM + "[PublishedVersions, None]",
        ),
        (
            {"LoggingConfig": {"LogFormat": "XML"}},
            "XML",
            "loggingConfig.logFormat",
            ENUM + "[JSON, Text]",
        ),
        (
            {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "TRACE"}},
            "TRACE",
            "loggingConfig.systemLogLevel",
            ENUM + "[DEBUG, INFO, WARN]",
        ),
    ],
)
def test_members_that_break_a_constraint(
    client: Any, members: dict[str, object], value: str, name: str, constraint: str
) -> None:
    told = f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    assert refused(create, client=client, name="new", **members) == (
        400,
        "ValidationException",
        f"1 validation error detected: {told}",
    )


@pytest.mark.rule("LI-340")
def test_versions_are_listed_all_or_not_at_all(client: Any) -> None:
    status, code, text = refused(client.list_functions, FunctionVersion="latest")
    assert (status, code) == (400, "ValidationException")
    assert text.endswith("Member must satisfy enum value set: [ALL]")


@pytest.mark.rule("LI-042")
def test_the_tail_is_the_end_of_a_flood(client: Any) -> None:
    code = """
import sys
def handler(event, context):
    for number in range(60000):
        print("line", number)
    print("broken", file=sys.stderr)
"""
    create(client, "floods", Timeout=60, Code={"ZipFile": package(files={"index.py": code})})
    tail = base64.b64decode(answered(client, "floods", LogType="Tail")["LogResult"]).decode()
    assert len(tail) == 4096
    assert "\nline 59998\nline 59999\n" in tail
    assert "\nbroken\nEND RequestId: " in tail


@pytest.mark.rule("LI-042", "LR-261")
def test_the_tail_has_lines_in_an_error(client: Any) -> None:
    code = """
def handler(event, context):
    print("a\\rb")
    raise ValueError("boom")
"""
    create(client, "errs", Code={"ZipFile": package(files={"index.py": code})})
    tail = base64.b64decode(answered(client, "errs", LogType="Tail")["LogResult"]).decode()
    lines = tail.split("\n")
    start = lines.index("[ERROR] ValueError: boom")
    assert lines[start - 1] == "a\rb"
    assert lines[start + 1] == "Traceback (most recent call last):"
    assert lines[start + 2].startswith('\xa0\xa0File "')
    assert lines[start + 2].endswith(", line 4, in handler")
    assert lines[start + 3] == '\xa0\xa0\xa0\xa0raise ValueError("boom")'
    assert lines[start + 4].startswith("END RequestId: ")


@pytest.mark.rule("LI-170")
def test_an_empty_target_removes_a_dead_letter_queue(client: Any) -> None:
    queue = {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}
    assert "DeadLetterConfig" not in create(client, "dead", DeadLetterConfig={})

    def updated(config: dict[str, str]) -> Any:
        answer = client.update_function_configuration(FunctionName="dead", DeadLetterConfig=config)
        return answer.get("DeadLetterConfig")

    assert updated(queue) == queue
    assert updated({}) == queue
    assert updated({"TargetArn": ""}) is None
    assert "DeadLetterConfig" not in client.get_function_configuration(FunctionName="dead")
