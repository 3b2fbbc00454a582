"""What ``edgeproxy check`` has to say about the experiments that lie beside a definition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgeproxy.app.dry_runs import after_viewer_request
from edgeproxy.app.samples import sample_request
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.experiments.declaration import DEFAULT_FILE, read_experiments
from edgeproxy.experiments.lint import distribution_of, lint, warning
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding

__all__ = [
    "changed_sides",
    "declaration_beside",
    "experiment_findings",
    "experiments_beside",
]

_TIMES: Final = 8
"""How often a visitor of each side comes: a function that draws among two spares nobody all times
in one case of 256."""


def declaration_beside(target: str | None) -> Path:
    """The file in the folder of the definition where experiments are declared, if there are any."""
    path = Path(target or ".")
    return (path.parent if path.is_file() else Path.cwd()) / DEFAULT_FILE


def experiments_beside(target: str | None) -> list[Experiment]:
    """Those declared in the folder of the definition; none where nothing is declared.

    Raises ``DefinitionError`` for a declaration that cannot be used.
    """
    file = declaration_beside(target)
    return list(read_experiments(file).values()) if file.is_file() else []


def experiment_findings(experiments: list[Experiment], project: Project) -> Iterator[CheckFinding]:
    """What reading tells."""
    for experiment in experiments:
        yield from lint(experiment, project)


async def changed_sides(
    experiments: list[Experiment], project: Project, *, strict: bool
) -> list[CheckFinding]:
    """What visitors who are on a side already are made of by the functions they meet first."""
    findings = []
    for experiment in experiments:
        distribution = distribution_of(experiment, project)
        if distribution is None or experiment.assignment.kind is not MarkKind.COOKIE:
            continue
        behavior = match_behavior(distribution, experiment.paths[0].partition("?")[0])
        visits = [
            (side, _visit(experiment, distribution, behavior, side))
            for side in experiment.shares
            for _ in range(_TIMES)
        ]
        asked = [(distribution, behavior, request) for _, request in visits]
        results = await after_viewer_request(project, asked, strict=strict)
        changed = sum(
            result is not None and _side_of(experiment, result) != side
            for (side, _), result in zip(visits, results, strict=True)
        )
        if changed:
            mark = experiment.assignment
            finding = warning(
                "EXP-11", experiment,
                f"{changed} of {len(visits)} requests that came with the {mark} went on from "
                "viewer-request with another side: visitors do not stay",
                f"leave the {mark} alone when the request has it",
            )  # fmt: skip
            findings.append(finding)
    return findings


def _visit(
    experiment: Experiment, distribution: Distribution, behavior: Behavior, side: str
) -> Request:
    mark, request = experiment.assignment, sample_request(distribution, behavior)
    cookie = f"{mark.name}={mark.texts.get(side, side)}"
    return Request(
        "GET",
        experiment.paths[0].partition("?")[0],
        request.query,
        headers=request.headers.with_set("Cookie", cookie),
        viewer=request.viewer,
    )


def _side_of(experiment: Experiment, request: Request) -> str | None:
    cookies = dict(parse_cookies(request.headers.get_all("Cookie")))
    return experiment.assignment.variant_of(cookies.get(experiment.assignment.name, ""))
