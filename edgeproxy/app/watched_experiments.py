"""The experiments declared beside the definition, watched while somebody looks at them.

Nothing is read before the first look, and nothing is done between looks: each takes what the
history has kept since the one before. A declaration that has changed is read anew at the next look;
one that cannot be used is told, and what was declared before goes on.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgeproxy.app.experiment_checks import declaration_beside
from edgeproxy.edge.explain import Question
from edgeproxy.errors import EdgeproxyError, UsageError
from edgeproxy.exchange.model import Exchange
from edgeproxy.exchange.text import carried
from edgeproxy.experiments.declaration import read_experiments
from edgeproxy.experiments.doors import door_in
from edgeproxy.experiments.forcing import forced, viewer_names
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.report import remedy_for
from edgeproxy.experiments.tally import Example
from edgeproxy.experiments.watching import Leak, Watch
from edgeproxy.http.forced import Forced
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.inspector.documents import iso
from edgeproxy.inspector.personas import Persona
from edgeproxy.observe.history import History

__all__ = ["WatchedExperiments"]

_AT_ONCE: Final = 50
"""How many requests are counted before others have their turn."""
_LEAKS_SHOWN: Final = 20


class _Watched:
    """A watch, and how far it has come in the history."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.last: str | None = None
        self.gaps = 0


class WatchedExperiments:
    """Those of one running program."""

    def __init__(self, controlled: Controlled, history: History, file: Path | None = None) -> None:
        """``file`` must be there; without one they may be declared beside the definition."""
        self._controlled = controlled
        self._history = history
        self._is_expected = file is not None
        self.file = file or declaration_beside(controlled.target)
        self.problem = ""
        """Why the declaration cannot be used; empty when it can."""
        self._experiments: dict[str, Experiment] = {}
        self._read: tuple[int, int] | None = (0, 0)
        self._watched: dict[str, _Watched] = {}
        self._turns = asyncio.Lock()

    @property
    def declared(self) -> Mapping[str, Experiment]:
        """By name, as the file says now."""
        version = self._version()
        if version == self._read:
            return self._experiments
        self._read, self.problem = version, ""
        if version is None and not self._is_expected:
            self._experiments = {}
        else:
            try:
                self._experiments = read_experiments(self.file)
            except EdgeproxyError as error:
                self.problem = str(error)
        for name in self._watched.keys() - self._experiments.keys():
            del self._watched[name]
        return self._experiments

    def _version(self) -> tuple[int, int] | None:
        try:
            found = self.file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def named(self, name: str) -> Experiment:
        """Raises ``UsageError``."""
        if name not in self.declared:
            raise UsageError(f"there is no experiment {name!r}")
        return self._experiments[name]

    def door(self, experiment: Experiment) -> tuple[str, str]:
        """Logical ID and URL of its door. Raises ``UsageError``."""
        return door_in(self._controlled.endpoints(), experiment.door)

    def forced(self, name: str, variant: str) -> Forced:
        """What puts a viewer on a variant. Raises ``UsageError``."""
        experiment = self.named(name)
        if experiment.assignment.kind is MarkKind.FUNCTION_VERSION:
            door, _ = self.door(experiment)
            if any(door == each.logical_id for each in self._controlled.distributions):
                raise UsageError(
                    f"Nobody can be put on {variant}: the function answers behind a distribution, "
                    "whose cache gives all the same",
                    remedy="make the function URL the door of the experiment",
                )
        try:
            return forced(experiment, variant)
        except UsageError:
            watched = self._watched.get(name)
            cookies = watched and watched.watch.cookies.get(variant)
            if not cookies:
                raise
            return Forced("cookies", "", cookies)

    async def summaries(self) -> list[dict[str, Any]]:
        """All of them, with what has been seen so far, as JSON."""
        return [(await self._summary(each))[0] for each in list(self.declared.values())]

    async def detail(self, experiment: Experiment) -> dict[str, Any]:
        """One of them, with the newest visitors' paths and the newest leaks."""
        document, watch = await self._summary(experiment)
        if watch is not None:
            document["newest_visitors"] = watch.paths()
            document["newest_leaks"] = await self._newest_leaks(watch, document["url"])
        return document

    async def _summary(self, experiment: Experiment) -> tuple[dict[str, Any], Watch | None]:
        """And its watch; None where there is nothing to watch."""
        head: dict[str, Any] = {
            "name": experiment.name,
            "assignment": str(experiment.assignment),
            "exposure": experiment.exposure and str(experiment.exposure),
            "paths": list(experiment.paths),
        }
        try:
            door, url = self.door(experiment)
            if not self._history.keeps_any:
                raise UsageError("the edge keeps no requests", remedy="--history above 0")
        except UsageError as error:
            return {**head, "problem": str(error)}, None
        watched = await self._looked_at(experiment, door)
        document = {**head, "problem": None, "door": door, "url": url, "gaps": watched.gaps}
        document |= watched.watch.summary()
        names = viewer_names(experiment)
        for variant in document["variants"]:
            name = names[variant["name"]]
            persona = self._controlled.personas.get(name)
            side = None if persona is None else persona.side
            is_there = side is not None and side.experiment == experiment.name
            url_of = Persona(name).url(url)
            why_not = self._why_not_forced(experiment, variant["name"])
            viewer = {"name": name, "url": url_of, "is_there": is_there, "why_not": why_not}
            variant["viewer"] = viewer
        return document, watched.watch

    def _why_not_forced(self, experiment: Experiment, variant: str) -> str | None:
        try:
            _ = self.forced(experiment.name, variant)
        except UsageError as error:
            return str(error)
        return None

    async def _looked_at(self, experiment: Experiment, door: str) -> _Watched:
        """Its watch, which has seen all that is kept by now."""
        async with self._turns:
            watched = self._watched.get(experiment.name)
            if (
                watched is None
                or watched.watch.experiment != experiment
                or watched.watch.door != door
            ):
                watched = self._watched[experiment.name] = _Watched(Watch(experiment, door))
            ended, is_all = self._history.after(watched.last)
            watched.gaps += not is_all
            for at in range(0, len(ended), _AT_ONCE):
                some = ended[at : at + _AT_ONCE]
                watched.watch.take(
                    each if isinstance(each, Exchange) else each.exchange for each in some
                )
                watched.last = some[-1].id
                await asyncio.sleep(0)
            return watched

    async def _newest_leaks(self, watch: Watch, url: str) -> list[dict[str, Any]]:
        remedies: dict[tuple[str, str, str], str | None] = {}
        found = []
        for leak in list(reversed(watch.leaks))[:_LEAKS_SHOWN]:
            example = leak.example
            alike = example.path, example.variant, example.why
            if alike not in remedies:
                remedies[alike] = await self._remedy(watch.experiment, url, example)
            found.append(_leak(leak, remedies[alike]))
        return found

    async def _remedy(self, experiment: Experiment, url: str, leak: Example) -> str | None:
        """What would mend it; None where nothing explains it."""
        mark = experiment.assignment
        text = mark.texts.get(leak.variant, leak.variant)
        lines: tuple[tuple[str, str], ...] = ((mark.name, text),) if text and mark.name else ()
        if mark.kind is MarkKind.COOKIE:
            lines = (("Cookie", f"{mark.name}={text}"),)
        try:
            question = Question(url + leak.path, headers=lines)
            explained: Any = await self._controlled.explain(question)
        except EdgeproxyError:
            return None  # A door without a cache explains nothing.
        return remedy_for(experiment, leak, explained)


def _leak(leak: Leak, remedy: str | None) -> dict[str, Any]:
    example = leak.example
    return {
        "time": iso(leak.time),
        "visitor": carried(leak.who),
        "path": carried(example.path),
        "variant": example.variant,
        "made_for": carried(example.other),
        "why": example.why,
        "exchange": example.exchange_id,
        "key": [{"part": part, "value": carried(value)} for part, value in example.key or ()],
        "remedy": carried(remedy),
    }
