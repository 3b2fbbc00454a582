"""``edgeproxy check``: what AWS would refuse in a definition, and what is not honoured here."""

import asyncio
import json
from collections import Counter

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.load_failures import place, reason, remedy
from edgeproxy.app.loading import load_target
from edgeproxy.awslambda.service import DeployFailed, LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import Place
from edgeproxy.exchange.text import visible
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Project, Treatment
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["check_target"]


def check_target(target: str | None, settings: Settings, *, as_json: bool) -> int:
    """Print the findings about ``target``; 1 when AWS would refuse or later fail something."""
    loaded = load_target(target, settings)
    findings = [
        *loaded.findings,
        *_cloudfront_function_findings(loaded.project),
        *asyncio.run(_load_findings(loaded.project)),
    ]
    findings.sort(key=lambda finding: (finding.severity, str(finding.place), finding.rule))
    write = _print_json if as_json else _print_text
    write(loaded, findings, verbose=settings.verbose)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def _cloudfront_function_findings(project: Project) -> list[CheckFinding]:
    """What reading the code of the CloudFront Functions tells."""
    registry = CloudFrontFunctionRegistry(Clock(), Chance())
    found = []
    for name, finding in registry.apply(project.cloudfront_functions, project.key_value_stores):
        function = project.cloudfront_functions[name]
        place = (
            Place(function.source, finding.line, name)
            if function.source is not None
            else Place(function.place.file, function.place.line, f"{name}, line {finding.line}")
        )
        severity = Severity.ERROR if finding.fatal else Severity.WARNING
        remedy = finding.remedy or "AWS takes the code, but each request that runs it gets a 503"
        found.append(CheckFinding(finding.rule, place, finding.message, remedy, severity))
    return found


async def _load_findings(project: Project) -> list[CheckFinding]:
    """What loading each Lambda function in a process of its own tells."""
    tasks = Tasks()
    service = LambdaService(Clock(), Chance(), tasks)
    try:
        results = await asyncio.gather(*map(service.deploy, project.functions.values()))
    finally:
        await service.close()
        await tasks.close()
    found = []
    for definition, result in zip(project.functions.values(), results, strict=True):
        if isinstance(result, DeployFailed):
            code = Place(definition.spec.code_root, path=definition.name)
            told = f" ({at})" if (at := place(result)) else ""
            found.append(
                CheckFinding(
                    "LE-ERR-01",
                    definition.place if definition.inline else code,
                    f"{definition.name} does not load: {reason(result)}{told}",
                    f"{remedy(definition, result)}; edgeproxy invoke shows the whole error",
                )
            )
    return found


def _print_text(loaded: Loaded, findings: list[CheckFinding], *, verbose: bool) -> None:
    for finding in findings:
        where = f"{finding.place}: " if str(finding.place) else ""
        print(visible(f"{finding.severity}: {where}{finding.message} [{finding.rule}]"))
        if finding.remedy:
            print(visible(f"    -> {finding.remedy}"))
    lines = loaded.project.report.lines
    counts = Counter(line.treatment for line in lines)
    for line in lines:
        if line.treatment is not Treatment.HONOURED:
            print(visible(f"{line.treatment}: {line.place}: {line.why}"))
        elif verbose:
            print(visible(f"{line.treatment}: {line.place}"))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    print(
        f"{_counted(errors, 'error')}, {_counted(len(findings) - errors, 'warning')}; "
        f"{counts[Treatment.HONOURED]} properties honoured, "
        f"{counts[Treatment.APPROXIMATED]} approximated, {counts[Treatment.IGNORED]} ignored"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _print_json(loaded: Loaded, findings: list[CheckFinding], *, verbose: bool) -> None:
    document = {
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                **_place(finding.place),
                "message": finding.message,
                "remedy": finding.remedy,
            }
            for finding in findings
        ],
        "report": [
            {"treatment": line.treatment, **_place(line.place), "why": line.why}
            for line in loaded.project.report.lines
        ],
    }
    print(json.dumps(document, indent=2))


def _place(place: Place) -> dict[str, object]:
    return {
        "file": str(place.file) if place.file is not None else None,
        "line": place.line,
        "path": place.path,
    }
