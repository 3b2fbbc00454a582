"""Reads an answer and the edge's record of it: what each mark shows.

A record is a summary of ``GET /api/exchanges``, or the document of ``GET /api/exchanges/ID``, which
has the steps besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from edgeproxy.experiments.model import IN_RECORDS, OF_VISITORS, Experiment, Mark, MarkKind
from edgeproxy.http.cookies import parse_cookies

__all__ = [
    "Answer",
    "Key",
    "Record",
    "cause_of",
    "is_stored_with_object",
    "key_of",
    "needs_steps",
    "shown_at_origin",
    "variant_in",
]

Record: TypeAlias = dict[str, Any]

_TELLING: Final = ("admission", "origin")
"""The steps that say why an answer is an error."""

Key: TypeAlias = tuple[tuple[str, str], ...]
"""The labelled parts of a cache key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a viewer got. ``status`` is 0 when nothing came."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    own: str | None = None
    """The assignment's cookie as the visitor would send it from now on, or the header they sent."""
    record: Record | None = None

    def header(self, name: str) -> str:
        """The first header of that name, or nothing."""
        wanted = name.lower()
        return next((value for line, value in self.headers if line.lower() == wanted), "")


def needs_steps(experiment: Experiment, record: Record) -> bool:
    """Whether more than the summary of a request is needed to tell its variant."""
    marks = {experiment.assignment.kind}
    if experiment.exposure is not None:
        marks.add(experiment.exposure.kind)
    if MarkKind.REQUEST_HEADER in marks:
        return True
    by_origin = experiment.exposure is None and experiment.assignment.kind in OF_VISITORS
    return bool(record["origin"]) and (
        by_origin or not marks.isdisjoint((MarkKind.ORIGIN, MarkKind.PATH_PREFIX))
    )


def variant_in(mark: Mark, answer: Answer) -> str | None:
    """The variant that ``mark`` shows in an answer, None when it shows none."""
    if mark.kind in IN_RECORDS:
        return None if answer.record is None else mark.variant_of(_recorded(mark, answer.record))
    match mark.kind:
        case MarkKind.COOKIE | MarkKind.SENT_HEADER:
            found = answer.own or ""
        case MarkKind.RESPONSE_HEADER:
            found = answer.header(mark.name)
        case _:
            found = answer.body
    return mark.variant_of(found)


def _recorded(mark: Mark, record: Record) -> str:
    match mark.kind:
        case MarkKind.REQUEST_HEADER:
            return _header(_asked(record), mark.name)
        case MarkKind.ORIGIN:
            asked = record.get("asked") or {}
            domain_name = str(asked.get("domain_name", ""))
            # A function may send a request to another domain name than that of the origin's ID.
            return domain_name if domain_name in mark.texts.values() else record["origin"] or ""
        case MarkKind.PATH_PREFIX:
            paths: list[str] = [step["before"]["uri"] for step in _steps(record, "origin")]
            return paths[-1] if paths else ""
        case _:
            versions: list[str | None] = [
                run["version"] for run in record["functions"] if run["name"] == mark.name
            ]
            return (versions and versions[-1]) or ""


def key_of(record: Record) -> Key:
    """The parts of the key by which the cache was asked; none where it was not."""
    for step in _steps(record, "cache"):
        if step["decision"] and "key" in step["decision"]:
            return tuple((part["part"], part["value"]) for part in step["decision"]["key"])
    return ()


def cause_of(record: Record) -> str:
    """Why an answer is an error, as far as the edge knows."""
    for step in reversed(record["steps"]):
        run, decision = step.get("function"), step["decision"]
        if run is not None and run["error"]:
            told = (run["error_document"] or {}).get("errorMessage", "")
            findings = [finding["message"] for finding in run["findings"]]
            return f"{run['name']}: {'; '.join(findings) or told or run['error']}"
        if step["name"] in _TELLING and decision and decision["why"]:
            return str(decision["why"])
    return ""


def is_stored_with_object(cookie: str, record: Record) -> bool:
    """Whether the cache's answer already sets that cookie, before any function at the viewer's."""
    for step in _steps(record, "cache"):
        lines = (step["after"] or {}).get("headers", ())
        for name, value in lines:
            if name.lower() == "set-cookie" and value.partition("=")[0].strip() == cookie:
                return True
    return False


def shown_at_origin(mark: Mark, record: Record) -> str | None:
    """The variant that the origin, or the function before it, could see in its request."""
    for name in ("origin-request", "origin"):
        for step in _steps(record, name):
            request = step["before"]
            if mark.kind is MarkKind.COOKIE:
                lines = [value for line, value in request["headers"] if line.lower() == "cookie"]
                return mark.variant_of(dict(parse_cookies(lines)).get(mark.name, ""))
            return mark.variant_of(_header(request, mark.name))
    return None


def _asked(record: Record) -> Record:
    """The request as the cache was asked, or as it came where no cache is."""
    steps = [*_steps(record, "cache"), *_steps(record, "origin")]
    request: Record = steps[0]["before"] if steps else record["request"]
    return request


def _header(request: Record, name: str) -> str:
    wanted = name.lower()
    lines: list[list[str]] = request["headers"]
    return next((value for line, value in lines if line.lower() == wanted), "")


def _steps(record: Record, name: str) -> Iterator[Record]:
    """The steps of that name that have a request before them."""
    for step in record.get("steps", ()):
        if step["name"] == name and step["before"]:
            yield step
