"""Who is told how an asynchronous event ended: a destination, a dead-letter queue, or both.

They are those of the function as it is then. Nobody is told twice: what cannot be delivered is
counted and lost (LI-174, LI-197).
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from edgeproxy.awslambda.attempts import Count, Counting, Functions
from edgeproxy.awslambda.event_store import QueuedEvent, Tell
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.retries import Condition, config_of
from edgeproxy.awslambda.routing import LATEST, FunctionNotFound, find_version, qualified_arn
from edgeproxy.errors import EdgeproxyError

__all__ = ["Delivery", "Telling"]

_Send: TypeAlias = Callable[[], Awaitable[None]]


class Delivery(Protocol):
    """Brings records to their targets; raises :class:`EdgeproxyError`."""

    async def send_record(self, arn: str, event: QueuedEvent, function_arn: str) -> None: ...

    async def send_dead_letter(self, arn: str, event: QueuedEvent) -> None: ...


class Telling:
    """Tells of events that have ended; ``tell`` hears of lost records."""

    def __init__(
        self, functions: Functions, delivery: Delivery, count: Counting, tell: Tell
    ) -> None:
        self._functions = functions
        self._delivery = delivery
        self._count = count
        self._tell = tell

    def is_wanted(self, event: QueuedEvent) -> bool:
        """Whether anybody is to be told."""
        return bool(self._targets(event))

    async def tell_all(self, event: QueuedEvent) -> None:
        for metric, send in self._targets(event):
            try:
                await send()
            except EdgeproxyError as error:
                self._count(Count(metric, event.name, event.qualifier))
                self._tell(f"{metric}: an event of {event.name} is lost: {error}")

    def _targets(self, event: QueuedEvent) -> list[tuple[str, _Send]]:
        """The metric for when somebody cannot be told, and how to tell."""
        definition = self._functions.definition(event.name)
        if definition is None:
            return []
        config = config_of(definition, event.qualifier)
        has_failed = event.condition != Condition.SUCCESS
        found: list[tuple[str, _Send]] = []
        if arn := config.on_failure if has_failed else config.on_success:
            own = qualified_arn(definition.spec.arn, event.qualifier or LATEST)
            send = lambda: self._delivery.send_record(arn, event, own)  # noqa: E731
            found.append(("DestinationDeliveryFailures", send))
        if has_failed and (queue := _dead_letter_arn(definition, event.qualifier)):
            send = lambda: self._delivery.send_dead_letter(queue, event)  # noqa: E731
            found.append(("DeadLetterErrors", send))
        return found


def _dead_letter_arn(definition: FunctionDefinition, qualifier: str) -> str:
    """That of the version behind ``qualifier`` (LI-170)."""
    try:
        version = find_version(definition, qualifier)
    except FunctionNotFound:
        version = LATEST
    return definition.frozen.get(version, definition.spec).dead_letter_arn
