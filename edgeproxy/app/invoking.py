"""``edgeproxy invoke`` and ``edgeproxy explain --target``: one function, one URL, no listener."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

import orjson

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.connection_functions import why_closed
from edgeproxy.app.edge_events import (
    Trigger,
    find_trigger,
    judge_cloudfront_result,
    judge_result,
    sample_connection,
    sample_event,
)
from edgeproxy.app.loading import (
    load_cloudfront_function_file,
    load_function_file,
    load_target,
)
from edgeproxy.app.program import Program
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import CloudFrontFunction
from edgeproxy.distribution.model import EdgeFunctionKind, EventType
from edgeproxy.edge.explain import Question
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Finding
from edgeproxy.exchange.text import visible
from edgeproxy.observe.hub import Hub
from edgeproxy.project.loaders.options import parse_function_file
from edgeproxy.project.model import Project
from edgeproxy.runtimes.cloudfront_js.engine import RunContext
from edgeproxy.runtimes.cloudfront_js.outcome import Failed, told_utilisation
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.runtimes.terminal import Terminal
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["explain_target", "invoke_function"]

_SOURCE_SUFFIXES: Final = (".py", ".js", ".mjs", ".cjs")
_BOOTSTRAP: Final = "bootstrap"


def explain_target(target: str, settings: Settings, question: Question) -> dict[str, object]:
    """What an edge that runs ``target`` would do with a request."""
    program = Program(settings, Hub(), lambda text: None)
    program.project = load_target(target, settings).project
    return asyncio.run(program.explain(question, running=False))


def invoke_function(
    name: str,
    target: str | None,
    settings: Settings,
    event: bytes | None,
    event_type: EventType | None = None,
) -> int:
    """Run a function once: result on standard output, log on standard error; the exit status.

    A file is a CloudFront Function when the event is one of theirs, or when none is given and it
    exports nothing. Without ``event`` a sample is made: for ``event_type``, else for the event that
    the function is associated with, else ``{}``.
    """
    chance = Chance(settings.seed)
    if event is None:
        event = _sample(name, target, settings, event_type, chance)
    try:
        document = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the event is not JSON: {error}") from error
    if target is None and parse_function_file(name).file.name == _BOOTSTRAP:
        return asyncio.run(_run_lambda(load_function_file(name, settings), event, chance))
    if target is None and parse_function_file(name).file.suffix in _SOURCE_SUFFIXES:
        is_connection = _is_connection_event(document)
        if is_connection or _is_viewer_event(document):
            project, function_name = load_cloudfront_function_file(name, settings)
            declared = project.cloudfront_functions[function_name]
            if is_connection:
                declared = replace(declared, handler="connectionHandler")
            return asyncio.run(_run_cloudfront_function(project, declared, event, chance))
        return asyncio.run(_run_lambda(load_function_file(name, settings), event, chance))
    project = load_target(target, settings).project
    function = _find(project, name)
    if isinstance(function, CloudFrontFunction):
        return asyncio.run(_run_cloudfront_function(project, function, event, chance))
    return asyncio.run(_run_lambda(function, event, chance))


def _sample(
    name: str,
    target: str | None,
    settings: Settings,
    event_type: EventType | None,
    chance: Chance,
) -> bytes:
    trigger, kind = None, EdgeFunctionKind.LAMBDA
    file = parse_function_file(name).file
    if target is None and (file.suffix in _SOURCE_SUFFIXES or file.name == _BOOTSTRAP):
        if _exports_nothing(parse_function_file(name).file):
            _print_log(f"edgeproxy: {name} exports nothing: it is run as a CloudFront Function")
            kind, event_type = EdgeFunctionKind.CLOUDFRONT, event_type or EventType.VIEWER_REQUEST
    else:
        project = load_target(target, settings).project
        function = _find(project, name)
        if isinstance(function, CloudFrontFunction):
            kind = EdgeFunctionKind.CLOUDFRONT
            if function.handler == "connectionHandler":
                return orjson.dumps(sample_connection())
        trigger = find_trigger(project.distributions.values(), kind, function.name, event_type)
    if trigger is None:
        if event_type is None:
            return b"{}"
        if kind is EdgeFunctionKind.CLOUDFRONT and not event_type.startswith("viewer-"):
            raise UsageError(
                f"a CloudFront Function has no {event_type} events",
                rule="CFF-ASSOC-01",
                remedy="viewer-request or viewer-response",
            )
        # Not associated with that event: a distribution with nothing but an origin will do.
        (distribution,) = load_target(
            "https://www.example.com", Settings()
        ).project.distributions.values()
        trigger = Trigger(distribution, distribution.default_behavior, event_type)
    return sample_event(trigger, kind, Clock(), chance)


def _exports_nothing(file: Path) -> bool:
    """Whether this is JavaScript that Lambda could find no handler in."""
    if file.suffix != ".js" or not file.is_file():
        return False
    return re.search(rb"\bexports?\b", file.read_bytes()) is None


def _is_viewer_event(document: object) -> bool:
    """Whether this is an event of CloudFront Functions; a test's may leave much out (CFF-TEST-03).

    Only those have a ``viewer``, or say in their context which viewer event they are.
    """
    match document:
        case {"viewer": _} | {"context": {"eventType": "viewer-request" | "viewer-response"}}:
            return True
        case _:
            return False


def _is_connection_event(document: object) -> bool:
    """Whether this is an event of connection functions (CFF-CONN-03)."""
    match document:
        case {"clientIp": _, "connectionId": _} | {"clientCertificate": _}:
            return True
        case _:
            return False


def _find(project: Project, name: str) -> FunctionDefinition | CloudFrontFunction:
    functions: list[FunctionDefinition | CloudFrontFunction] = [
        *project.functions.values(),
        *project.cloudfront_functions.values(),
        *project.connection_functions.values(),
    ]
    for function in functions:
        if name in (function.name, function.logical_id):
            return function
    names = ", ".join(sorted(function.name for function in functions))
    raise UsageError(
        f"no function is called {name!r}",
        remedy=f"there is {names}" if names else "the definition declares none",
    )


async def _run_lambda(definition: FunctionDefinition, event: bytes, chance: Chance) -> int:
    tasks = Tasks()
    service = LambdaService(Clock(), chance, tasks, terminal=Terminal.of_this_process())
    try:
        deployed = await service.deploy(definition, qualifier="")  # as it is invoked
        if deployed.note:
            _print_log(f"edgeproxy: {deployed.note}")
        result = await service.invoke(definition.name, event)
    finally:
        await service.close()
        await tasks.close()
    match result:
        case Throttled():
            raise AssertionError("one invocation cannot reach a concurrency limit")
        case Returned():
            payload, status = result.payload, 0
        case FunctionError() | InitFailed():
            payload, status = result.body or orjson.dumps(result.document), 1
        case TimedOut():
            payload, status = orjson.dumps(result.document), 1
        case _:
            assert_never(result)
    for line in result.log:
        _print_log(line.message)
    _print_result(payload)
    if isinstance(result, Returned):
        _print_judgement(*judge_result(orjson.loads(event), payload))
    return status


def _print_judgement(findings: Sequence[Finding], is_refused: bool) -> None:
    """What CloudFront would say of an edge function's result; the exit status stays (LE-ERR-15)."""
    for number, finding in enumerate(findings, 1):
        what = "refuse this result" if is_refused and number == len(findings) else "take this"
        _print_log(f"edgeproxy: CloudFront would {what}: {finding.message} [{finding.rule}]")
        if finding.remedy:
            _print_log(f"    -> {finding.remedy}")


async def _run_cloudfront_function(
    project: Project, function: CloudFrontFunction, event: bytes, chance: Chance
) -> int:
    registry = CloudFrontFunctionRegistry(Clock(), chance)
    registry.apply({function.name: function}, project.key_value_stores)
    outcome = registry.run(function.name, event, RunContext())
    for line in outcome.logs:
        _print_log(line)
    print(f"Compute utilization: {outcome.utilisation}", file=sys.stderr)
    if told := told_utilisation(outcome.utilisation):
        _print_log(f"edgeproxy: {told}, as far as this machine can tell [CFF-LIM-04]")
    if isinstance(outcome, Failed):
        where = f" ({outcome.location})" if outcome.location is not None else ""
        _print_log(f"{outcome.kind}: {outcome.message}{where}")
        return 1
    if function.handler == "connectionHandler":
        why = why_closed(outcome)
        _print_log(f"The connection is closed: {why}" if why else "The connection is let in")
    # JavaScript's strings may hold half a character, which only the standard library writes.
    text = json.dumps(outcome.result, ensure_ascii=False, separators=(",", ":"))
    _print_result(text.encode("utf-8", "replace"))
    _print_judgement(*judge_cloudfront_result(orjson.loads(event), outcome.result))
    return 0


def _print_log(message: str) -> None:
    # Lambda indents the lines of a Python traceback with these blanks.
    for line in message.replace("\xa0", " ").splitlines() or [""]:
        print(visible(line), file=sys.stderr)


def _print_result(payload: bytes) -> None:
    sys.stdout.buffer.write(payload.rstrip(b"\n") + b"\n")
    sys.stdout.flush()
