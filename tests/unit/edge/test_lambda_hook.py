"""How the ends of an invocation become outcomes and records of a request."""

import base64

import pytest

from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.distribution.model import EventType
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.outcomes import Answered, Failed, Proceed, RequestOutcome
from edgeproxy.exchange.model import FunctionRun
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Throttled,
    TimedOut,
)
from tests.unit.edge.scenes import (
    ID,
    WEB,
    Functions,
    Lambdas,
    associated,
    request,
    returned,
    scene,
)

DOCUMENT = {"errorType": "ValueError", "errorMessage": "no <b>way</b>"}


async def at_viewer_request(
    result: InvocationResult | Exception,
    asked: Request | None = None,
    *,
    include_body: bool = False,
) -> tuple[RequestOutcome, FunctionRun, Lambdas]:
    lambdas = Lambdas(result)
    where = scene(associated("viewer-request", include_body=include_body))
    outcome = await Hooks(lambdas, Functions()).viewer_request(where, asked or request())
    return outcome, where.exchange.functions[0], lambdas


@pytest.mark.rule("LE-ERR-01", "LE-ERR-04", "LE-ERR-07", "CDN-GEN-17")
@pytest.mark.parametrize(
    ("result", "error"),
    [
        (FunctionError("r", 1, document=DOCUMENT), "Unhandled"),
        (TimedOut("r", 1, document=DOCUMENT), "Timeout"),
        (InitFailed("r", 1, document=DOCUMENT), "InitError"),
    ],
)
async def test_a_failed_invocation(result: InvocationResult, error: str) -> None:
    outcome, run, _ = await at_viewer_request(result)
    assert isinstance(outcome, Failed)
    assert (outcome.response.status, outcome.result_type) == (503, "LambdaExecutionError")
    assert outcome.why == "fn failed: ValueError: no <b>way</b>"
    assert (run.error, run.error_document) == (error, DOCUMENT)
    assert isinstance(outcome.response.body, BytesBody)
    page = outcome.response.body.data.decode()
    assert "is invalid or doesn't have the required permissions" in page
    assert "way" not in page, "what went wrong inside is not for viewers"
    assert ID in page


@pytest.mark.rule("LE-ERR-01")
async def test_a_function_that_a_reload_removed_under_the_request() -> None:
    outcome, run, _ = await at_viewer_request(FunctionNotFound("no function fn"))
    assert isinstance(outcome, Failed)
    assert (outcome.response.status, outcome.result_type) == (503, "LambdaExecutionError")
    assert run.error == "InitError"


@pytest.mark.rule("LE-ERR-03", "LE-ERR-07")
async def test_a_throttled_invocation() -> None:
    outcome, run, _ = await at_viewer_request(Throttled("r", reason="too many"))
    assert isinstance(outcome, Failed)
    assert (outcome.response.status, outcome.result_type) == (503, "LambdaLimitExceeded")
    assert isinstance(outcome.response.body, BytesBody)
    assert b"was throttled" in outcome.response.body.data
    assert run.error == "Throttled"


@pytest.mark.rule("LE-ERR-02")
async def test_an_invalid_result_says_what_and_which_rule() -> None:
    outcome, run, _ = await at_viewer_request(returned({"status": "600"}))
    assert isinstance(outcome, Failed)
    assert (outcome.response.status, outcome.result_type) == (502, "LambdaValidationError")
    assert [finding.rule for finding in run.findings] == ["LE-GEN-03"]
    assert run.findings[0].message in outcome.why


@pytest.mark.rule("LE-LIM-01")
async def test_the_version_is_called_with_the_edge_s_own_time_limit() -> None:
    _, _, lambdas = await at_viewer_request(returned(None))
    [(name, qualifier, timeout_s)] = lambdas.calls
    assert (name, qualifier) == ("fn", "1")
    assert timeout_s is not None
    assert timeout_s <= 30


@pytest.mark.rule("LE-GEN-15")
@pytest.mark.parametrize(
    ("headers", "server"),
    [({}, "CloudFront"), ({"server": [{"key": "Server", "value": "mine"}]}, "mine")],
)
async def test_a_generated_response_is_the_edge_s_own(headers: object, server: str) -> None:
    outcome, run, _ = await at_viewer_request(returned({"status": "200", "headers": headers}))
    assert isinstance(outcome, Answered)
    assert outcome.response.headers.get_all("Server") == [server]
    assert outcome.result_type == "LambdaGeneratedResponse"
    assert run.error == ""


@pytest.mark.rule("LE-BODY-01", "LE-BODY-05", "LE-BODY-06")
async def test_a_body_is_shown_cut_and_goes_on_whole() -> None:
    data = b"0123456789" * 5000
    lambdas = Lambdas(returned(None))
    where = scene(associated("viewer-request", include_body=True))
    asked = request(method="POST", body=BytesBody(data))
    await Hooks(lambdas, Functions()).viewer_request(where, asked)
    body = lambdas.events[0]["request"]["body"]  # type: ignore[index]
    assert base64.b64decode(body["data"]) == data[: 40 * 1024]
    assert body["inputTruncated"] is True


@pytest.mark.rule("LE-BODY-12")
async def test_a_replaced_body_has_its_own_length() -> None:
    replaced = {
        "uri": "/a",
        "method": "POST",
        "querystring": "",
        "headers": {
            "host": [{"key": "Host", "value": "site.example"}],
            "content-length": [{"key": "Content-Length", "value": "3"}],
        },
        "body": {"action": "replace", "encoding": "text", "data": "longer"},
    }
    headers = Headers([("Host", "site.example"), ("Content-Length", "3")])
    asked = Request("POST", "/a", headers=headers, body=BytesBody(b"old"))
    outcome, _, _ = await at_viewer_request(returned(replaced), asked)
    assert isinstance(outcome, Proceed)
    assert outcome.request.headers.get_all("Content-Length") == ["6"]
    assert isinstance(outcome.request.body, BytesBody)
    assert outcome.request.body.data == b"longer"


@pytest.mark.rule("LE-ERR-01")
async def test_a_failure_at_origin_response_replaces_the_answer() -> None:
    lambdas = Lambdas(FunctionError("r", 1, document=DOCUMENT))
    where = scene(associated(EventType.ORIGIN_RESPONSE))
    outcome = await Hooks(lambdas, Functions()).origin_response(
        where, request(), Response(200, body=BytesBody(b"secret")), WEB
    )
    assert isinstance(outcome, Failed)
    assert outcome.response.status == 503
    assert lambdas.events[0]["config"]["eventType"] == "origin-response"  # type: ignore[index]
