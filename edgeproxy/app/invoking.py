"""``edgeproxy invoke`` and ``edgeproxy explain --target``: one function, one URL, no listener."""

import asyncio
import sys
from typing import Final, assert_never

import orjson

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
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
from edgeproxy.errors import UsageError
from edgeproxy.exchange.text import visible
from edgeproxy.observe.hub import Hub
from edgeproxy.project.loaders.options import parse_function_file
from edgeproxy.project.model import Project
from edgeproxy.runtimes.cloudfront_js.engine import RunContext
from edgeproxy.runtimes.cloudfront_js.outcome import Failed
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["explain_target", "invoke_function"]

_SOURCE_SUFFIXES: Final = (".py", ".js", ".mjs", ".cjs")


def explain_target(
    target: str, settings: Settings, url: str, method: str, headers: list[tuple[str, str]]
) -> dict[str, object]:
    """What an edge that runs ``target`` would do with a request."""
    program = Program(settings, Hub(), lambda text: None)
    program.project = load_target(target, settings).project
    return program.explain(url, method, headers)


def invoke_function(name: str, target: str | None, settings: Settings, event: bytes) -> int:
    """Run a function once: result on standard output, log on standard error; the exit status.

    A file is a CloudFront Function when the event is one of theirs: only those have a ``viewer``.
    """
    try:
        document = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the event is not JSON: {error}") from error
    chance = Chance(settings.seed)
    if target is None and parse_function_file(name).file.suffix in _SOURCE_SUFFIXES:
        if isinstance(document, dict) and "viewer" in document:
            project, function_name = load_cloudfront_function_file(name, settings)
            declared = project.cloudfront_functions[function_name]
            return asyncio.run(_run_cloudfront_function(project, declared, event, chance))
        return asyncio.run(_run_lambda(load_function_file(name, settings), event, chance))
    project = load_target(target, settings).project
    function = _find(project, name)
    if isinstance(function, CloudFrontFunction):
        return asyncio.run(_run_cloudfront_function(project, function, event, chance))
    return asyncio.run(_run_lambda(function, event, chance))


def _find(project: Project, name: str) -> FunctionDefinition | CloudFrontFunction:
    functions: list[FunctionDefinition | CloudFrontFunction] = [
        *project.functions.values(),
        *project.cloudfront_functions.values(),
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
    service = LambdaService(Clock(), chance, tasks)
    try:
        await service.deploy(definition)
        result = await service.invoke(definition.name, event)
    finally:
        await service.close()
        await tasks.close()
    match result:
        case Throttled():
            raise AssertionError("one invocation cannot reach a concurrency limit")
        case Returned():
            payload, status = result.payload, 0
        case FunctionError() | TimedOut() | InitFailed():
            payload, status = orjson.dumps(result.document), 1
        case _:
            assert_never(result)
    for line in result.log:
        _print_log(line.message)
    _print_result(payload)
    return status


async def _run_cloudfront_function(
    project: Project, function: CloudFrontFunction, event: bytes, chance: Chance
) -> int:
    registry = CloudFrontFunctionRegistry(Clock(), chance)
    registry.apply({function.name: function}, project.key_value_stores)
    outcome = registry.run(function.name, event, RunContext())
    for line in outcome.logs:
        _print_log(line)
    print(f"Compute utilization: {outcome.utilisation}", file=sys.stderr)
    if isinstance(outcome, Failed):
        where = f" (line {outcome.location.line})" if outcome.location is not None else ""
        _print_log(f"{outcome.kind}: {outcome.message}{where}")
        return 1
    _print_result(orjson.dumps(outcome.result))
    return 0


def _print_log(message: str) -> None:
    for line in message.splitlines() or [""]:
        print(visible(line), file=sys.stderr)


def _print_result(payload: bytes) -> None:
    sys.stdout.buffer.write(payload.rstrip(b"\n") + b"\n")
    sys.stdout.flush()
