"""The control listener's application: the inspector's page, and the JSON API behind it.

Each topic has a module with its calls; :mod:`edgeproxy.inspector.protection` stands before all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

from edgeproxy.inspector.caches import CacheCalls
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.inspector.copies import CopyCalls
from edgeproxy.inspector.deployments import DeploymentCalls
from edgeproxy.inspector.distributions import DistributionCalls
from edgeproxy.inspector.edges import EdgeCalls
from edgeproxy.inspector.exchanges import ExchangeCalls
from edgeproxy.inspector.functions import FunctionCalls
from edgeproxy.inspector.measures import MeasureCalls
from edgeproxy.inspector.page import Page
from edgeproxy.inspector.protection import guard, harden
from edgeproxy.observe.history import History
from edgeproxy.observe.hit_counts import HitCounts
from edgeproxy.observe.metrics import Metrics

__all__ = ["Observed", "control_application"]


@dataclass(frozen=True, slots=True)
class Observed:
    """The readers of exchanges that the API shows."""

    history: History
    metrics: Metrics
    hits: HitCounts


def control_application(
    controlled: Controlled, observed: Observed, names: Iterable[str] = ()
) -> web.Application:
    """An aiohttp application with the page and every route of the API.

    It answers to ``names`` as well as to loopback names and addresses.
    """
    application = web.Application(middlewares=[guard(names)])
    application.on_response_prepare.append(harden)
    for calls in (
        EdgeCalls(controlled),
        ExchangeCalls(controlled, observed.history),
        CopyCalls(controlled, observed.history),
        CacheCalls(controlled, observed.hits),
        DistributionCalls(controlled),
        FunctionCalls(controlled),
        DeploymentCalls(controlled),
        MeasureCalls(controlled, observed.metrics),
        Page(resources.files("edgeproxy.inspector") / "static"),
    ):
        application.router.add_routes(calls.routes())
    return application
