"""How ``edgeproxy check`` tells its findings: lines for people, JSON for programs."""

import json
from collections import Counter
from collections.abc import Sequence

from edgeproxy.app.dry_runs import DryRuns
from edgeproxy.errors import Place
from edgeproxy.exchange.text import visible
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.project.report import CheckFinding, FoundBy, Severity

__all__ = ["print_json", "print_text"]


def print_text(
    loaded: Loaded, findings: Sequence[CheckFinding], runs: DryRuns | None, *, verbose: bool
) -> None:
    """A line for each finding and each property that is not honoured, and a summary."""
    for finding in findings:
        where = f"{finding.place}: " if str(finding.place) else ""
        how = ", by a dry run" if finding.found_by is FoundBy.DRY_RUN else ""
        print(visible(f"{finding.severity}: {where}{finding.message} [{finding.rule}{how}]"))
        if finding.remedy:
            print(visible(f"    -> {finding.remedy}"))
    lines = loaded.project.report.lines
    counts = Counter(line.treatment for line in lines)
    for line in lines:
        if line.treatment is not Treatment.HONOURED:
            print(visible(f"{line.treatment}: {line.place}: {line.why}"))
        elif verbose:
            print(visible(f"{line.treatment}: {line.place}"))
    if runs is not None:
        ran = [each for each in runs.runs if each.run is not None]
        if verbose:
            for each in ran:
                print(
                    visible(
                        f"dry run: {each.association.function} on {each.association.event_type} "
                        f"of {each.behavior.path_pattern}, with {each.path}"
                    )
                )
        functions = len({each.association.function for each in ran})
        print(f"dry runs: {_counted(len(ran), 'event')}, {_counted(functions, 'edge function')}")
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    print(
        f"{_counted(errors, 'error')}, {_counted(len(findings) - errors, 'warning')}; "
        f"{counts[Treatment.HONOURED]} properties honoured, "
        f"{counts[Treatment.APPROXIMATED]} approximated, {counts[Treatment.IGNORED]} ignored"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def print_json(loaded: Loaded, findings: Sequence[CheckFinding], runs: DryRuns | None) -> None:
    """Findings, dry runs (null when there were none) and the report as one document."""
    project = loaded.project
    names = {*project.functions, *project.cloudfront_functions}
    document = {
        "findings": [
            {
                "severity": finding.severity,
                "rule": finding.rule,
                "message": finding.message,
                "remedy": finding.remedy,
                "place": _place(finding.place, names),
                "found_by": finding.found_by,
            }
            for finding in findings
        ],
        "dry_runs": runs
        and [
            {
                "function": each.association.function,
                "kind": each.association.kind,
                "event_type": each.association.event_type,
                "distribution": each.distribution.logical_id,
                "path_pattern": each.behavior.path_pattern,
                "path": each.path,
                "duration_ms": each.run and round(each.run.duration_ms, 3),
                "error": each.run and each.run.error,
            }
            for each in runs.runs
        ],
        "report": [
            {
                "treatment": line.treatment,
                "file": str(line.place.file) if line.place.file is not None else None,
                "line": line.place.line,
                "path": line.place.path,
                "why": line.why,
            }
            for line in project.report.lines
        ],
    }
    print(json.dumps(document, indent=2))


def _place(place: Place, names: set[str]) -> dict[str, object]:
    """File, line and column from 1, the resource's logical ID or name, the property's path."""
    start, _, rest = place.path.partition(".")
    if start == "Resources":
        resource, _, inner = rest.partition(".")
        path = inner.removeprefix("Properties").removeprefix(".")
    elif place.path in names:
        resource, path = place.path, ""
    else:  # Terraform's places are "address: attribute".
        resource, _, path = place.path.rpartition(": ")
    return {
        "file": str(place.file) if place.file is not None else None,
        "line": place.line,
        "column": place.column,
        "resource": resource or None,
        "property": path or None,
    }
