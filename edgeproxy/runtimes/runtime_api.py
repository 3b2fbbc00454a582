"""The Runtime API, version 2018-06-01: how a custom runtime gets events and gives answers.

A runtime asks for the next event, answers it, and asks again. What it may call follows from where
it is in that round (:class:`State`, with AWS's names); anything else is refused with the two
states by name (LR-208). The answer goes to the owner at once; that the runtime has asked for the
next event, which ends the invocation (LR-216), is told separately.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

import orjson

from edgeproxy.runtimes.api_call import Call, error_body
from edgeproxy.runtimes.documents import Document
from edgeproxy.runtimes.framing import LARGEST_RESULT, Kind
from edgeproxy.runtimes.invocation import Invocation
from edgeproxy.runtimes.streaming import ResponseStream

__all__ = ["RUNTIME_API", "RuntimeApi", "RuntimeApiOwner", "State"]

RUNTIME_API: Final = "/2018-06-01/runtime/"

_OK: Final = b'{"status":"OK"}\n'
_TOO_LARGE: Final = error_body(
    f"Exceeded maximum allowed payload size ({LARGEST_RESULT} bytes).", "RequestEntityTooLarge"
)
_INVOCATION: Final = re.compile(r"invocation/([^/]+)/(response|error)")
_ERROR_TYPE: Final = "lambda-runtime-function-error-type"
_ERROR_BODY: Final = "lambda-runtime-function-error-body"
_MODE: Final = "lambda-runtime-function-response-mode"
_WITH_CAUSE: Final = "application/vnd.aws.lambda.error.cause+json"
_ACCEPTED_TYPE: Final = re.compile(r"(?:Runtime|Function)\.[A-Z][a-zA-Z]+")


class State(StrEnum):
    """Where a runtime is (LR-208)."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE = "InvocationResponse"
    ERROR = "InvocationErrorResponse"
    SENT = "RuntimeResponseSentState"


class RuntimeApiOwner(Protocol):
    """Who is told what a runtime does."""

    def init_error(self, body: bytes, error_type: str) -> None:
        """It could not start."""

    def answered(self, kind: Kind, body: bytes, error_type: str = "") -> None:
        """It has answered the invocation; ``error_type`` is the platform's name for an error."""

    def streamed(self, stream: ResponseStream) -> None:
        """It has answered with ``stream``, which is complete."""

    def broke_off(self, error_type: str, message: str) -> None:
        """Its answer cannot be used; ``error_type`` is the platform's name for it."""

    def moved(self) -> None:
        """It asks for the next event."""


class RuntimeApi:
    """The side of one runtime process; :meth:`restart` is for the next process."""

    def __init__(self, owner: RuntimeApiOwner) -> None:
        self._owner = owner
        self._waiting: Call | None = None
        self._invocation: Invocation | None = None
        self._answering: Call | None = None
        self._next_answer: tuple[bytes, list[tuple[str, str]]] | None = None
        self.state = State.STARTED

    @property
    def idle(self) -> bool:
        """Whether it has asked for an event and has got none yet."""
        return self.state is State.READY and self._next_answer is None

    def restart(self) -> None:
        """Another process begins."""
        self._waiting = self._invocation = self._answering = self._next_answer = None
        self.state = State.STARTED

    def hand_over(self, invocation: Invocation, deadline_ms: int, arn: str) -> None:
        """Give a runtime that is idle its next event."""
        self._invocation = invocation
        fields = {
            "Content-Type": invocation.content_type,
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Invocation-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            "Lambda-Runtime-Client-Context": invocation.client_context,
            "Lambda-Runtime-Cognito-Identity": invocation.cognito_identity,
            "Lambda-Runtime-Aws-Tenant-Id": invocation.tenant_id,
        }
        headers = [(name, _one_line(value)) for name, value in fields.items() if value]
        self._next_answer = (invocation.payload, headers)
        self._deliver()

    def _deliver(self) -> None:
        """Answer the runtime that waits; one that has closed its connection may ask again."""
        if self._waiting is not None and self._next_answer is not None:
            call, self._waiting = self._waiting, None
            (payload, headers), self._next_answer = self._next_answer, None
            self.state = State.RUNNING
            call.answer(200, payload, headers)

    def called(self, call: Call) -> None:
        """Take a request; its path begins with :data:`RUNTIME_API`."""
        path = call.path.removeprefix(RUNTIME_API)
        posted = call.method == "POST"
        if path == "invocation/next" and call.method == "GET":
            call.on_end = lambda trailers: self._next(call)
        elif path == "init/error" and posted:
            call.collect(lambda body: self._init_error(call, body), LARGEST_RESULT)
        elif posted and (match := _INVOCATION.fullmatch(path)):
            self._answer(call, *match.groups())
        else:
            call.collect(lambda _: call.answer(404, b"404 page not found\n"), 0)

    def _next(self, call: Call) -> None:
        if self.state not in (State.STARTED, State.SENT) and (
            self.state is not State.READY or self._waiting is not None
        ):
            self._refuse(call, State.READY)
            return
        self.state = State.READY
        self._waiting = call
        call.on_cut = lambda: self._gave_up(call)
        self._deliver()
        self._owner.moved()

    def _gave_up(self, call: Call) -> None:
        if self._waiting is call:
            self._waiting = None

    def _init_error(self, call: Call, body: bytes | None) -> None:
        if self.state is not State.STARTED:
            self._refuse(call, State.INIT_ERROR)
            return
        self.state = State.INIT_ERROR
        call.answer(202, _OK)
        self._owner.init_error(_error_of(call, body or b""), _error_type(call.headers))

    def _answer(self, call: Call, request_id: str, what: str) -> None:
        wanted = State.RESPONSE if what == "response" else State.ERROR
        mode = call.headers.get(_MODE, "")
        if self._invocation is None or request_id != self._invocation.request_id:
            body = error_body("Invalid request ID", "InvalidRequestID")
            call.collect(lambda _: call.answer(400, body), 0)
        elif self.state is not State.RUNNING:
            call.collect(lambda _: self._refuse(call, wanted), 0)
        elif mode not in ("", "streaming"):
            self.state = wanted
            call.collect(lambda _: self._unknown_mode(call, mode), 0)
        else:
            self.state = wanted
            self._answering = call
            call.on_cut = lambda: self._truncated(call)
            if wanted is State.ERROR:
                call.collect(lambda body: self._error(call, body), LARGEST_RESULT)
            elif mode:
                kind = call.headers.get("content-type", "application/octet-stream")
                stream = ResponseStream(self._invocation.sink, kind, call)
                call.on_data = stream.data
                call.on_end = lambda trailers: self._stream_ended(call, stream, trailers)
            else:
                call.collect(lambda body: self._response(call, body), LARGEST_RESULT)

    def _response(self, call: Call, body: bytes | None) -> None:
        if body is None:
            self._sent(call, Kind.TOO_LARGE, b"")
        else:
            self._sent(call, Kind.RESULT, body)

    def _error(self, call: Call, body: bytes | None) -> None:
        document = _error_of(call, body or b"")
        self._sent(call, Kind.ERROR, document, _error_type(call.headers))

    def _sent(self, call: Call, kind: Kind, body: bytes, error_type: str = "") -> None:
        if self._settled(call, fits=kind is not Kind.TOO_LARGE):
            self._owner.answered(kind, body, error_type)

    def _settled(self, call: Call, *, fits: bool) -> bool:
        """Whether that call has answered the invocation; it is told so."""
        if self._answering is not call:
            return False  # the process it came from has been ended
        self._answering = None
        self.state = State.SENT
        if fits:
            call.answer(202, _OK)
        else:
            call.answer(413, _TOO_LARGE)
        return True

    def _stream_ended(
        self, call: Call, stream: ResponseStream, trailers: Mapping[str, str]
    ) -> None:
        """A streamed response is complete, or has failed as its trailers tell (LR-211)."""
        if _ERROR_TYPE in trailers:
            document = _decoded(trailers.get(_ERROR_BODY, ""))
            self._sent(call, Kind.ERROR, document, _error_type(trailers))
        elif self._settled(call, fits=stream.fits):
            self._owner.streamed(stream)

    def _unknown_mode(self, call: Call, mode: str) -> None:
        self.state = State.SENT
        message = f"Invalid function response mode: {mode}"
        call.answer(400, error_body(message, "InvalidFunctionResponseMode"))
        self._owner.broke_off("Runtime.InvalidResponseModeHeader", message)

    def _truncated(self, call: Call) -> None:
        if self._answering is not call:
            return
        self._answering = None
        self.state = State.SENT
        self._owner.broke_off("Runtime.TruncatedResponse", "The response was cut off")

    def _refuse(self, call: Call, wanted: State) -> None:
        message = (
            f"State transition from {self.state} to {wanted} failed for runtime. "
            "Error: State transition is not allowed"
        )
        call.answer(403, error_body(message, "InvalidStateTransition"))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()


def _one_line(text: str) -> str:
    """JSON text may have line ends between its tokens; a header may not."""
    return text.replace("\n", " ").replace("\r", " ")


def _error_type(headers: Mapping[str, str]) -> str:
    """The platform's name for an error that a runtime reports (LR-093)."""
    name = headers.get(_ERROR_TYPE, "")
    if _ACCEPTED_TYPE.fullmatch(name):
        return name
    return "Function.Unknown" if name.startswith("Function.") else "Runtime.Unknown"


def _error_of(call: Call, body: bytes) -> bytes:
    """The error as callers get it: without the cause that is for X-Ray only (LR-205)."""
    if call.headers.get("content-type") != _WITH_CAUSE:
        return body
    try:
        document: Document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(document, dict):
        return body
    shown = ("errorMessage", "errorType", "stackTrace")
    return orjson.dumps({name: document[name] for name in shown if name in document})
