"""Calls of the control listener about the experiments that are watched.

What answers them is imported with the first one.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from edgeproxy.inspector.calls import Problem, answered, object_of
from edgeproxy.inspector.personas import Personas

if TYPE_CHECKING:
    from edgeproxy.app.variant_comparison import VariantComparison
    from edgeproxy.app.watched_experiments import WatchedExperiments
    from edgeproxy.experiments.model import Experiment

__all__ = ["ExperimentCalls"]


class ExperimentCalls:
    """Look at experiments, which ``watched`` gives, and compare their sides."""

    def __init__(self, watched: "Callable[[], WatchedExperiments]", personas: Personas) -> None:
        self._watched = watched
        self._personas = personas

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/experiments``, and the pictures that they speak of."""
        return [
            web.get("/api/experiments", self._all),
            web.get("/api/experiments/{name}", self._one),
            web.post("/api/experiments/{name}/compare", self._compare),
            web.get("/api/screenshots/{number}", self._screenshot),
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

    async def _compare(self, request: web.Request) -> web.Response:
        experiment, document = self._named(request), await object_of(request)
        url, has_screenshots = document.get("url"), document.get("screenshots", False)
        if not isinstance(url, str) or not re.fullmatch("/[!-~]*", url) or "#" in url:
            raise Problem.argument("url must be a path such as /shop?page=2")
        if not isinstance(has_screenshots, bool):
            raise Problem.argument("screenshots must be true or false")
        compared = self._comparison.compared(experiment, url, has_screenshots=has_screenshots)
        return answered(await compared)

    async def _screenshot(self, request: web.Request) -> web.Response:
        picture = self._comparison.screenshots.get(request.match_info["number"])
        if picture is None:
            raise Problem(404, "NoSuchScreenshot", "that screenshot is not kept")
        return web.Response(body=picture, content_type="image/png")

    @cached_property
    def _comparison(self) -> "VariantComparison":
        from edgeproxy.app.variant_comparison import VariantComparison

        return VariantComparison(self._watched(), self._personas)

    def _named(self, request: web.Request) -> "Experiment":
        name = request.match_info["name"]
        experiment = self._watched().declared.get(name)
        if experiment is None:
            raise Problem(404, "NoSuchExperiment", f"no experiment is called {name!r}")
        return experiment
