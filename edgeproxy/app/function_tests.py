"""Runs a function once for somebody who looks at it, and says what the edge would make of it."""

from typing import TYPE_CHECKING, Any

import orjson

from edgeproxy.app.connection_functions import why_closed
from edgeproxy.app.edge_events import (
    Trigger,
    find_trigger,
    judge_cloudfront_result,
    judge_result,
    sample_connection,
    sample_event,
)
from edgeproxy.app.program import Program
from edgeproxy.awslambda.records import function_run, recorded
from edgeproxy.distribution.functions import Stage
from edgeproxy.distribution.model import EdgeFunctionKind, EventType
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Finding, FunctionRun
from edgeproxy.inspector.controlled import Tested
from edgeproxy.runtimes.invocation import InvocationResult, LogRecord, Returned

if TYPE_CHECKING:
    from edgeproxy.runtimes.cloudfront_js.outcome import Outcome

__all__ = ["FunctionTests"]

_REPLICA = "us-east-1"


class FunctionTests:
    """Of all functions that a program has, by name."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def sample(self, name: str, event_type: EventType | None) -> bytes:
        """An event made up for the function, as JSON text.

        It is for ``event_type``, else for the event that the function is associated with. Raises
        :class:`UsageError`.
        """
        program = self._program
        if name in program.connection_functions.registry.all:
            return orjson.dumps(sample_connection())
        kind = EdgeFunctionKind.LAMBDA
        if name in program.cloudfront.functions.all:
            kind = EdgeFunctionKind.CLOUDFRONT
        distributions = program.project.distributions.values()
        trigger = find_trigger(distributions, kind, name, event_type)
        if trigger is None and event_type is not None:
            any_of_them = next(iter(distributions), None)
            if any_of_them is None:
                raise UsageError("there is no distribution that such an event could be of")
            trigger = Trigger(any_of_them, any_of_them.default_behavior, event_type)
        if trigger is None:
            return b"{}"
        if kind is EdgeFunctionKind.CLOUDFRONT and not trigger.event_type.startswith("viewer-"):
            raise UsageError(
                f"a CloudFront Function has no {trigger.event_type} events", rule="CFF-ASSOC-01"
            )
        return sample_event(trigger, kind, program.clock, program.chance)

    async def run(self, name: str, event: object, qualifier: str | None) -> Tested:
        """Run it now. ``qualifier`` is a version or alias, or a stage of a CloudFront Function.

        Raises :class:`UsageError`, and ``FunctionNotFound``.
        """
        program = self._program
        cloudfront, connection = program.cloudfront.functions, program.connection_functions.registry
        for registry in (cloudfront, connection):
            if name in registry.all:
                began = program.clock.monotonic()
                try:
                    stage = Stage((qualifier or Stage.LIVE).upper())
                    outcome = registry.test(name, stage, orjson.dumps(event))
                except (KeyError, ValueError) as error:
                    raise UsageError(f"{name} has no stage {qualifier or 'LIVE'}") from error
                took_ms = (program.clock.monotonic() - began) * 1000
                return _tested_here(name, event, outcome, took_ms, is_edge=registry is cloudfront)
        return await self._run_lambda(name, event, qualifier)

    async def _run_lambda(self, name: str, event: object, qualifier: str | None) -> Tested:
        program, payload = self._program, orjson.dumps(event)
        trigger = find_trigger(
            program.project.distributions.values(), EdgeFunctionKind.LAMBDA, name, None
        )
        region = ""
        if qualifier is None and trigger is not None:
            # As the edge runs it, in the environments that there are for it.
            association = trigger.behavior.function_for(trigger.event_type)
            assert association is not None
            qualifier, region = association.qualifier, _REPLICA
        qualifier = qualifier or ""
        result = await recorded(
            program.lambdas.invoke(name, payload, qualifier=qualifier, replica_region=region),
            name,
            qualifier,
            payload,
            program.recorder,
            program.clock,
            program.chance.uuid(),
        )
        findings, is_refused = _judged(event, result)
        run = function_run(
            name, _event_type(event), result, findings, usable=not is_refused, qualifier=qualifier
        )
        document = None
        if isinstance(result, Returned) and result.payload:
            document = orjson.loads(result.payload)
        return Tested(run, document)


def _judged(event: object, result: InvocationResult) -> tuple[tuple[Finding, ...], bool]:
    if isinstance(result, Returned):
        return judge_result(event, result.payload)
    return (), False


def _tested_here(
    name: str, event: object, outcome: "Outcome", took_ms: float, *, is_edge: bool
) -> Tested:
    """A run of a CloudFront Function or a connection function, in this process."""
    from edgeproxy.runtimes.cloudfront_js.outcome import Failed

    findings = [Finding(each.rule, each.message, each.remedy) for each in outcome.notices]
    result, error, problem = outcome.result, "", None
    if isinstance(outcome, Failed):
        error, problem = outcome.kind, outcome.message
        if outcome.location is not None:
            problem += f" ({outcome.location})"
    elif is_edge:
        judged, is_refused = judge_cloudfront_result(event, result)
        findings += judged
        error = "Validation" if is_refused else ""
    elif why := why_closed(outcome):
        problem = f"the connection is closed: {why}"
    run = FunctionRun(
        name,
        _event_type(event),
        took_ms,
        error,
        log=tuple(LogRecord(0, "", "stdout", line, "") for line in outcome.logs),
        findings=tuple(findings),
        error_document=None if problem is None else {"errorMessage": problem},
        kind="cloudfront",
        utilisation=outcome.utilisation,
    )
    return Tested(run, result)


def _event_type(event: Any) -> str:
    """What an event says that it is; ``event`` for one that is not CloudFront's."""
    match event:
        case {"Records": [{"cf": {"config": {"eventType": str(name)}}}]}:
            return name
        case {"context": {"eventType": str(name)}}:
            return name
        case _:
            return "event"
