"""The door of a function URL: any path and any method go to one function (FU-005).

Invoke mode ``RESPONSE_STREAM`` is approximated: the answer is sent when it is complete.
"""

from dataclasses import replace
from typing import Final, assert_never

import orjson

from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.cors import answer_headers, is_preflight, preflight_headers
from edgeproxy.entrypoints.invoking import Invoker
from edgeproxy.events.function_url import Malformed, UrlContext, decode_result, encode_event
from edgeproxy.exchange.delivery import record_delivery
from edgeproxy.exchange.model import Decision, Exchange, Finding, Recorder, Step
from edgeproxy.http.body import EMPTY_BODY, BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, reason_phrase
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["FunctionUrlDoor"]

PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""The event as JSON, and the result as JSON (FU-041, FU-126)."""

_TOO_LARGE: Final = {
    "message": "Request must be smaller than 6291456 bytes for the InvokeFunctionUrl operation"
}
_FORBIDDEN: Final = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}


class FunctionUrlDoor:
    """A Handler that answers with one function; ``url`` is replaced on reload.

    ``account_id`` owns the function; lenient takes the second reading of rules that are UNSURE.
    """

    def __init__(
        self,
        url: FunctionUrl,
        service: Invoker,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        *,
        account_id: str = "123456789012",
        strict: bool = True,
    ) -> None:
        self.url = url
        self._service = service
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._account_id = account_id
        self._strict = strict

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        url = self.url
        exchange = Exchange(
            self._chance.uuid(),
            "function-url",
            url.logical_id,
            request,
            self._clock.now(),
            self._clock,
        )
        trace_id = request.headers.get("X-Amzn-Trace-Id") or self._new_trace()
        if url.cors is not None and is_preflight(request):
            # UNSURE which status a preflight has (FU-100b).
            response = Response(200, Headers(preflight_headers(url.cors, request)))
        else:
            response = await self._run(exchange, request, trace_id)
            if url.cors is not None:
                added = answer_headers(url.cors, request)
                response = replace(response, headers=Headers([*response.headers, *added]))
        response = self._finish(request, response, exchange.id, trace_id)
        return record_delivery(exchange, response, self._recorder)

    def refuse(self, status: int) -> Response:
        """The answer to a request that is malformed or too large to be one.

        UNSURE what the service says then: the phrase of the status, as JSON.
        """
        status = 431 if status == 494 else status  # 494 is CloudFront's alone.
        answer = _json_error(status, {"message": reason_phrase(status)})
        lines = [
            ("date", format_date(self._clock.now())),
            *answer.headers,
            ("x-amzn-requestid", self._chance.uuid()),
        ]
        return replace(answer, headers=Headers(lines))

    async def _run(self, exchange: Exchange, request: Request, trace_id: str) -> Response:
        """The function's answer, or the service's own for it (FU-040: under one request ID)."""
        url = self.url
        context = UrlContext(
            url.url_id,
            exchange.id,
            trace_id,
            exchange.started,
            self._account_id if url.auth_type == "AWS_IAM" else "",
        )
        try:
            payload = encode_event(
                context, request, await read_at_most(request.body, PAYLOAD_BYTES)
            )
        except BodyTooLarge:
            return _json_error(413, _TOO_LARGE)
        if len(payload) > PAYLOAD_BYTES:
            return _json_error(413, _TOO_LARGE)
        with exchange.step("function", before=request) as step:
            try:
                result = await self._service.invoke(
                    url.function,
                    payload,
                    qualifier=url.qualifier,
                    trace_id=trace_id,
                    request_id=exchange.id,
                )
            except FunctionNotFound as error:  # FU-008
                step.after = _json_error(403, _FORBIDDEN, "AccessDeniedException")
                step.decision = Decision("failed", str(error))
                return step.after
            response = step.after = self._answer(step, result)
        return response

    def _answer(self, step: Step, result: InvocationResult) -> Response:
        """Map an invocation's end to an answer (FU-060 to 075, FU-120 to 126)."""
        name = self.url.function
        qualifier = self.url.qualifier
        step.function = function_run(name, "function-url", result, qualifier=qualifier)
        match result:
            case Returned():
                if len(result.payload) > PAYLOAD_BYTES:
                    decoded: Response | Malformed = Malformed(
                        "FU-126", f"the result has {len(result.payload)} bytes"
                    )
                else:
                    decoded = decode_result(result.payload, strict=self._strict)
                if isinstance(decoded, Malformed):
                    finding = Finding(decoded.rule, decoded.why)
                    step.function = function_run(
                        name,
                        "function-url",
                        result,
                        (finding,),
                        usable=False,
                        qualifier=qualifier,
                    )
                    step.decision = Decision("failed", f"{name}: {decoded.why}")
                    return _internal_error()
                buffered = self.url.invoke_mode == "RESPONSE_STREAM"
                step.decision = Decision(
                    "answered", "RESPONSE_STREAM is approximated: buffered" if buffered else ""
                )
                return decoded
            case FunctionError() | TimedOut() | InitFailed():
                step.decision = Decision("failed", why_failed(name, result))
                return _internal_error()
            case Throttled():
                step.decision = Decision("throttled", f"{name}: {result.reason}")
                # UNSURE what the body is (FU-122).
                body = {"Reason": result.reason, "Type": "User", "message": "Rate Exceeded."}
                return _json_error(429, body, "TooManyRequestsException")
            case _:
                assert_never(result)

    def _finish(
        self, request: Request, response: Response, request_id: str, trace_id: str
    ) -> Response:
        """Add the headers of the service (FU-072); no body goes to HEAD (FU-075)."""
        headers = Headers(
            [
                ("date", format_date(self._clock.now())),
                *response.headers,
                ("x-amzn-requestid", request_id),
                ("x-amzn-trace-id", trace_id),
            ]
        )
        if request.method == "HEAD":
            headers = headers.with_set("content-length", str(response.body.length or 0))
            return replace(response, headers=headers, body=EMPTY_BODY)
        return replace(response, headers=headers)

    def _new_trace(self) -> str:
        return f"Root=1-{int(self._clock.now()):08x}-{self._chance.hex(24)}"


def _internal_error() -> Response:
    """What a caller learns of a function's failure (FU-120, FU-121)."""
    return Response(
        502,
        Headers([("content-type", "application/json")]),
        BytesBody(b"Internal Server Error"),
    )


def _json_error(status: int, document: dict[str, str], error_type: str = "") -> Response:
    lines = [("content-type", "application/json")]
    if error_type:
        lines.append(("x-amzn-errortype", error_type))
    return Response(status, Headers(lines), BytesBody(orjson.dumps(document)))
