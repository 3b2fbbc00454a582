"""One account's functions and layers in one Region: what Lambda's API reads and changes.

Functions of the definition are here as well. What the API makes of one stays until the definition
says something new of it, and is not written into the definition's files.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from edgeproxy.awslambda.event_sources.registry import MappingRegistry
from edgeproxy.awslambda.layers import overlay
from edgeproxy.awslambda.model import FunctionDefinition, FunctionUrl
from edgeproxy.awslambda.resources import (
    Document,
    FunctionResource,
    LayerVersion,
    UrlConfig,
    Version,
    event_invoke_document,
    provisioned_document,
)
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.awslambda.submitting import Submit
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.tasks import Tasks

__all__ = ["LambdaAccount"]


class LambdaAccount:
    """The account; ``changed`` is told after each change, to keep it."""

    def __init__(
        self,
        service: LambdaService,
        clock: Clock,
        chance: Chance,
        state_dir: Path,
        *,
        account_id: str,
        region: str,
        concurrency: int,
        tasks: Tasks,
    ) -> None:
        """``chance`` makes up IDs."""
        self.service = service
        self.clock = clock
        self.chance = chance
        self.concurrency = concurrency
        """How many invocations may run at once."""
        self.tasks = tasks
        self.id = account_id
        self.region = region
        self.code_folder = state_dir / "code"
        self.buckets_folder = state_dir / "buckets"
        """Where packages lie that are named by bucket and key: a folder for each bucket."""
        self.functions: dict[str, FunctionResource] = {}
        self.event_sources = MappingRegistry(clock.now)
        self.layers: dict[str, dict[int, LayerVersion]] = {}
        self.last_layer_versions: dict[str, int] = {}
        self.updating: set[str] = set()
        """Functions that an operation of the API is changing."""
        self.faults: dict[str, str] = {}
        """Functions whose invocation over the API is refused, and the exception (LI-084)."""
        self.submit: Submit = self._run_at_once
        self.recursion_dropped: Callable[[str, str], None] = lambda name, qualifier: None
        """Told of a function and qualifier that were not invoked, to end a loop (LI-231)."""
        self.open_url: Callable[[FunctionUrl], Awaitable[str]]
        """Opens the door of a function URL, or gives the one that is open; its URL."""
        self.close_url: Callable[[FunctionUrl], Awaitable[None]]
        self.changed: Callable[[], None] = lambda: None
        self._layers_folder = state_dir / "layers"

    async def _run_at_once(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> None:
        work = self.service.invoke(
            name, payload, qualifier=qualifier, trace_id=trace_id, request_id=request_id
        )
        _ = self.tasks.start(work, f"invoke {name}")

    def arn(self, resource: str) -> str:
        """An ARN of this account's in this Region."""
        return f"arn:aws:lambda:{self.region}:{self.id}:{resource}"

    def function_arn(self, name: str) -> str:
        return self.arn(f"function:{name}")

    def declare(self, functions: Iterable[FunctionDefinition], urls: Iterable[FunctionUrl]) -> None:
        """Take over what a definition says; functions that it does not name are the API's own."""
        declared = {definition.name: definition for definition in functions}
        for definition in declared.values():
            self.region, self.id = definition.spec.region, definition.spec.arn.split(":")[4]
        for function in list(self.functions.values()):
            if function.declared is not None and function.name not in declared:
                del self.functions[function.name]
        for name, definition in declared.items():
            known = self.functions.get(name)
            if known is None or known.declared != definition:
                made = self._from_definition(definition)
                made.urls = known.urls if known is not None else {}
                if known is not None and definition.deployment is not None:
                    # A deployment begins with the version that serves now.
                    made.published |= known.published
                    made.last_version = max(made.last_version, known.last_version)
                    alias = definition.deployment.alias
                    made.aliases[alias] = known.aliases.get(alias, made.aliases[alias])
                self.functions[name] = made
        self._declare_urls({(url.function, url.qualifier): url for url in urls})

    def _declare_urls(self, declared: Mapping[tuple[str, str], FunctionUrl]) -> None:
        now = self.clock.now()
        for name, function in self.functions.items():
            urls = {key: one for key, one in function.urls.items() if not one.declared}
            for (of, qualifier), url in declared.items():
                if of == name:
                    known = function.urls.get(qualifier)
                    if known is None or known.url != url:
                        known = UrlConfig(url, now, now, declared=True)
                    urls[qualifier] = known
            function.urls = urls

    def _from_definition(self, definition: FunctionDefinition) -> FunctionResource:
        def version(number: str) -> Version:
            spec = replace(definition.frozen.get(number, definition.spec), version=number)
            arn = spec.dead_letter_arn
            settings = {"DeadLetterConfig": {"TargetArn": arn}} if arn else {}
            return Version(spec, settings, self.chance.uuid(), self.clock.now())

        numbers = [int(number) for number in definition.versions if number.isdigit()]
        return FunctionResource(
            definition.name,
            replace(version(definition.spec.version), spec=definition.spec),
            declared=definition,
            published={number: version(number) for number in definition.versions},
            last_version=max(numbers, default=0),
            aliases={
                name: {
                    "Name": name,
                    "FunctionVersion": number,
                    "Description": "",
                    "RevisionId": self.chance.uuid(),
                    **_routing(definition.weights.get(name, {})),
                }
                for name, number in definition.aliases.items()
            },
            reserved_concurrency=definition.reserved_concurrency,
            provisioned={
                qualifier: provisioned_document(amount, self.clock.now())
                for qualifier, amount in definition.provisioned.items()
            },
            event_invoke={
                qualifier: event_invoke_document(config, self.clock.now())
                for qualifier, config in definition.event_invoke.items()
            },
            policies={
                qualifier: [dict(each) for each in statements]
                for qualifier, statements in definition.policies.items()
            },
            more={
                "PolicyRevisionId": self.chance.uuid(),
                "RecursiveLoop": "Allow" if definition.allows_recursion else "Terminate",
            },
        )

    def definitions(self) -> Mapping[str, FunctionDefinition]:
        """All functions as the service runs them."""
        return {name: function.definition() for name, function in self.functions.items()}

    def definition_of(self, declared: FunctionDefinition) -> FunctionDefinition:
        """A function of the definition with what the API has made of it."""
        function = self.functions.get(declared.name)
        if function is None or function.declared != declared:
            return declared
        return function.definition()

    def function_urls(self, declared: Collection[str]) -> Mapping[str, FunctionUrl]:
        """The function URLs made over the API, by logical ID, of functions that stay.

        ``declared`` are the names of those that a new definition has.
        """
        return {
            config.url.logical_id: config.url
            for name, function in self.functions.items()
            if name in declared or function.declared is None
            for config in function.urls.values()
            if not config.declared
        }

    def put(self, function: FunctionResource) -> None:
        """Let the service run ``function`` as it is now."""
        self.functions[function.name] = function
        self.service.put(function.definition())
        self.changed()

    async def remove(self, function: FunctionResource) -> None:
        """Take it away with all that belongs to it. Running invocations finish."""
        # Together, and first: another of that name may be created while doors are closed.
        del self.functions[function.name]
        await self.service.remove(function.name)
        for config in function.urls.values():
            await self.close_url(config.url)
        self.changed()

    def layer(self, arn: str) -> LayerVersion | None:
        """A layer version by its ARN."""
        name, _, number = arn.rpartition(":layer:")[2].partition(":")
        versions = self.layers.get(name, {})
        found = versions.get(int(number)) if number.isdigit() else None
        return found if found is not None and found.arn == arn else None

    def opt(self, layers: Iterable[LayerVersion]) -> Path | None:
        """The folder that stands for ``/opt`` with these layers in it."""
        return overlay([layer.folder for layer in layers], self._layers_folder)


def _routing(weights: Mapping[str, float]) -> Document:
    return {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}
