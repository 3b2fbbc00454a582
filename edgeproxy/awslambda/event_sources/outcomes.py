"""What became of a batch, and what that says of each of its items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import orjson

from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["Failed", "NotRun", "Outcome", "Succeeded", "outcome"]


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every item was dealt with."""


@dataclass(frozen=True, slots=True)
class Failed:
    """``items`` failed: some, or all of them when the function failed as a whole."""

    items: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotRun:
    """The function did not get the batch: it was throttled."""


Outcome: TypeAlias = Succeeded | Failed | NotRun


def outcome(result: InvocationResult, items: Sequence[str], *, partial: bool) -> Outcome:
    """``items`` identify those of the batch; ``partial`` says that the function reports on them."""
    match result:
        case Returned():
            return _reported(result.payload, frozenset(items)) if partial else Succeeded()
        case FunctionError() | TimedOut() | InitFailed():
            return Failed(frozenset(items))
        case Throttled():
            return NotRun()
        case _:
            assert_never(result)


def _reported(payload: bytes, items: frozenset[str]) -> Outcome:
    """Nothing reported is a success; a report that cannot be understood fails the whole batch."""
    try:
        answer = orjson.loads(payload or b"null")
    except orjson.JSONDecodeError:
        return Failed(items)
    if not answer:  # null, or an empty answer
        return Succeeded()
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else ()
    if not failures and failures != ():
        return Succeeded()
    if not isinstance(failures, list):
        return Failed(items)
    named = [each.get("itemIdentifier") if isinstance(each, dict) else None for each in failures]
    known = frozenset(name for name in named if isinstance(name, str) and name in items)
    return Failed(known if known and len(known) == len(set(named)) else items)
