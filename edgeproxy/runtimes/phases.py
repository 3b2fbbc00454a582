"""What an execution environment is at: a start of its process, an invocation, or both."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson

from edgeproxy.runtimes.deadline import Deadline
from edgeproxy.runtimes.documents import Document, too_large
from edgeproxy.runtimes.framing import Kind
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    Invocation,
    InvocationResult,
    Returned,
)
from edgeproxy.runtimes.platform_events import Status
from edgeproxy.runtimes.streaming import ResponseStream

__all__ = ["Answer", "Run", "Start", "answer_of", "init_limit_s", "parse_document"]

_ON_DEMAND_INIT_S: Final = 10.0
_PROVISIONED_INIT_S: Final = 130.0
_LONGEST_INIT_S: Final = 900.0


def init_limit_s(spec: FunctionSpec) -> float:
    """How long the init phase may take: longer where nobody waits for it (LR-182, LR-183)."""
    if not spec.provisioned:
        return _ON_DEMAND_INIT_S
    return min(max(_PROVISIONED_INIT_S, spec.timeout_s), _LONGEST_INIT_S)


@dataclass(slots=True)
class Start:
    """A start of the process: in the init phase, or within an invocation (LR-182)."""

    started: float
    phase: str
    done: "asyncio.Future[InitFailed | None] | None" = None
    deadline: Deadline | None = None


@dataclass(slots=True)
class Answer:
    """How an invocation ends. ``handled``: the runtime itself reported the error."""

    ending: Callable[..., InvocationResult]
    status: Status = Status.SUCCESS
    error_type: str = ""
    handled: bool = False


@dataclass(slots=True)
class Run:
    """The invocation at hand."""

    invocation: Invocation
    then: Callable[[InvocationResult], None]
    """Is told how it has ended."""
    started: float
    timeout_s: float
    deadline_ms: int
    deadline: Deadline
    told: bool = False
    answer: Answer | None = None
    """What the runtime has answered, while it or an extension goes on working (LR-216)."""
    answered: float | None = None
    """When that was, if it was an answer."""
    stream: ResponseStream | None = None
    """The response of a runtime of ours that makes it in pieces."""


def answer_of(kind: Kind, body: bytes, error_type: str = "", content_type: str = "") -> Answer:
    """The end of an invocation that a runtime has answered with ``kind``.

    ``error_type`` is the platform's name for an error, by default the one in the document;
    ``content_type`` is that of a streamed response.
    """
    if kind is Kind.RESULT:
        return Answer(partial(Returned, payload=body, content_type=content_type))
    if kind is Kind.TOO_LARGE:
        document, body = too_large(), b""  # a worker tells the size, which is not for callers
    else:
        document = parse_document(body)
    ending = partial(FunctionError, document=document, body=body)
    if kind is Kind.FATAL:
        return Answer(ending, Status.ERROR, "Runtime.ExitError")
    error_type = error_type or str(document.get("errorType", ""))
    return Answer(ending, Status.ERROR, error_type, handled=True)


def parse_document(body: bytes) -> Document:
    """An error document as far as it can be read: custom runtimes may write anything (LR-204)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
