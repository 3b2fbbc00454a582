"""What puts a visitor on a side of their choice, as far as the declaration tells it."""

import re
from typing import Final

from edgeproxy.errors import UsageError
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.http.forced import Forced

__all__ = ["PUTS_THERE", "forced", "viewer_names"]

PUTS_THERE: Final = frozenset({MarkKind.COOKIE, MarkKind.SENT_HEADER, MarkKind.FUNCTION_VERSION})
"""Marks that not only show a visitor's side."""

_MOST: Final = 40
"""Characters of a viewer's name."""

_NOT_FORCED: Final = {
    MarkKind.REQUEST_HEADER: "a function before the cache makes the {mark}, and it is not declared "
    "what that goes by",
    MarkKind.RESPONSE_HEADER: "the {mark} comes with the answer",
    MarkKind.ORIGIN: "the origin is chosen behind the cache",
    MarkKind.PATH_PREFIX: "the path is chosen behind the cache",
    MarkKind.BODY: "the body comes with the answer",
}
_REMEDY: Final = (
    "as soon as a visitor with cookies has been seen there, theirs can be taken; or declare the "
    "cookie or sent_header that decides as the assignment, and this as the exposure"
)


def forced(experiment: Experiment, variant: str) -> Forced:
    """What puts a viewer on ``variant``. Raises ``UsageError`` with what stands against it."""
    if variant not in experiment.shares:
        raise UsageError(
            f"experiment {experiment.name} has no variant {variant!r}",
            remedy=f"it has {', '.join(experiment.shares)}",
        )
    mark = experiment.assignment
    text = mark.texts.get(variant, variant)
    match mark.kind:
        case MarkKind.COOKIE:
            return Forced("cookies", "", f"{mark.name}={text}")
        case MarkKind.SENT_HEADER:
            return Forced("header", mark.name, text)
        case MarkKind.FUNCTION_VERSION:
            return Forced("function version", mark.name, text)
        case kind:
            why = _NOT_FORCED[kind].format(mark=mark)
            raise UsageError(f"Nobody can be put on {variant} yet: {why}", remedy=_REMEDY)


def viewer_names(experiment: Experiment) -> dict[str, str]:
    """For each variant the name of the viewer who is put on it, fit for a host name."""
    names: dict[str, str] = {}
    for variant in experiment.shares:
        name = _plain(f"{experiment.name}-{variant}") or "side"
        if name in names.values() or len(name) > _MOST:
            ending = f"-{len(names) + 1}"
            name = name[: _MOST - len(ending)].rstrip("-") + ending
        names[variant] = name
    return names


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
