"""Asynchronous invocation, put together: the queue, and where its records go."""

import os

from edgeproxy.app.aws_services import service_endpoints
from edgeproxy.awslambda.aws_calls import AwsCalls
from edgeproxy.awslambda.destinations import EventDestinations
from edgeproxy.awslambda.queue import EventQueue, Tell
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Recorder
from edgeproxy.origins.signing import credentials_from
from edgeproxy.settings import Settings

__all__ = ["event_queue"]


def event_queue(
    settings: Settings, lambdas: LambdaService, clock: Clock, recorder: Recorder, tell: Tell
) -> EventQueue:
    """The queue of the functions of ``lambdas``.

    Raises :class:`edgeproxy.errors.UsageError` for an endpoint that cannot be one.
    """
    # Its IDs must not shift what a seed gives to viewers' requests.
    chance = Chance(settings.seed)
    destinations = EventDestinations(
        AwsCalls(service_endpoints(settings, os.environ), credentials_from(os.environ), clock),
        settings.state_dir / "destinations",
        lambda name: lambdas.definition(name) is not None,
        clock,
        chance,
    )
    queue = EventQueue(lambdas, destinations, clock, chance, recorder, settings.state_dir, tell)
    destinations.submit = queue.submit
    return queue
