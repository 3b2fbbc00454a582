"""Tumbling windows: a function that adds up a stream gets back what it returned before.

A record belongs to the window in which it arrived. Each batch comes with the state that the batch
before has returned, the end of a window is one more invocation without records, and only then are
the window's records dealt with.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from edgeproxy.awslambda.event_sources.records import Document, Record
from edgeproxy.runtimes.invocation import InvocationResult, Returned

__all__ = ["LARGEST_STATE", "Window", "window_of"]

LARGEST_STATE: Final = 1024 * 1024
"""Bytes; a larger one ends the window early."""
_LATE_S: Final = 2.0
"""How long its last records may be on their way: shards are asked each second."""


@dataclass(slots=True)
class Window:
    """One window of a lane: from ``start_s`` on the stream's clock, ``length_s`` long."""

    start_s: int
    length_s: int
    state: Any = field(default_factory=dict)
    dealt_with: list[str] = field(default_factory=list)
    """The records that the state stands for."""
    is_too_large: bool = False

    @property
    def over_s(self) -> float:
        """When no more records are waited for."""
        return self.start_s + self.length_s + _LATE_S

    def has(self, record: Record) -> bool:
        return self.start_s <= record.arrived_s < self.start_s + self.length_s

    def members(self, shard: str, stream_arn: str, *, is_final: bool) -> Document:
        """What the event of a batch has beside its records."""
        return {
            "window": {"start": _time(self.start_s), "end": _time(self.start_s + self.length_s)},
            "state": self.state,
            "shardId": shard,
            "eventSourceARN": stream_arn,
            "isFinalInvokeForWindow": is_final,
            "isWindowTerminatedEarly": self.is_too_large,
        }

    def take(self, result: InvocationResult) -> bool:
        """Keep the state that a function has returned; False when it has returned none."""
        try:
            answer = orjson.loads(result.payload) if isinstance(result, Returned) else None
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or "state" not in answer:
            return False
        self.state = answer["state"]
        self.is_too_large = len(orjson.dumps(self.state)) > LARGEST_STATE
        return True


def window_of(record: Record, length_s: int) -> Window:
    """A fresh one of the window in which a record has arrived."""
    return Window(int(record.arrived_s // length_s) * length_s, length_s)


def _time(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
