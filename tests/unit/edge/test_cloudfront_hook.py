"""How the ends of a CloudFront Function's run become outcomes and records of a request."""

import pytest

from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.outcomes import Answered, Changed, Failed, Proceed, RequestOutcome
from edgeproxy.exchange.model import FunctionRun
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.cloudfront_js.origin import UpdateOrigin
from edgeproxy.runtimes.cloudfront_js.outcome import (
    Completed,
    FailureKind,
    Location,
    Notice,
    Outcome,
)
from edgeproxy.runtimes.cloudfront_js.outcome import Failed as RunFailed
from tests.unit.edge.scenes import Functions, Lambdas, associated, request, returned, scene

SAME = {
    "method": "GET",
    "uri": "/a",
    "querystring": {},
    "headers": {"host": {"value": "site.example"}},
    "cookies": {},
}


async def at_viewer_request(
    outcome: Outcome | None = None, asked: Request | None = None
) -> tuple[RequestOutcome, FunctionRun, Functions]:
    functions = Functions(outcome)
    where = scene(associated("viewer-request", "cloudfront"))
    hooks = Hooks(Lambdas(returned(None)), functions)
    result = await hooks.viewer_request(where, asked or request())
    return result, where.exchange.functions[0], functions


@pytest.mark.rule("CFF-ERR-01", "CFF-ERR-02", "CFF-ERR-03")
@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("FunctionExecutionError", 503, "Unhandled"),
        ("FunctionThrottledError", 503, "Throttled"),
        ("FunctionValidationError", 502, "Validation"),
    ],
)
async def test_each_kind_of_failure(kind: FailureKind, status: int, error: str) -> None:
    outcome, run, _ = await at_viewer_request(RunFailed(kind, "no", rule="CFF-ORG-03"))
    assert isinstance(outcome, Failed)
    assert (outcome.response.status, outcome.result_type, run.error) == (status, kind, error)


@pytest.mark.rule("CFF-ERR-06")
async def test_the_place_of_an_error_is_told_to_the_developer_alone() -> None:
    failed = RunFailed("FunctionExecutionError", "Error: no", ("a line",), Location(7, 3))
    outcome, run, _ = await at_viewer_request(failed)
    assert isinstance(outcome, Failed)
    assert outcome.why == "fn failed: Error: no (line 7)"
    document = {"errorType": "FunctionExecutionError", "errorMessage": "Error: no (line 7)"}
    assert run.error_document == document
    assert isinstance(outcome.response.body, BytesBody)
    assert b"line 7" not in outcome.response.body.data
    assert b"is invalid or could not run." in outcome.response.body.data


async def test_notices_and_lines_are_in_the_record() -> None:
    notices = (Notice("CFF-RT-06", "one argument only", "use one"),)
    outcome, run, _ = await at_viewer_request(Completed(SAME, None, ("a", "b"), notices=notices))
    assert isinstance(outcome, Proceed)
    assert [finding.rule for finding in run.findings] == ["CFF-RT-06"]
    assert [line.message for line in run.log] == ["a", "b"]
    assert (run.kind, run.error) == ("cloudfront", "")


@pytest.mark.rule("CFF-QS-07", "CFF-ORG-15")
@pytest.mark.parametrize("query", [None, "", "a=%20"])
async def test_what_a_run_is_given_beside_its_event(query: str | None) -> None:
    _, _, functions = await at_viewer_request(asked=request(query=query))
    [context] = functions.contexts
    assert context.raw_query == query
    assert context.origin_ids is not None
    assert set(context.origin_ids) == {"web"}


@pytest.mark.rule("CFF-ORG-01")
async def test_a_change_of_the_origin_goes_on_with_the_request() -> None:
    change = UpdateOrigin(domain_name="other.example")
    outcome, _, _ = await at_viewer_request(Completed(SAME, change))
    assert isinstance(outcome, Proceed)
    assert outcome.origin_change == change


@pytest.mark.rule("CFF-ORG-07")
async def test_a_custom_header_that_is_not_allowed_is_refused_with_the_request() -> None:
    change = UpdateOrigin(custom_headers={"x-amz-a": "1"})
    outcome, run, _ = await at_viewer_request(Completed(SAME, change))
    assert isinstance(outcome, Failed)
    assert outcome.result_type == "FunctionValidationError"
    assert [finding.rule for finding in run.findings] == ["CFF-ORG-07"]


@pytest.mark.rule("CFF-RES-11", "CFF-RES-13")
async def test_a_generated_response() -> None:
    outcome, _, _ = await at_viewer_request(Completed({"statusCode": 200}))
    assert isinstance(outcome, Answered)
    assert outcome.result_type == "FunctionGeneratedResponse"
    assert outcome.response.headers.get("Server") == "CloudFront"


@pytest.mark.rule("CFF-RES-05")
async def test_a_viewer_response_without_a_body_keeps_the_body_itself() -> None:
    body = BytesBody(b"as it was")
    where = scene(associated("viewer-response", "cloudfront"))
    hooks = Hooks(Lambdas(returned(None)), Functions())
    outcome = await hooks.viewer_response(where, request(), Response(200, body=body))
    assert isinstance(outcome, Changed)
    assert outcome.response.body is body
