"""An experiment from its declaration to its report."""

from collections.abc import Callable
from typing import Any, Final

import aiohttp

from edgeproxy.errors import UsageError
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.report import remedy_for, report_of
from edgeproxy.experiments.running_edge import EdgeLost, RunningEdge
from edgeproxy.experiments.tally import Tally
from edgeproxy.experiments.traffic import Plan, Run, run_experiment

__all__ = ["carry_out", "recorded"]

_NEWEST: Final = 1000


async def recorded(control: str) -> list[dict[str, Any]]:
    """The newest records that the edge at ``control`` keeps. Raises ``UsageError`` without one."""
    try:
        async with aiohttp.ClientSession() as session:
            return await RunningEdge(session, control).newest(_NEWEST)
    except EdgeLost as lost:
        raise _no_edge(lost) from lost


def _no_edge(lost: EdgeLost) -> UsageError:
    return UsageError(
        str(lost), remedy="start one with `edgeproxy dev`, or name it with --control URL"
    )


async def carry_out(
    experiment: Experiment, plan: Plan, control: str, tell: Callable[[Run], None]
) -> dict[str, Any]:
    """Run an experiment on the edge at ``control``: its report.

    Raises ``UsageError`` when there is no such edge, or no such door.
    """
    run = Run(experiment, plan, Tally(experiment))
    try:
        await run_experiment(run, control, tell)
    except EdgeLost as lost:
        raise _no_edge(lost) from lost
    return report_of(run, await _remedies(run, control))


async def _remedies(run: Run, control: str) -> list[str]:
    """What would mend the leaks that were seen, one for each path."""
    leaks = {each.path: each for each in run.tally.examples if each.kind == "leak"}
    remedies: list[str] = []
    if run.partial:
        return remedies
    mark = run.experiment.assignment
    async with aiohttp.ClientSession() as session:
        edge = RunningEdge(session, control)
        for path, example in leaks.items():
            text = mark.texts.get(example.variant, example.variant)
            lines = [(mark.name, text)] if text else []
            if mark.kind is MarkKind.COOKIE:
                lines = [("Cookie", f"{mark.name}={text}")]
            try:
                explained = await edge.explain(run.url + path, lines)
            except UsageError:
                continue  # A door without a cache explains nothing.
            remedies.append(remedy_for(run.experiment, example, explained))
    return remedies
