"""Event source mappings, put together: polled while there are some, and nothing loaded before."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeproxy.app.aws_services import service_endpoints
from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Recorder
from edgeproxy.origins.signing import credentials_from
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_sources.pollers import Pollers

__all__ = ["EventSources"]


class EventSources:
    """Polls what the mappings of an account name."""

    def __init__(
        self,
        settings: Settings,
        account: LambdaAccount,
        clock: Clock,
        recorder: Recorder,
        tell: Callable[[str], None],
    ) -> None:
        self.counted: Callable[[str, str, str, float], None] = lambda *value: None
        """Takes a value of one of Lambda's metrics: name, function, qualifier, value."""
        self._settings = settings
        self._functions = account.service
        self._registry = account.event_sources
        self._clock = clock
        self._recorder = recorder
        self._tell = tell
        self._tasks = Tasks()
        self._pollers: Pollers | None = None
        self._is_started = False
        self._registry.changed = self._changed
        self._registry.last_result = self._last_result

    def start(self) -> None:
        """Begin, now that the functions are known; from then on follow every change."""
        self._is_started = True
        self._changed()

    def _changed(self) -> None:
        if not self._is_started:
            return
        if self._pollers is None and self._registry.enabled():
            self._pollers = self._make()
        if self._pollers is not None:
            _ = self._tasks.start(self._exchange(self._pollers), "exchange pollers")

    async def _exchange(self, pollers: "Pollers") -> None:
        await pollers.run(self._registry.enabled())

    def _last_result(self, uuid: str) -> str:
        found = self._pollers.last_result(uuid) if self._pollers is not None else None
        return found or "No records processed"

    def _make(self) -> "Pollers":
        from edgeproxy.awslambda.aws_calls import AwsCalls
        from edgeproxy.awslambda.event_sources.discards import Discards
        from edgeproxy.awslambda.event_sources.model import EventSourceMapping
        from edgeproxy.awslambda.event_sources.pollers import Pollers
        from edgeproxy.awslambda.event_sources.polling import Polling
        from edgeproxy.awslambda.event_sources.positions import Positions

        settings, clock = self._settings, self._clock
        # Its IDs must not shift what a seed gives to viewers' requests.
        chance = Chance(settings.seed)
        endpoints = service_endpoints(settings, os.environ)
        calls = AwsCalls(endpoints, credentials_from(os.environ), clock)
        discards = Discards(calls, settings.state_dir / "destinations", clock, chance)

        def polling(mapping: EventSourceMapping) -> Polling:
            return Polling(
                mapping,
                self._functions,
                clock,
                chance,
                self._recorder,
                self._tell,
                lambda *value: self.counted(*value),
                discards.send,
            )

        positions = Positions(settings.state_dir / "stream-positions.json", self._tell)
        return Pollers(calls, polling, positions, self._tell)

    async def close(self) -> None:
        """Stop polling. Batches that run are broken off, and their records come again."""
        await self._tasks.close()
        if self._pollers is not None:
            await self._pollers.close()
