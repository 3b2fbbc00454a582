"""``edgeproxy check``: what AWS would refuse in a definition, and what is not honoured here.

It is found by reading the definition and the code of the functions, and by dry runs.
"""

import asyncio
import sys
from collections.abc import Iterator

from edgeproxy.app.check_output import print_json, print_text
from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.dry_run_findings import findings_of
from edgeproxy.app.dry_runs import DryRuns, EdgeFunction, run_dry
from edgeproxy.app.experiment_checks import (
    changed_sides,
    experiment_findings,
    experiments_beside,
)
from edgeproxy.app.loading import load_target
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import EdgeFunctionKind
from edgeproxy.errors import DefinitionError
from edgeproxy.project.checks.counts import check_counts, check_package, edge_events
from edgeproxy.project.checks.functions import has_handler
from edgeproxy.project.checks.node_source import check_node
from edgeproxy.project.checks.places import cloudfront_place
from edgeproxy.project.checks.python_source import check_python
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.interpreters import interpreter_notes
from edgeproxy.settings import Settings

__all__ = ["check_target"]

_REFUSALS = ("LE-ASSOC", "CFF-ASSOC")
"""Rules that AWS refuses by; a definition that breaks one this badly can be read all the same."""


def check_target(
    target: str | None, settings: Settings, *, as_json: bool, dry_runs: bool = True
) -> int:
    """Print the findings about ``target``; 1 when AWS would refuse or later fail something."""
    findings: list[CheckFinding] = []
    runs: DryRuns | None = None
    try:
        loaded = load_target(target, settings)
    except DefinitionError as error:
        if not error.rule.startswith(_REFUSALS):
            raise
        loaded = Loaded(Project())
        findings.append(CheckFinding(error.rule, error.place, error.message, error.remedy))
    else:
        findings += loaded.findings
        findings += check_counts(loaded.project)
        findings += _packages(loaded.project)
        read = list(_read_functions(loaded.project))
        findings += [finding for _, finding in read]
        broken = {function for function, finding in read if finding.severity is Severity.ERROR}
        broken |= {
            (EdgeFunctionKind.CLOUDFRONT, name)
            for name, function in loaded.project.cloudfront_functions.items()
            if not has_handler(function)
        }
        experiments = experiments_beside(target)
        findings += experiment_findings(experiments, loaded.project)
        if dry_runs:
            functions = loaded.project.functions.values()
            for note in interpreter_notes(function.spec.runtime for function in functions):
                print(f"edgeproxy: {note}", file=sys.stderr)
            runs = asyncio.run(run_dry(loaded.project, broken, strict=not settings.lenient))
            findings += findings_of(loaded.project, runs)
            findings += asyncio.run(
                changed_sides(experiments, loaded.project, strict=not settings.lenient)
            )
    findings = sorted(dict.fromkeys(findings), key=_order)
    if as_json:
        print_json(loaded, findings, runs)
    else:
        print_text(loaded, findings, runs, verbose=settings.verbose)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def _order(finding: CheckFinding) -> tuple[str, str, int, str]:
    place = finding.place
    return finding.severity, str(place.file or place.path), place.line or 0, finding.rule


def _packages(project: Project) -> Iterator[CheckFinding]:
    for name, events in edge_events(project).items():
        yield from check_package(project.functions[name], events)


def _read_functions(project: Project) -> Iterator[tuple[EdgeFunction, CheckFinding]]:
    """What reading the code of each function tells, and of which."""
    events = edge_events(project)
    for name, definition in project.functions.items():
        for check in (check_python, check_node):
            for finding in check(definition, at_edge=name in events):
                yield (EdgeFunctionKind.LAMBDA, name), finding
    registry = CloudFrontFunctionRegistry(Clock(), Chance())
    for functions in (project.cloudfront_functions, project.connection_functions):
        for name, found in registry.apply(functions, project.key_value_stores):
            if found.rule == "CFF-LIM-01":
                continue  # Reading the definition has told it.
            place = cloudfront_place(functions[name], found.line, found.column)
            severity = Severity.ERROR if found.fatal or found.throws else Severity.WARNING
            remedy = found.remedy or "AWS takes the code, but whatever runs it fails"
            finding = CheckFinding(found.rule, place, found.message, remedy, severity)
            yield (EdgeFunctionKind.CLOUDFRONT, name), finding
