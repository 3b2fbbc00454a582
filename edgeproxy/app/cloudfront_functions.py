"""The project's CloudFront Functions, each in an engine of its own, ready to run."""

import asyncio
from collections.abc import Iterable, Mapping

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.runtimes.cloudfront_js.engine import CloudFrontJs, RunContext
from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues
from edgeproxy.runtimes.cloudfront_js.outcome import Failed, Outcome
from edgeproxy.runtimes.cloudfront_js.syntax import SyntaxFinding

__all__ = ["CloudFrontFunctionRegistry"]


class CloudFrontFunctionRegistry:
    """Runs functions by name. Engines and stores that did not change survive a reload."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._declared: dict[str, tuple[CloudFrontFunction, KeyValues | None]] = {}
        self._engines: dict[str, CloudFrontJs] = {}
        self._stores: dict[str, tuple[KeyValueStore, KeyValues]] = {}

    def run(self, name: str, event: bytes, context: RunContext) -> Outcome:
        """Run the function of that name with an event, here and now.

        What its next run needs is built when the event loop has nothing better to do.
        """
        engine = self._engines.get(name)
        if engine is None:  # A reload has removed it under this request.
            return Failed("FunctionExecutionError", "The function does not exist any more.")
        outcome = engine.run(event, context)
        asyncio.get_running_loop().call_soon(engine.prepare)
        return outcome

    def apply(
        self, functions: Mapping[str, CloudFrontFunction], stores: Mapping[str, KeyValueStore]
    ) -> list[tuple[str, SyntaxFinding]]:
        """Take over what the project declares now; what reading new code tells, by function."""
        self._stores = {name: self._opened(name, store) for name, store in stores.items()}
        declared = {
            name: (function, self._store_of(function)) for name, function in functions.items()
        }
        changed = {name for name, what in declared.items() if self._declared.get(name) != what}
        kept = {name: self._engines[name] for name in declared.keys() - changed}
        started = {name: self._start(*declared[name]) for name in changed}
        self._declared, self._engines = declared, kept | started
        return list(_findings(started))

    def _opened(self, name: str, store: KeyValueStore) -> tuple[KeyValueStore, KeyValues]:
        """A store that is still declared the same keeps its contents, edits included."""
        old = self._stores.get(name)
        if old is not None and old[0] == store:
            return old
        if old is not None:
            old[1].replace(store.data)
            return store, old[1]
        return store, KeyValues(name, store.data, now=self._clock.now)

    def _store_of(self, function: CloudFrontFunction) -> KeyValues | None:
        found = self._stores.get(function.key_value_store)
        return None if found is None else found[1]

    def _start(self, function: CloudFrontFunction, store: KeyValues | None) -> CloudFrontJs:
        return CloudFrontJs(
            function.name,
            function.runtime,
            function.code,
            kvs=store,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            fraction=self._chance.fraction,
        )


def _findings(engines: Mapping[str, CloudFrontJs]) -> Iterable[tuple[str, SyntaxFinding]]:
    for name, engine in sorted(engines.items()):
        engine.prepare()
        for finding in engine.check():
            yield name, finding
