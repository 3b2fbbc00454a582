"""Functions invoked over Lambda's API: how they are named, what is sent, what comes back."""

import base64
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from edgeproxy.exchange.model import Exchange
from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import (
    ACCOUNT,
    answered,
    arn,
    call,
    context,
    create,
    fails,
    invoke,
    lambda_client,
    package,
    refused,
    template,
)

INVOKE = "/2015-03-31/functions/{}/invocations"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A function ``tell`` of a definition, with version 1 and the alias ``live`` of it."""
    with Edge() as edge:
        site = edge.serve(template(tmp_path_factory.mktemp("invoke"), "tell", "other"))
        client = lambda_client(site)
        client.publish_version(FunctionName="tell")
        client.create_alias(FunctionName="tell", Name="live", FunctionVersion="1")
        yield site


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


@pytest.mark.rule("LI-001", "LI-002", "LI-008", "LI-009")
@pytest.mark.parametrize("suffix", ["", ":live", ":1", ":$LATEST"])
@pytest.mark.parametrize(
    "form",
    [
        "tell",
        "function:tell",
        f"{ACCOUNT}:function:tell",
        f"us-east-1:{ACCOUNT}:function:tell",
        arn("tell"),
    ],
)
def test_every_form_of_a_name(site: Site, form: str, suffix: str) -> None:
    answer = call(site, INVOKE.format(quote(form + suffix, safe="")), b"{}")
    told = json.loads(answer.body)
    assert told["arn"] == arn("tell") + suffix
    assert told["version"] == ("1" if suffix in (":1", ":live") else "$LATEST")


@pytest.mark.rule("LI-003")
def test_a_number_is_a_version_and_else_an_alias(client: Any) -> None:
    assert invoke(client, "tell")["version"] == "$LATEST"
    assert invoke(client, "tell", Qualifier="$LATEST")["version"] == "$LATEST"
    assert invoke(client, "tell", Qualifier="1")["version"] == "1"
    assert invoke(client, "tell", Qualifier="live")["arn"] == arn("tell:live")
    assert refused(client.invoke, FunctionName="tell", Qualifier="2")[0] == 404


@pytest.mark.rule("LI-004")
def test_two_qualifiers_must_be_the_same(client: Any) -> None:
    assert invoke(client, "tell:1", Qualifier="1")["version"] == "1"
    assert refused(client.invoke, FunctionName="tell:1", Qualifier="2") == (
        400,
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


@pytest.mark.rule("LI-005")
@pytest.mark.parametrize(
    "name",
    [
        "*",
        "tell!",
        "invalid-account:function:tell",
        f"arn:aws:lambda:invalid-region:{ACCOUNT}:function:tell",
        "arn:aws:lambda:us-east-1::function:tell",
        f"arn:aws:iam::{ACCOUNT}:function:tell",
        arn("tell:1:2"),
    ],
)
def test_names_that_break_the_pattern(site: Site, name: str) -> None:
    status, kind, document = fails(call(site, INVOKE.format(quote(name, safe="")), b"{}"))
    assert (status, kind) == (400, "ValidationException")
    assert document == {
        "message": f"1 validation error detected: Value '{name}' at 'functionName' failed to "
        f"satisfy constraint: Member must satisfy regular expression pattern: {PATTERN}"
    }


@pytest.mark.rule("LI-005")
def test_several_violations_are_joined(site: Site) -> None:
    _, _, document = fails(call(site, f"{INVOKE.format('a%21')}?Qualifier=b%21", b"{}"))
    first, second = document["message"].removeprefix("2 validation errors detected: ").split("; ")
    assert {first.split(" failed")[0], second.split(" failed")[0]} == {
        "Value 'a!' at 'functionName'",
        "Value 'b!' at 'qualifier'",
    }


@pytest.mark.rule("LI-006")
@pytest.mark.parametrize(
    ("name", "qualifier", "shown"),
    [
        ("nope", "", "nope:$LATEST"),
        ("tell", "7", "tell:7"),
        ("tell", "nope", "tell:nope"),
        ("tell", "$latest", "tell:$latest"),
        ("a" * 65, "", "a" * 65 + ":$LATEST"),
    ],
)
def test_what_is_not_there(site: Site, name: str, qualifier: str, shown: str) -> None:
    query = f"?Qualifier={quote(qualifier)}" if qualifier else ""
    assert fails(call(site, INVOKE.format(name) + query, b"{}")) == (
        404,
        "ResourceNotFoundException",
        {"Type": "User", "Message": f"Function not found: {arn(shown)}"},
    )


@pytest.mark.rule("LI-007")
def test_other_regions_and_accounts(client: Any) -> None:
    elsewhere = arn("tell").replace("us-east-1", "eu-west-1")
    assert refused(client.invoke, FunctionName=elsewhere) == (
        404,
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    )
    others = arn("tell").replace(ACCOUNT, "111111111111")
    assert refused(client.invoke, FunctionName=others)[:2] == (403, "AccessDeniedException")


@pytest.mark.rule("LI-020", "LI-025")
def test_the_client_context(client: Any) -> None:
    told = invoke(client, "tell", ClientContext=context({"custom": {"who": "me"}}))
    assert told["custom"] == {"who": "me"}


@pytest.mark.rule("LI-020")
def test_the_tenant(client: Any) -> None:
    assert invoke(client, "tell", TenantId="blue")["tenant"] == "blue"
    assert invoke(client, "tell")["tenant"] is None


@pytest.mark.rule("LI-020")
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("X_Amz_Invocation_Type", "Later", 400),
        ("X_Amz_Log_Type", "All", 400),
        ("X_Amz_Client_Context", "no base64", 400),
        ("X_Amz_Client_Context", base64.b64encode(b"no json").decode(), 400),
        ("X_Amz_Client_Context", context("x" * 2800), 400),
        ("X_Amz_Client_Context", context("x" * 2600), 200),
    ],
)
def test_headers_of_a_call(site: Site, header: str, value: str, status: int) -> None:
    assert call(site, INVOKE.format("tell"), b"{}", **{header: value}).status == status


@pytest.mark.rule("LI-021")
def test_an_empty_body_is_an_empty_object(site: Site) -> None:
    assert json.loads(call(site, INVOKE.format("tell")).body)["event"] == {}


@pytest.mark.rule("LI-022")
@pytest.mark.parametrize("body", [b"value", b'"\x87"', b"{", b"{} {}"])
def test_a_body_that_is_not_json(site: Site, body: bytes) -> None:
    status, kind, document = fails(call(site, INVOKE.format("tell"), body))
    assert (status, kind) == (400, "InvalidRequestContentException")
    assert document["Type"] == "User"
    assert document["message"].startswith("Could not parse request body into json: ")


@pytest.mark.rule("LI-022", "LI-023", "LI-026")
@pytest.mark.parametrize("body", [b"1", b'"text"', b"null", b"[]", b"true"])
def test_any_json_of_any_content_type_without_signature(site: Site, body: bytes) -> None:
    answer = call(site, INVOKE.format("tell"), body, Content_Type="application/octet-stream")
    assert json.loads(answer.body)["event"] == json.loads(body)


@pytest.mark.rule("LI-024", "LR-322")
@pytest.mark.parametrize(("kind", "most"), [("Event", 1_048_576), ("RequestResponse", 6_291_456)])
def test_the_largest_event(site: Site, kind: str, most: int) -> None:
    def sent(size: int) -> Any:
        body = b'"' + b"x" * (size - 2) + b'"'
        return call(site, INVOKE.format("other"), body, X_Amz_Invocation_Type=kind)

    assert sent(most).status in (200, 202)
    status, name, document = fails(sent(most + 1))
    assert (status, name) == (413, "RequestTooLargeException")
    assert document["message"] == (
        f"{most + 1} byte payload is too large for the {kind} invocation type (limit {most} bytes)"
    )


@pytest.mark.rule("LI-040", "LI-041", "LI-045", "LI-046")
def test_an_answer(site: Site) -> None:
    answer = call(site, INVOKE.format("tell"), b'{"a":1}')
    assert (answer.status, answer.headers.get("Content-Type")) == (200, "application/json")
    assert answer.headers.get("X-Amz-Executed-Version") == "$LATEST"
    assert not answer.headers.get("X-Amz-Function-Error")
    request_id = answer.headers.get("x-amzn-RequestId")
    assert UUID.fullmatch(request_id)
    assert answer.headers.get("X-Amzn-Trace-Id").startswith("Root=1-")
    assert b'"event": {"a": 1}' in answer.body, "with the blanks of Python's own encoder"
    assert json.loads(answer.body)["id"] == request_id


@pytest.mark.rule("LI-040", "LI-082")
def test_a_function_that_fails(client: Any) -> None:
    answer = answered(client, "tell", b'{"fail": true}')
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document = json.loads(answer["Payload"])
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "told to")
    assert answer["ExecutedVersion"] == "$LATEST"


@pytest.mark.rule("LI-042")
def test_the_tail_of_the_log(client: Any) -> None:
    answer = answered(client, "tell", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    for line in (f"START RequestId: {request_id}", "seen", f"END RequestId: {request_id}",
                 f"REPORT RequestId: {request_id}"):  # fmt: skip
        assert line in log
    assert "LogResult" not in answered(client, "tell")


@pytest.mark.rule("LI-042")
def test_the_tail_is_4_kb(client: Any) -> None:
    code = "def handler(event, context):\n    print('x' * 10_000)\n"
    create(client, "chatty", Code={"ZipFile": package(files={"index.py": code})})
    answer = answered(client, "chatty", LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == 4096
    event = answered(client, "chatty", LogType="Tail", InvocationType="Event")
    assert "LogResult" not in event


@pytest.mark.rule("LI-043", "LI-045", "LI-044")
def test_event_and_dry_run(site: Site, client: Any) -> None:
    def invocations() -> int:
        lines = site.running.program.lambdas.logs("other", 1000)
        return sum(line.message.startswith("START") for line in lines)

    before = invocations()
    dry = answered(client, "other", InvocationType="DryRun")
    assert (dry["StatusCode"], dry["Payload"]) == (204, b"")
    assert refused(client.invoke, FunctionName="nope", InvocationType="DryRun")[0] == 404
    event = answered(client, "other", b'{"n": 1}', InvocationType="Event")
    assert (event["StatusCode"], event["Payload"]) == (202, b"")
    assert "ExecutedVersion" not in event
    request_id = event["ResponseMetadata"]["RequestId"]
    until = time.monotonic() + 10
    while not any(request_id in ids(exchange) for exchange in site.exchanges(1)):
        assert time.monotonic() < until
    assert invocations() == before + 1


def ids(exchange: Exchange) -> list[str]:
    """The request IDs of the functions that ran."""
    return [run.request_id for run in exchange.functions]


@pytest.mark.rule("LI-047")
def test_invoke_async(site: Site) -> None:
    answer = call(site, "/2014-11-13/functions/other/invoke-async", b"{}")
    assert (answer.status, json.loads(answer.body)) == (202, {"Status": 202})


@pytest.mark.rule("LI-045")
def test_invocations_are_exchanges(site: Site, client: Any) -> None:
    invoke(client, "tell", {"seen": "in the record"})
    exchange = next(each for each in site.exchanges(5) if each.name == "tell")
    (run,) = exchange.functions
    assert (exchange.door, run.version, run.error) == ("invoke", "$LATEST", "")


@pytest.mark.rule("LI-060", "LI-065")
def test_streaming_a_function_that_does_not_stream(site: Site, client: Any) -> None:
    answer = client.invoke_with_response_stream(FunctionName="tell", Payload=b'{"a": 1}')
    assert answer["ExecutedVersion"] == "$LATEST"
    *chunks, complete = list(answer["EventStream"])
    text = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
    assert json.loads(text)["event"] == {"a": 1}
    assert complete == {"InvokeComplete": {}}
    dry = client.invoke_with_response_stream(FunctionName="tell", InvocationType="DryRun")
    assert (dry["StatusCode"], list(dry["EventStream"])) == (204, [])
    path = "/2021-11-15/functions/tell/response-streaming-invocations"
    assert call(site, path, b"{}", X_Amz_Invocation_Type="Event").status == 400


@pytest.mark.rule("LI-061", "LI-064")
def test_streaming_a_failure(site: Site, client: Any) -> None:
    answer = client.invoke_with_response_stream(
        FunctionName="tell", Payload=b'{"fail": true}', LogType="Tail"
    )
    assert answer["StatusCode"] == 200
    (complete,) = list(answer["EventStream"])
    members = complete["InvokeComplete"]
    assert members["ErrorCode"]
    assert "told to" in members["ErrorDetails"]
    assert b"REPORT" in base64.b64decode(members["LogResult"])


FAULTS = {
    400: ("InvalidParameterValueException", "InvalidRequestContentException",
          "NoPublishedVersionException", "ModeNotSupportedException",
          "RecursiveInvocationException", "SnapStartException"),
    402: ("ServiceQuotaExceededException",),
    403: ("AccessDeniedException", "EFSMountFailureException", "S3FilesMountFailureException"),
    404: ("ResourceNotFoundException",),
    408: ("EFSMountConnectivityException", "EFSMountTimeoutException",
          "SnapStartTimeoutException", "S3FilesMountConnectivityException",
          "S3FilesMountTimeoutException"),
    409: ("ResourceConflictException", "SnapStartNotReadyException",
          "SnapStartRegenerationFailureException", "RuntimeAliasDeletedException",
          "RuntimeVersionDeletedException", "CodeArtifactUserPendingException",
          "CodeArtifactUserFailedException", "CodeArtifactUserDeletedException",
          "DurableExecutionAlreadyStartedException"),
    410: ("EFSIOException",),
    413: ("RequestTooLargeException", "SerializedRequestEntityTooLargeException"),
    415: ("UnsupportedMediaTypeException",),
    429: ("TooManyRequestsException",),
    500: ("ServiceException",),
    502: ("EC2AccessDeniedException", "EC2ThrottledException", "EC2UnexpectedException",
          "ENILimitReachedException", "ENINotReadyException",
          "SubnetIPAddressLimitReachedException", "InvalidSecurityGroupIDException",
          "InvalidSubnetIDException", "InvalidRuntimeException", "InvalidZipFileException",
          "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException",
          "KMSNotFoundException", "ResourceNotReadyException"),
}  # fmt: skip
SMALL = {
    "InvalidParameterValueException", "InvalidRequestContentException",
    "ModeNotSupportedException", "ResourceConflictException", "RuntimeAliasDeletedException",
    "RuntimeVersionDeletedException", "CodeArtifactUserPendingException",
    "CodeArtifactUserFailedException", "CodeArtifactUserDeletedException",
    "RequestTooLargeException", "SerializedRequestEntityTooLargeException",
    "UnsupportedMediaTypeException", "TooManyRequestsException", "ResourceNotReadyException",
    "DurableExecutionAlreadyStartedException",
}  # fmt: skip
"""Exceptions whose text is under ``message``; of the others it is ``Message``."""


@pytest.mark.rule("LI-080", "LI-081", "LI-082", "LI-084")
@pytest.mark.parametrize(
    ("status", "name"), [(status, name) for status, names in FAULTS.items() for name in names]
)
def test_every_refusal_can_be_had(site: Site, name: str, status: int) -> None:
    fault = json.dumps({"error": name}).encode()
    path = "/api/functions/tell/fault"
    assert call(site, path, fault, "PUT", Content_Type="application/json").status == 200
    try:
        got, kind, document = fails(call(site, INVOKE.format("tell"), b"{}"))
    finally:
        assert call(site, path, b"", "DELETE").status == 200
    assert (got, kind) == (status, name)
    assert set(document) == {"Type", "message" if name in SMALL else "Message"}
    assert document["Type"] == ("User" if status < 500 else "Service")
    assert call(site, INVOKE.format("tell"), b"{}").status == 200


@pytest.mark.rule("LI-084")
def test_a_fault_that_there_is_not(site: Site) -> None:
    json_type = {"Content_Type": "application/json"}
    path = "/api/functions/{}/fault"
    assert call(site, path.format("tell"), b'{"error": "No"}', "PUT", **json_type).status == 400
    known = b'{"error": "KMSDisabledException"}'
    assert call(site, path.format("nope"), known, "PUT", **json_type).status == 404


@pytest.mark.rule("LI-348")
def test_an_unknown_operation(site: Site) -> None:
    status, kind, document = fails(call(site, "/2020-04-22/code-signing-configs", b"", "GET"))
    assert (status, kind) == (501, "NotImplementedException")
    assert "GET /2020-04-22/code-signing-configs" in document["message"]
