"""The door of a function URL, called as a Handler."""

from typing import Any

import orjson
import pytest

from edgeproxy.awslambda.model import Cors, FunctionUrl
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.function_url import FunctionUrlDoor
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.runtimes.invocation import FunctionError, InitFailed, Throttled, TimedOut
from edgeproxy.tasks import Tasks
from tests.unit.entrypoints.fakes import Recording, Service, returned

CORS = Cors(("https://a.example",), ("GET",), ("x-t",), ("x-e",), max_age_s=300)


class Stage:
    """A door with its surroundings."""

    def __init__(self, *, strict: bool = True, **url: Any) -> None:
        self.service = Service()
        self.recording = Recording()
        self.door = FunctionUrlDoor(
            FunctionUrl("ApiUrl", "api", "abc", **url),
            self.service,
            Clock(),
            Chance(1),
            self.recording,
            Tasks(),
            strict=strict,
        )

    async def __call__(
        self, *lines: tuple[str, str], method: str = "GET", body: bytes = b""
    ) -> Response:
        headers = Headers([("Host", "abc.localhost:8082"), *lines])
        return await self.door(Request(method, "/x", "a=1", headers=headers, body=BytesBody(body)))


def body_of(response: Response) -> bytes:
    assert isinstance(response.body, BytesBody)
    return response.body.data


@pytest.mark.rule("FU-005", "FU-072")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "PATCH", "DELETE"])
async def test_every_method_runs_the_function(method: str) -> None:
    stage = Stage(qualifier="live")
    response = await stage(method=method)
    assert stage.service.event["requestContext"]["http"]["method"] == method
    assert (response.status, body_of(response)) == (200, b"ok")
    [(name, qualifier, trace_id)] = stage.service.calls
    assert (name, qualifier) == ("api", "live")
    assert response.headers.get("x-amzn-trace-id") == trace_id
    request_id = stage.service.event["requestContext"]["requestId"]
    assert response.headers.get("x-amzn-requestid") == request_id
    assert response.headers.get("date").endswith(" GMT")


@pytest.mark.rule("FU-029")
async def test_the_trace_is_the_caller_s_or_a_new_one() -> None:
    stage = Stage()
    await stage()
    assert stage.service.event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    await stage(("X-Amzn-Trace-Id", "Root=1-5-6"))
    assert stage.service.event["headers"]["x-amzn-trace-id"] == "Root=1-5-6"
    assert stage.service.calls[-1][2] == "Root=1-5-6"


async def test_the_exchange_is_recorded_when_the_answer_is_delivered() -> None:
    stage = Stage()
    response = await stage(body=b"12345", method="POST")
    assert stage.recording.ended_ == []
    assert response.on_delivered is not None
    response.on_delivered(Delivered(321))
    [exchange] = stage.recording.ended_
    assert (exchange.door, exchange.name, exchange.bytes_sent) == ("function-url", "ApiUrl", 321)
    assert exchange.bytes_received > 5
    [step] = exchange.steps
    assert step.name == "function"
    assert step.function is not None
    assert (step.function.name, step.function.error, step.function.duration_ms) == ("api", "", 1.5)


@pytest.mark.rule("FU-075")
async def test_head_has_the_headers_alone() -> None:
    response = await Stage()(method="HEAD")
    assert body_of(response) == b""
    assert response.headers.get("content-length") == "2"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            FunctionError("r", 1, document={"errorMessage": "secret"}),
            "Unhandled",
            marks=pytest.mark.rule("FU-120", "FU-121"),
        ),
        pytest.param(TimedOut("r", 3000), "Timeout", marks=pytest.mark.rule("FU-120", "FU-124")),
        pytest.param(InitFailed("r", 1), "InitError", marks=pytest.mark.rule("FU-120")),
        pytest.param(returned({"statusCode": "x"}), "Validation", marks=pytest.mark.rule("FU-074")),
        pytest.param(returned("x" * 6_291_456), "Validation", marks=pytest.mark.rule("FU-126")),
    ],
)
async def test_failures_are_an_internal_error(answer: Any, error: str) -> None:
    stage = Stage()
    stage.service.answer = answer
    response = await stage()
    assert (response.status, body_of(response)) == (502, b"Internal Server Error")
    assert response.on_delivered is not None
    response.on_delivered(Delivered(0))
    [exchange] = stage.recording.ended_
    assert [run.error for run in exchange.functions] == [error]
    assert exchange.steps[0].decision is not None
    assert exchange.steps[0].decision.why


@pytest.mark.rule("FU-122", "FU-123")
async def test_throttling_is_429() -> None:
    stage = Stage()
    stage.service.answer = Throttled("r", "ReservedFunctionConcurrentInvocationLimitExceeded")
    response = await stage()
    assert response.status == 429
    assert response.headers.get("x-amzn-ErrorType") == "TooManyRequestsException"
    assert orjson.loads(body_of(response)) == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


@pytest.mark.rule("FU-041", "FU-125")
@pytest.mark.parametrize(
    ("size", "media_type"),
    [(6 * 1024 * 1024 + 1, "text/plain"), (5 * 1024 * 1024, "application/octet-stream")],
    ids=["the body itself", "the body as base64"],
)
async def test_too_large_requests(size: int, media_type: str) -> None:
    stage = Stage()
    response = await stage(("Content-Type", media_type), method="POST", body=b"a" * size)
    assert response.status == 413
    assert b"6291456" in body_of(response)
    assert stage.service.calls == []


@pytest.mark.rule("FU-008")
async def test_a_missing_alias_is_403() -> None:
    stage = Stage(qualifier="gone")
    stage.service.answer = FunctionNotFound("Function not found: api:gone")
    response = await stage()
    assert response.status == 403
    assert response.headers.get("x-amzn-ErrorType") == "AccessDeniedException"
    assert b"Forbidden" in body_of(response)


async def test_a_function_that_does_not_stream_is_noted() -> None:
    stage = Stage(invoke_mode="RESPONSE_STREAM")
    response = await stage()
    assert response.on_delivered is not None
    response.on_delivered(Delivered(0))
    decision = stage.recording.ended_[0].steps[0].decision
    assert decision is not None
    assert decision.why == "sent whole: it does not stream"


# --- CORS ---------------------------------------------------------------------------------------


def preflight(origin: str, method: str = "GET", headers: str = "") -> list[tuple[str, str]]:
    lines = [("Origin", origin), ("Access-Control-Request-Method", method)]
    return [*lines, ("Access-Control-Request-Headers", headers)] if headers else lines


@pytest.mark.rule("FU-100b", "FU-100c", "FU-100d")
async def test_the_service_answers_preflights() -> None:
    stage = Stage(cors=CORS)
    response = await stage(*preflight("https://a.example", headers="X-T"), method="OPTIONS")
    assert stage.service.calls == []
    assert (response.status, body_of(response)) == (200, b"")
    headers = response.headers
    assert headers.get("access-control-allow-origin") == "https://a.example"
    assert headers.get("access-control-allow-methods") == "GET"
    assert headers.get("access-control-allow-headers") == "x-t"
    assert headers.get("access-control-max-age") == "300"
    assert headers.get("vary") == "Origin"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.rule("FU-100e")
@pytest.mark.parametrize(
    "lines",
    [
        preflight("https://b.example"),
        preflight("https://a.example:444"),
        preflight("https://a.example", "PUT"),
        preflight("https://a.example", headers="x-t, x-other"),
    ],
)
async def test_what_is_not_allowed_gets_no_permission(lines: list[tuple[str, str]]) -> None:
    stage = Stage(cors=CORS)
    response = await stage(*lines, method="OPTIONS")
    assert response.status == 200
    assert not [name for name in response.headers.names() if name.startswith("access-control-")]
    assert stage.service.calls == []


@pytest.mark.rule("FU-100d", "FU-100c")
async def test_any_origin_is_echoed() -> None:
    stage = Stage(cors=Cors(("*",), ("*",), ("*",), allow_credentials=True))
    lines = preflight("https://any.example", "DELETE", "x-any")
    headers = (await stage(*lines, method="OPTIONS")).headers
    assert headers.get("access-control-allow-origin") == "https://any.example"
    assert headers.get("access-control-allow-credentials") == "true"


@pytest.mark.rule("FU-100f")
async def test_headers_are_added_beside_the_function_s_own() -> None:
    stage = Stage(cors=CORS)
    stage.service.answer = returned(
        {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}
    )
    headers = (await stage(("Origin", "https://a.example"))).headers
    assert headers.get_all("access-control-allow-origin") == ["*", "https://a.example"]
    assert headers.get("access-control-expose-headers") == "x-e"


@pytest.mark.rule("FU-100g")
async def test_no_origin_no_headers() -> None:
    headers = (await Stage(cors=CORS)()).headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.rule("FU-100h")
async def test_without_cors_options_runs_the_function() -> None:
    stage = Stage()
    await stage(*preflight("https://a.example"), method="OPTIONS")
    assert stage.service.event["requestContext"]["http"]["method"] == "OPTIONS"


@pytest.mark.rule("FU-100i")
async def test_preflights_need_no_signature() -> None:
    stage = Stage(cors=CORS, auth_type="AWS_IAM")
    response = await stage(*preflight("https://a.example"), method="OPTIONS")
    assert response.status == 200
    assert "access-control-allow-origin" in response.headers


@pytest.mark.rule("FU-100j")
async def test_errors_carry_the_headers_too() -> None:
    stage = Stage(cors=CORS)
    stage.service.answer = FunctionError("r", 1)
    response = await stage(("Origin", "https://a.example"))
    assert response.status == 502
    assert response.headers.get("access-control-allow-origin") == "https://a.example"


@pytest.mark.rule("FU-036")
async def test_with_iam_the_owner_s_account_is_named() -> None:
    stage = Stage(auth_type="AWS_IAM")
    await stage()
    assert stage.service.event["requestContext"]["accountId"] == "123456789012"
