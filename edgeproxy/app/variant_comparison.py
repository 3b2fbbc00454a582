"""A URL as a viewer of each side of an experiment gets it, side by side."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from edgeproxy.app.watched_experiments import WatchedExperiments
from edgeproxy.errors import UsageError
from edgeproxy.exchange.text import carried
from edgeproxy.experiments.forcing import viewer_names
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.recognition import Answer, variant_in
from edgeproxy.experiments.screenshots import Screenshots, browser
from edgeproxy.experiments.side_by_side import Got, differences, fetched
from edgeproxy.inspector.personas import Persona, Personas

__all__ = ["VariantComparison"]


class VariantComparison:
    """Asks as the viewers who are put on the sides; those that are not there come for this only."""

    def __init__(self, watched: WatchedExperiments, personas: Personas) -> None:
        self.screenshots = Screenshots()
        self._watched = watched
        self._personas = personas
        self._turns = asyncio.Lock()

    async def compared(
        self, experiment: Experiment, path: str, *, has_screenshots: bool
    ) -> dict[str, Any]:
        """The answers and what differs, as JSON. Raises ``UsageError``."""
        _, door = self._watched.door(experiment)
        async with self._turns:
            answers = []
            for variant, name in viewer_names(experiment).items():
                with self._viewer(experiment, variant, name) as viewer:
                    host = urlsplit(viewer.url(door)).netloc
                    answers.append(await fetched(variant, door + path, host))
            pictures: dict[str, str] = {}
            problem = None
            if has_screenshots:
                try:
                    pictures = await self._pictures(experiment, door, path)
                except UsageError as error:
                    problem = str(error)
        return {
            "url": path,
            "answers": [
                {
                    **_answer(each, pictures.get(each.variant)),
                    "shows": carried(_shows(experiment, each)),
                }
                for each in answers
            ],
            "can_take_screenshots": browser() is not None,
            "screenshots_problem": problem,
            **await differences(answers),
        }

    async def _pictures(self, experiment: Experiment, door: str, path: str) -> dict[str, str]:
        taken = {}
        for variant, name in viewer_names(experiment).items():
            with self._viewer(experiment, variant, name) as viewer:
                address = urlsplit(door).hostname or ""
                taken[variant] = await self.screenshots.take(viewer.url(door) + path, address)
        return taken

    @contextmanager
    def _viewer(self, experiment: Experiment, variant: str, name: str) -> Iterator[Persona]:
        """The viewer of that side for as long as the block takes, or for longer if it is there."""
        there = self._personas.get(name)
        if there is not None:
            side = there.side
            if side is None or (side.experiment, side.variant) != (experiment.name, variant):
                raise UsageError(f"there is another viewer called {name}", remedy="remove it")
            yield there
            return
        side_of = {"experiment": experiment.name, "variant": variant}
        made = self._personas.put({"name": name, "variant": side_of})
        try:
            yield made
        finally:
            if self._personas.get(name) is made:  # Nobody has made it theirs meanwhile.
                _ = self._personas.remove(name)


def _shows(experiment: Experiment, got: Got) -> str | None:
    """The side whose answer it is, where the answer itself tells."""
    mark = experiment.exposure or experiment.assignment
    if mark.kind not in (MarkKind.BODY, MarkKind.RESPONSE_HEADER):
        return None
    body = got.body.decode("utf-8", "replace")
    return variant_in(mark, Answer(got.status, got.headers, body))


def _answer(got: Got, picture: str | None) -> dict[str, Any]:
    is_hit = got.x_cache.startswith(("Hit", "RefreshHit")) if got.x_cache else None
    return {
        "variant": got.variant,
        "status": got.status,
        "exchange": got.exchange or None,
        "x_cache": got.x_cache or None,
        "hit": is_hit,
        "bytes": len(got.body),
        "whole": got.is_whole,
        "screenshot": picture and f"/api/screenshots/{picture}",
    }
