"""Invoke and InvokeAsync: a function is run, or its event is taken to be run later."""

import base64
import json
from collections.abc import Sequence
from typing import Final, assert_never

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.lineage import MOST_PASSES, passed
from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    LambdaError,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call
from edgeproxy.entrypoints.lambda_api.constraints import one_of
from edgeproxy.entrypoints.lambda_api.names import Named, parse_name
from edgeproxy.exchange.model import Decision, Exchange, Step
from edgeproxy.http.body import BodyTooLarge, BytesBody
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    LogRecord,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = [
    "InvokeOperations",
    "client_context",
    "log_tail",
    "modes",
    "read_event",
    "throttled",
]

_TYPES: Final = ("Event", "RequestResponse", "DryRun")
_LOG_TYPES: Final = ("None", "Tail")
_LARGEST: Final = {"Event": 1_048_576, "RequestResponse": 6_291_456, "DryRun": 6_291_456}
_PENDING: Final = (
    "The operation cannot be performed at this time. The function is currently in the following "
    "state: Pending"
)
"""Functions are active at once here: only a fault that is asked for says so (LI-083)."""
_LARGEST_CONTEXT: Final = 3583
_LOG_BYTES: Final = 4096
_TRACEBACK: Final = "\rTraceback (most recent call last):"


class InvokeOperations:
    """The operations that run functions of an account."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def invoke(self, call: Call, exchange: Exchange) -> Answer:
        """LI-020 to LI-046."""
        headers = call.request.headers
        kind, log = modes(call, _TYPES)
        named = self.find(call)
        exchange.name = named.name
        payload = await read_event(call, kind)
        context = client_context(headers.get("X-Amz-Client-Context"))
        trace_id = self.trace_id(call)
        sent = {"X-Amzn-Trace-Id": trace_id}
        if kind == "DryRun":
            return Answer(204, headers=sent)
        if kind == "Event":
            await self._account.submit(
                named.name,
                payload,
                qualifier=named.qualifier,
                trace_id=trace_id,
                request_id=call.request_id,
            )
            return Answer(202, headers=sent)
        with exchange.step("function", before=call.request) as step:
            result = await self._account.service.invoke(
                named.name,
                payload,
                qualifier=named.qualifier,
                trace_id=self.passed(named, trace_id),
                client_context=context,
                tenant_id=headers.get("X-Amz-Tenant-Id"),
                request_id=call.request_id,
                request=call.request,
            )
            self.note(step, named, result)
        return _answer(result, {**sent, **_executed_headers(result, with_log=log == "Tail")})

    async def invoke_async(self, call: Call, exchange: Exchange) -> Answer:
        """The deprecated operation: always later, never traced (LI-047)."""
        named = self.find(call)
        exchange.name = named.name
        payload = await read_event(call, "Event")
        await self._account.submit(named.name, payload, request_id=call.request_id)
        return json_answer({"Status": 202}, 202)

    def find(self, call: Call) -> Named:
        """The function that a call is for, which is there and may run (LI-001 to LI-007)."""
        account = self._account
        named = parse_name(
            call.path["FunctionName"],
            call.query("Qualifier"),
            account.region,
            account.id,
            invoked=True,
        )
        function = account.functions.get(named.name)
        if function is None or function.version(named.qualifier) is None:
            arn = account.function_arn(named.name)
            raise not_found(f"Function not found: {arn}:{named.qualifier or LATEST}")
        if fault := account.faults.get(named.name):
            told = f"edgeproxy was told to let this happen to {named.name}"
            raise LambdaError(fault, _PENDING if fault == "ResourceConflictException" else told)
        return named

    def trace_id(self, call: Call) -> str:
        """The caller's trace header, or one of its own (LI-045)."""
        chance, now = self._account.chance, int(self._account.clock.now())
        given = call.request.headers.get("X-Amzn-Trace-Id")
        return given or f"Root=1-{now:08x}-{chance.hex(24)}"

    def passed(self, named: Named, trace_id: str) -> str:
        """The trace header for the function, which must not be in a loop (LI-230, LI-231)."""
        definition = self._account.service.definition(named.name)
        if definition is None:
            return trace_id  # it is not in service yet
        trace_id, passes = passed(trace_id, definition.spec.arn)
        if passes > MOST_PASSES and not definition.allows_recursion:
            self._account.recursion_dropped(named.name, named.qualifier)
            raise LambdaError(
                "RecursiveInvocationException",
                f"{named.name} is in a loop: one chain of requests has come to it "
                f"{MOST_PASSES} times. Its RecursiveLoop setting can allow that.",
            )
        return trace_id

    def note(self, step: Step, named: Named, result: InvocationResult) -> None:
        """Put the run of a function on record."""
        step.function = function_run(named.name, "invoke", result, qualifier=named.qualifier)
        match result:
            case Returned():
                step.decision = Decision("answered", "")
            case FunctionError() | TimedOut() | InitFailed():
                step.decision = Decision("failed", why_failed(named.name, result))
            case Throttled():
                step.decision = Decision("throttled", f"{named.name}: {result.reason}")
            case _:
                assert_never(result)


def modes(call: Call, types: tuple[str, ...]) -> tuple[str, str]:
    """How to invoke, one of ``types``, and which log to answer with (LI-020, LI-005)."""
    headers = call.request.headers
    kind = headers.get("X-Amz-Invocation-Type") or "RequestResponse"
    log = headers.get("X-Amz-Log-Type") or "None"
    wrong = [*one_of(kind, "invocationType", types), *one_of(log, "logType", _LOG_TYPES)]
    if wrong:
        raise validation_error(*wrong)
    return kind, log


async def read_event(call: Call, kind: str) -> bytes:
    """The event in the body (LI-021, LI-022, LI-024)."""
    most = _LARGEST[kind]
    try:
        payload = await call.body(most)
    except BodyTooLarge as error:
        size = call.request.body.length or call.request.body.passed
        # UNSURE under which of two names (LI-024): typed clients know this one.
        raise LambdaError(
            "RequestTooLargeException",
            f"{size} byte payload is too large for the {kind} invocation type (limit {most} bytes)",
        ) from error
    if not payload:
        return b"{}"
    try:
        _check_json(payload)
    except (ValueError, RecursionError) as error:
        raise LambdaError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
        ) from error
    return payload


def _check_json(payload: bytes) -> None:
    """Raises ``ValueError`` for what is no JSON in UTF-8, ``RecursionError`` for too deep a one."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        # It also refuses numbers of any size and escaped halves of surrogate pairs: JSON (LI-022).
        json.loads(payload.decode(), parse_int=len, parse_float=len, parse_constant=_no_json)


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def client_context(text: str) -> str:
    if not text:
        return ""
    try:
        if len(text) > _LARGEST_CONTEXT:
            raise ValueError
        context = base64.b64decode(text, validate=True)
        orjson.loads(context)
        return context.decode()
    except ValueError as error:
        raise LambdaError(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object of at most "
            f"{_LARGEST_CONTEXT} bytes.",
        ) from error


def _executed_headers(result: InvocationResult, *, with_log: bool) -> dict[str, str]:
    """Headers that tell which version ran, whether it failed, and what it wrote."""
    if isinstance(result, Throttled):
        return {}
    headers = {"X-Amz-Executed-Version": result.version or LATEST}
    if not isinstance(result, Returned):
        headers["X-Amz-Function-Error"] = "Unhandled"
    if with_log:
        headers["X-Amz-Log-Result"] = log_tail(result.log)
    return headers


def log_tail(log: Sequence[LogRecord]) -> str:
    """The last 4 KB of an invocation's log, in base64 (LI-042)."""
    text = "".join(f"{_in_lines(line.message)}\n" for line in log)
    return base64.b64encode(text.encode()[-_LOG_BYTES:]).decode()


def _in_lines(message: str) -> str:
    """A runtime's own record of an error as AWS shows it: in lines (LR-261)."""
    return message.replace("\r", "\n") if _TRACEBACK in message else message


def _answer(result: InvocationResult, headers: dict[str, str]) -> Answer:
    headers = {"Content-Type": "application/json", **headers}
    match result:
        case Returned():
            return Answer(200, BytesBody(result.payload), headers)
        case FunctionError() | InitFailed():
            return Answer(200, BytesBody(result.body or orjson.dumps(result.document)), headers)
        case TimedOut():
            return Answer(200, BytesBody(orjson.dumps(result.document)), headers)
        case Throttled():
            raise throttled(result)
        case _:
            assert_never(result)


def throttled(result: Throttled) -> LambdaError:
    """LI-124."""
    error = LambdaError("TooManyRequestsException", "Rate Exceeded.", Reason=result.reason)
    if result.retry_after_s is not None:
        error.headers["Retry-After"] = str(result.retry_after_s)
    return error
