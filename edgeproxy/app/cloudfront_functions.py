"""The running CloudFront Functions: the definition's and those made over the API, over reloads.

Each has a DEVELOPMENT stage and, once published, a LIVE one, the only one that serves
(CFF-ASSOC-04). What a definition declares is published at once (CDN-CFG-213). As long as the
definition says the same of a function, what the API made of it stays.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeproxy.app.key_value_stores import KeyValueStores
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import (
    CloudFrontFunction,
    FunctionVersion,
    KeyValueStore,
    Stage,
    StagedFunction,
)
from edgeproxy.project.identifiers import etag

if TYPE_CHECKING:
    from edgeproxy.runtimes.cloudfront_js.engine import CloudFrontJs, Event, RunContext
    from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues
    from edgeproxy.runtimes.cloudfront_js.outcome import Outcome
    from edgeproxy.runtimes.cloudfront_js.syntax import SyntaxFinding

__all__ = ["CloudFrontFunctionRegistry", "told_finding"]


@dataclass(frozen=True, slots=True)
class _Ready:
    """An engine and what it was made from."""

    engine: "CloudFrontJs"
    function: CloudFrontFunction
    store: "KeyValues | None"


class CloudFrontFunctionRegistry:
    """Runs functions by name. Engines and stores that did not change survive a reload.

    ``tell`` hears what a reload does to functions and stores that were changed over the API, and
    what is wrong with code that is published. ``stores`` are another registry's, to be shared.
    """

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        tell: Callable[[str], None] = lambda text: None,
        stores: KeyValueStores | None = None,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self.stores = stores or KeyValueStores(clock, tell)
        self._declared: Mapping[str, CloudFrontFunction] = {}
        self._functions: dict[str, StagedFunction] = {}
        self._engines: dict[tuple[str, Stage], _Ready] = {}
        self._revision = 0

    @property
    def all(self) -> Mapping[str, StagedFunction]:
        """Every function, by name."""
        return self._functions

    def run(self, name: str, event: "Event", context: "RunContext") -> "Outcome":
        """Run the LIVE stage of the function of that name with an event, here and now.

        What its next run needs is built when the event loop has nothing better to do.
        """
        ready = self._engines.get((name, Stage.LIVE))
        if ready is None:  # A reload has removed it under this request.
            from edgeproxy.runtimes.cloudfront_js.outcome import Failed

            return Failed("FunctionExecutionError", "The function does not exist any more.")
        outcome = ready.engine.run(event, context)
        if not ready.engine.prepared:
            asyncio.get_running_loop().call_soon(ready.engine.prepare)
        return outcome

    def test(self, name: str, stage: Stage, event: bytes) -> "Outcome":
        """Run one stage of a function for a look at it: no log, no metrics (CFF-LOG-03)."""
        from edgeproxy.runtimes.cloudfront_js.engine import RunContext

        version = self._functions[name].in_stage(stage)
        if version is None:
            raise KeyError(name)
        ready, _ = self._ready(version)
        return ready.engine.run(event, RunContext())

    def apply(
        self, functions: Mapping[str, CloudFrontFunction], stores: Mapping[str, KeyValueStore]
    ) -> "list[tuple[str, SyntaxFinding]]":
        """Take over what the project declares now; what reading new code tells, by function."""
        self.stores.apply(stores)
        for name in self._declared.keys() - functions.keys():
            self._forget(name)
        for name, function in functions.items():
            if self._is_due(function):
                self.save(function)
                self._go_live(name)
        self._declared = dict(functions)
        started = []
        for name, staged in sorted(self._functions.items()):
            if staged.live is not None:
                started += [(name, finding) for finding in self._start(staged.live)]
        return started

    def save(self, function: CloudFrontFunction) -> StagedFunction:
        """Make this the DEVELOPMENT stage of the function of its name."""
        held, now = self._functions.get(function.name), self._clock.now()
        created_s = held.development.created_s if held is not None else now
        staged = StagedFunction(
            self._version(Stage.DEVELOPMENT, function, created_s),
            held.live if held is not None else None,
        )
        self._functions[function.name] = staged
        return staged

    def publish(self, name: str) -> StagedFunction:
        """Copy DEVELOPMENT to LIVE; every run from now on is of the new code (CFF-ASSOC-05)."""
        live = self._go_live(name)
        for finding in self._start(live):
            self._tell(told_finding(name, finding))
        return self._functions[name]

    def delete(self, name: str) -> None:
        self._forget(name)

    def _is_due(self, function: CloudFrontFunction) -> bool:
        """Whether the function is to be what the definition says, and why not is told."""
        name = function.name
        held, before = self._functions.get(name), self._declared.get(name)
        if held is None:
            return True
        stages = {held.development.function, held.live.function if held.live else None}
        if function == before:
            if stages != {function}:
                self._tell(
                    f"{name} stays what the CloudFront API made of it: the definition says the "
                    "same of it as before"
                )
            return False
        if stages != {before}:
            self._tell(f"{name}: the definition takes the place of what the CloudFront API made")
        return True

    def _go_live(self, name: str) -> FunctionVersion:
        held = self._functions[name]
        created_s = held.live.created_s if held.live is not None else self._clock.now()
        live = self._version(Stage.LIVE, held.development.function, created_s)
        self._functions[name] = StagedFunction(held.development, live)
        return live

    def _version(
        self, stage: Stage, function: CloudFrontFunction, created_s: float
    ) -> FunctionVersion:
        self._revision += 1
        now = self._clock.now()
        version = etag(f"function/{function.name}/{self._revision}/{now}")
        return FunctionVersion(stage, function, version, created_s, now)

    def _forget(self, name: str) -> None:
        self._functions.pop(name, None)
        for stage in Stage:
            self._engines.pop((name, stage), None)

    def _start(self, version: FunctionVersion) -> "list[SyntaxFinding]":
        """Have an engine for ``version``; what is wrong with its code, if it is a new one."""
        ready, is_new = self._ready(version)
        if not is_new:
            return []
        ready.engine.prepare()
        return ready.engine.check()

    def _ready(self, version: FunctionVersion) -> tuple[_Ready, bool]:
        """An engine for ``version``, and whether it was made just now."""
        function, key = version.function, (version.function.name, version.stage)
        store = self.stores.values(function.key_value_store)
        held = self._engines.get(key)
        if held is not None and held.function == function and held.store is store:
            return held, False
        # Not before there is a function: to import the engine is a tenth of the start.
        from edgeproxy.runtimes.cloudfront_js.engine import CloudFrontJs

        engine = CloudFrontJs(
            function.name,
            function.runtime,
            function.code,
            kvs=store,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            fraction=self._chance.fraction,
            file=function.source,
            handler=function.handler,
        )
        ready = _Ready(engine, function, store)
        self._engines[key] = ready
        return ready, True


def told_finding(name: str, finding: "SyntaxFinding") -> str:
    """A finding as the console shows it."""
    where = f"{name}, line {finding.line}, column {finding.column}"
    remedy = f" ({finding.remedy})" if finding.remedy else ""
    return f"{where}: {finding.message} [{finding.rule}]{remedy}"
