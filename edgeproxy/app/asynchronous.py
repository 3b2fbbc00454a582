"""Asynchronous invocation, put together: the queue, and where its records go.

Most programs never have an event: the queue is made for the first one, or at the start for those
that an earlier process has left.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edgeproxy.app.aws_services import service_endpoints
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Recorder
from edgeproxy.origins.signing import credentials_from
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.awslambda.attempts import Count
    from edgeproxy.awslambda.event_store import QueuedEvent, Tell
    from edgeproxy.awslambda.queue import EventQueue

__all__ = ["AsynchronousInvocation"]

_FILE: Final = "events.sqlite3"


class AsynchronousInvocation:
    """The queue of the functions of ``lambdas``.

    Raises :class:`edgeproxy.errors.UsageError` for an endpoint that cannot be one.
    """

    def __init__(
        self,
        settings: Settings,
        lambdas: LambdaService,
        clock: Clock,
        recorder: Recorder,
        tell: "Tell",
    ) -> None:
        self._settings = settings
        self._lambdas = lambdas
        self._clock = clock
        self._recorder = recorder
        self._tell = tell
        self._endpoints = service_endpoints(settings, os.environ)
        self._made: EventQueue | None = None
        self.counted: Callable[[Count], None] = lambda count: None
        """Told of what the metrics of asynchronous invocation count."""

    @property
    def _queue(self) -> "EventQueue":
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> "EventQueue":
        from edgeproxy.awslambda.aws_calls import AwsCalls
        from edgeproxy.awslambda.destinations import EventDestinations
        from edgeproxy.awslambda.queue import EventQueue

        settings, lambdas, clock = self._settings, self._lambdas, self._clock
        # Its IDs must not shift what a seed gives to viewers' requests.
        chance = Chance(settings.seed)
        destinations = EventDestinations(
            AwsCalls(self._endpoints, credentials_from(os.environ), clock),
            settings.state_dir / "destinations",
            lambda name: lambdas.definition(name) is not None,
            clock,
            chance,
        )
        file = settings.state_dir / _FILE
        queue = EventQueue(
            lambdas,
            destinations,
            clock,
            chance,
            self._recorder,
            file,
            self._tell,
            lambda count: self.counted(count),
        )
        destinations.submit = queue.submit
        return queue

    async def submit(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> None:
        """As of :class:`edgeproxy.awslambda.queue.EventQueue`."""
        await self._queue.submit(
            name, payload, qualifier=qualifier, trace_id=trace_id, request_id=request_id
        )

    def note_recursion(self, name: str, qualifier: str) -> None:
        """Count an invocation that was dropped to end a loop (LI-231)."""
        from edgeproxy.awslambda.attempts import Count

        self.counted(Count("RecursiveInvocationsDropped", name, qualifier))

    @property
    def is_waiting(self) -> bool:
        """Whether there are events and none of them runs: all wait for their time."""
        return self._made is not None and self._made.is_waiting

    async def oldest(self, limit: int) -> "tuple[int, list[QueuedEvent]]":
        """How many events have not ended, and the oldest of them, without their payloads."""
        return await self._made.oldest(limit) if self._made is not None else (0, [])

    async def resume(self) -> None:
        """Go on with what an earlier process has left; it is told if that cannot be had."""
        if self._made is not None or (self._settings.state_dir / _FILE).exists():
            await self._queue.resume()

    async def close(self) -> None:
        """Stop. What runs is interrupted, and due again at the next start."""
        if self._made is not None:
            await self._made.close()
