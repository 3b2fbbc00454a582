"""The door of a function URL: any path and any method go to one function (FU-005).

In invoke mode ``RESPONSE_STREAM`` the answer begins with the function's first byte (FU-080).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

import orjson

from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.callers import Caller, Refused
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.awslambda.streaming import StreamBroken, Streamed, streamed
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.cors import answer_headers, is_preflight, preflight_headers
from edgeproxy.entrypoints.invoking import Invoker
from edgeproxy.entrypoints.url_streaming import (
    StreamRecorder,
    collected_response,
    streamed_response,
)
from edgeproxy.errors import EdgeproxyError
from edgeproxy.events.function_url import (
    Malformed,
    UrlCaller,
    UrlContext,
    decode_result,
    encode_event,
)
from edgeproxy.exchange.delivery import record_delivery
from edgeproxy.exchange.model import Decision, Exchange, Finding, Recorder, Step
from edgeproxy.http.body import EMPTY_BODY, BodyTooLarge, BytesBody, StreamBody, read_at_most
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.local_headers import explained, wants_explanation, without_local_headers
from edgeproxy.http.messages import Request, Response, reason_phrase
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.tasks import Tasks

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

    ``account_id`` owns the function, and ``access`` says who may come in. Lenient takes the second
    reading of rules that are UNSURE.
    """

    def __init__(
        self,
        url: FunctionUrl,
        service: Invoker,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        tasks: Tasks,
        *,
        account_id: str = "123456789012",
        access: Access | None = None,
        strict: bool = True,
    ) -> None:
        self.url = url
        self._service = service
        self._clock = clock
        self._chance = chance
        self._recorder = StreamRecorder(recorder)
        self._tasks = tasks
        self._account_id = account_id
        self._access = access
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
        if wants_explanation(request):
            response = explained(response, exchange.id, exchange.why())
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

    def unknown(self) -> Response:
        """The answer to a request for a function URL that is not there (FU-007)."""
        answer = _json_error(403, {"Message": None}, "AccessDeniedException")
        return self._finish(Request("GET", "/"), answer, self._chance.uuid(), self._new_trace())

    async def _run(self, exchange: Exchange, request: Request, trace_id: str) -> Response:
        """The function's answer, or the service's own for it (FU-040: under one request ID)."""
        url = self.url
        try:
            body = await read_at_most(request.body, PAYLOAD_BYTES)
        except BodyTooLarge:
            return _json_error(413, _TOO_LARGE)
        try:
            caller = self._access.enter_url(url, request, body) if self._access else None
        except Refused as refused:
            with exchange.step("access", before=request) as step:
                step.decision = Decision("failed", str(refused))
                step.after = _json_error(403, refused.document, refused.name)
            return step.after
        request = without_local_headers(request)  # A signature may be over them.
        context = UrlContext(
            url.url_id,
            exchange.id,
            trace_id,
            exchange.started,
            self._account_id if url.auth_type == "AWS_IAM" else "",
            _shown(caller),
        )
        payload = encode_event(context, request, body)
        if len(payload) > PAYLOAD_BYTES:
            return _json_error(413, _TOO_LARGE)
        with exchange.step("function", before=request) as step:
            try:
                invoke = partial(
                    self._service.invoke,
                    url.function,
                    payload,
                    qualifier=url.qualifier,
                    trace_id=trace_id,
                    request_id=exchange.id,
                    request=request,
                )
                if url.invoke_mode == "RESPONSE_STREAM":
                    result = await streamed(self._tasks, lambda sink: invoke(sink=sink))
                else:
                    result = await invoke()
            except FunctionNotFound as error:  # FU-008
                step.after = _json_error(403, _FORBIDDEN, "AccessDeniedException")
                step.decision = Decision("failed", str(error))
                return step.after
            if isinstance(result, Streamed):
                self._recorder.wait_for(exchange, result.outcome)
                response = step.after = await self._begin(step, result, request.method)
            else:
                response = step.after = self._answer(step, result)
                if url.invoke_mode == "RESPONSE_STREAM":
                    # Sent in chunks, whatever the function does (FU-084).
                    response = replace(response, body=StreamBody(response.body))
        return response

    async def _begin(self, step: Step, stream: Streamed, method: str) -> Response:
        """The answer of a function that goes on writing it (FU-081 to FU-086)."""
        try:
            response = await streamed_response(stream, method)
        except StreamBroken as broken:
            if broken.result is None:
                raise
            return self._answer(step, broken.result)
        malformed = response if isinstance(response, Malformed) else None
        stream.outcome.add_done_callback(partial(self._note_end, step, malformed))
        return _internal_error() if isinstance(response, Malformed) else response

    def _note_end(
        self,
        step: Step,
        malformed: Malformed | None,
        outcome: "asyncio.Task[InvocationResult | EdgeproxyError]",
    ) -> None:
        """Record how an invocation has ended whose answer had begun."""
        result = None if outcome.cancelled() or outcome.exception() else outcome.result()
        if isinstance(result, Returned):
            self._note(step, result, malformed)
        elif isinstance(result, FunctionError | TimedOut | InitFailed | Throttled):
            self._answer(step, result)

    def _note(self, step: Step, result: Returned, malformed: Malformed | None) -> None:
        """Record an invocation that has succeeded, and what is wrong with its answer."""
        url = self.url
        findings = (Finding(malformed.rule, malformed.why),) if malformed else ()
        step.function = function_run(
            url.function,
            "function-url",
            result,
            findings,
            usable=malformed is None,
            qualifier=url.qualifier,
        )
        if malformed is not None:
            step.decision = Decision("failed", f"{url.function}: {malformed.why}")
        else:
            whole = url.invoke_mode == "RESPONSE_STREAM" and not result.content_type
            step.decision = Decision("answered", "sent whole: it does not stream" if whole else "")

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
                elif result.content_type:
                    decoded = collected_response(result.content_type, result.payload)
                else:
                    decoded = decode_result(result.payload, strict=self._strict)
                self._note(step, result, decoded if isinstance(decoded, Malformed) else None)
                return _internal_error() if isinstance(decoded, Malformed) else decoded
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
        if request.method == "HEAD" and response.body.length is not None:
            headers = headers.with_set("content-length", str(response.body.length or 0))
            return replace(response, headers=headers, body=EMPTY_BODY)
        return replace(response, headers=headers)

    def _new_trace(self) -> str:
        return f"Root=1-{int(self._clock.now()):08x}-{self._chance.hex(24)}"


def _shown(caller: Caller | None) -> UrlCaller | None:
    if caller is None:
        return None
    return UrlCaller(caller.access_key, caller.account, caller.arn, caller.user_id)


def _internal_error() -> Response:
    """What a caller learns of a function's failure (FU-120, FU-121)."""
    return Response(
        502,
        Headers([("content-type", "application/json")]),
        BytesBody(b"Internal Server Error"),
    )


def _json_error(status: int, document: Mapping[str, str | None], error_type: str = "") -> Response:
    lines = [("content-type", "application/json")]
    if error_type:
        lines.append(("x-amzn-errortype", error_type))
    return Response(status, Headers(lines), BytesBody(orjson.dumps(document)))
