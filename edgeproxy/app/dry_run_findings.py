"""What dry runs show, as findings: what fails for sure is an error, what may be the sample's fault
a warning."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgeproxy.app.dry_runs import ALL_S, DryRun, DryRuns
from edgeproxy.app.load_failures import place, reason, remedy
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import DeployFailed
from edgeproxy.distribution.functions import CloudFrontFunction
from edgeproxy.errors import Place
from edgeproxy.exchange.model import Finding, FunctionRun
from edgeproxy.project.checks.node_packages import is_provided
from edgeproxy.project.checks.places import cloudfront_place, lambda_place
from edgeproxy.project.checks.python_source import LAMBDA_MODULES
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding, FoundBy, Severity
from edgeproxy.runtimes.invocation import LogRecord

__all__ = ["findings_of"]

_SURE: Final = frozenset(
    {
        *("ImportError", "ModuleNotFoundError", "NameError", "ReferenceError", "SyntaxError"),
        *("Runtime.CallbackHandlerDeprecated", "Runtime.MarshalError"),
    }
)
"""Errors that no other event would have spared."""
_FRAME: Final = re.compile(
    r"""File "(?P<py>[^"]+)",? [Ll]ine (?P<py_line>\d+)"""
    r"""|(?P<js>/[^\s():]+):(?P<js_line>\d+)(?::(?P<column>\d+))?"""
)
_LINE: Final = re.compile(r" \((?:line |(?P<file>.+?):)(?P<line>\d+)(?::\d+)?\)\Z")
_MISSING: Final = re.compile(r"No module named '([^'.]+)|Cannot find (?:module|package) '([^']+)'")
_SAMPLE: Final = "mend it, unless the made-up event or a missing network is to blame"


def findings_of(project: Project, results: DryRuns) -> Iterator[CheckFinding]:
    """One finding for each thing that went wrong, however many events showed it."""
    for failed in results.not_loaded:
        yield _not_loaded(project.functions[failed.name], failed)
    for name in results.still_loading:
        yield _finding(
            "LE-ERR-01",
            lambda_place(project.functions[name]),
            f"{name} had not loaded after {ALL_S:g} s.",
            "do less while the code loads: it has 10 seconds",
            sure=False,
        )
    known = set()
    for dry_run in results.runs:
        for finding in _of_run(project, dry_run):
            key = (dry_run.association.function, finding.rule, finding.message)
            if key not in known:
                known.add(key)
                yield finding


def _finding(rule: str, at: Place, message: str, remedy: str, *, sure: bool) -> CheckFinding:
    severity = Severity.ERROR if sure else Severity.WARNING
    return CheckFinding(rule, at, message, remedy, severity, FoundBy.DRY_RUN)


def _not_loaded(definition: FunctionDefinition, failed: DeployFailed) -> CheckFinding:
    told = f"{definition.name} does not load: {reason(failed)}"
    missing = _MISSING.search(str(failed.document.get("errorMessage", "")))
    name = "" if missing is None else missing[1] or missing[2]
    runtime = definition.spec.runtime
    if name and (
        name in LAMBDA_MODULES
        if runtime.startswith("python")
        else is_provided(name, int(runtime.removeprefix("nodejs").partition(".")[0]))
    ):
        mend = f"AWS's runtime has {name}, this machine does not: install it to run it here"
        return _finding("LE-ERR-01", lambda_place(definition), told, mend, sure=False)
    mend = f"{remedy(definition, failed)}; edgeproxy invoke shows the whole error"
    return _finding("LE-ERR-01", _frame(definition, failed), told, mend, sure=True)


def _of_run(project: Project, dry_run: DryRun) -> Iterator[CheckFinding]:
    association, run = dry_run.association, dry_run.run
    name, event_type = association.function, association.event_type
    if run is None:
        definition = project.functions.get(name)
        at = lambda_place(definition) if definition is not None else Place(path=name)
        yield _finding(
            "LE-ERR-04",
            at,
            f"{name} on {event_type} of {dry_run.behavior.path_pattern} was not through when the "
            f"{ALL_S:g} s of the dry runs were over.",
            _SAMPLE,
            sure=False,
        )
        return
    if run.kind == "cloudfront":
        yield from _of_cloudfront(project.cloudfront_functions[name], run)
    else:
        yield from _of_lambda(project.functions[name], run)


def _of_cloudfront(function: CloudFrontFunction, run: FunctionRun) -> Iterator[CheckFinding]:
    yield from _judged(run, cloudfront_place(function))
    if run.error == "Unhandled" and isinstance(run.error_document, dict):
        message = str(run.error_document["errorMessage"])
        told = _LINE.search(message)
        at = cloudfront_place(function, int(told["line"]) if told else None)
        if told and told["file"]:  # Of code that was compiled, the file that people wrote.
            at = Place(Path(told["file"]), int(told["line"]), at.path)
        yield _finding(
            "CFF-ERR-01",
            at,
            f"{function.name} fails on {run.event_type}: {_LINE.sub('', message)}",
            _SAMPLE,
            sure=message.partition(":")[0] in _SURE,
        )


def _of_lambda(definition: FunctionDefinition, run: FunctionRun) -> Iterator[CheckFinding]:
    if run.error != "Throttled":
        yield from _judged(run, lambda_place(definition))
    else:
        yield _finding(
            "LE-ERR-03",
            lambda_place(definition),
            f"{definition.name} is throttled: its reserved concurrency is reached.",
            "reserve more, or nothing",
            sure=False,
        )
    if not isinstance(run.error_document, dict):
        return
    log = tuple(line for line in run.log if isinstance(line, LogRecord))
    failed = DeployFailed(definition.name, run.error_document, log, still_serving=False)
    yield _finding(
        "LE-ERR-04" if run.error == "Timeout" else "LE-ERR-01",
        _frame(definition, failed),
        f"{definition.name} fails on {run.event_type}: {reason(failed)}",
        _SAMPLE,
        sure=run.error == "InitError" or run.error_document.get("errorType") in _SURE,
    )


def _judged(run: FunctionRun, at: Place) -> Iterator[CheckFinding]:
    """What was said of the result; the last finding of a refused one is why."""
    *notes, last = run.findings or (None,)
    for note in (*notes, last):
        if isinstance(note, Finding):
            is_refused = run.error == "Validation" and note is last
            what = "returns what CloudFront refuses" if is_refused else "returns"
            message = f"{run.name} {what} on {run.event_type}: {note.message}"
            yield _finding(note.rule, at, message, note.remedy, sure=is_refused)


def _frame(definition: FunctionDefinition, failed: DeployFailed) -> Place:
    """The function's own line in the stack."""
    found = _FRAME.search(place(failed))
    if found is None:
        return lambda_place(definition)
    name, line = found["py"] or found["js"], found["py_line"] or found["js_line"]
    root = definition.spec.code_root
    file = root / name.removeprefix("/var/task/")
    if not (file.is_file() and file.is_relative_to(root)):
        return lambda_place(definition)
    return lambda_place(definition, file, int(line), int(found["column"] or 0) or None)
