"""Calls of the control listener about the experiments that are watched.

What answers them is imported with the first one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from edgeproxy.inspector.calls import Problem, answered

if TYPE_CHECKING:
    from edgeproxy.app.watched_experiments import WatchedExperiments
    from edgeproxy.experiments.model import Experiment

__all__ = ["ExperimentCalls"]


class ExperimentCalls:
    """Look at experiments; ``watched`` gives them."""

    def __init__(self, watched: "Callable[[], WatchedExperiments]") -> None:
        self._watched = watched

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/experiments``."""
        return [
            web.get("/api/experiments", self._all),
            web.get("/api/experiments/{name}", self._one),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        watched = self._watched()
        summaries = await watched.summaries()
        return answered(
            {
                "file": str(watched.file),
                "problem": watched.problem or None,
                "experiments": summaries,
            }
        )

    async def _one(self, request: web.Request) -> web.Response:
        return answered(await self._watched().detail(self._named(request)))

    def _named(self, request: web.Request) -> "Experiment":
        name = request.match_info["name"]
        experiment = self._watched().declared.get(name)
        if experiment is None:
            raise Problem(404, "NoSuchExperiment", f"no experiment is called {name!r}")
        return experiment
