"""Counts what visitors saw, in memory that does not grow with their number."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from edgeproxy.experiments.model import OF_VISITORS, Experiment, MarkKind
from edgeproxy.experiments.recognition import (
    Answer,
    Key,
    Record,
    shown_at_origin,
    variant_in,
)
from edgeproxy.experiments.statistics import Durations
from edgeproxy.experiments.visitors import Visitor

__all__ = ["OTHERS", "UNASSIGNED", "Example", "Seen", "Tally", "Totals"]

UNASSIGNED: Final = "(none)"
"""Stands for the variant of visitors of whom none could be seen."""

OTHERS: Final = "(others)"
"""Stands for undeclared variants that are too many to be named."""

_NO_PAGE: Final = (0, 429)
"""No answer, and that of a function URL whose function is throttled."""
_EXAMPLES: Final = 10
_UNDECLARED: Final = 5
_SIDES: Final = 400
"""Pairs of sides between which leaks are counted: those of as many variants as there may be."""
_LOOK_INTO: Final = 50
"""Most get a cached error, and not all records tell what it came of."""
_MAX_OBJECTS: Final = 100_000
"""Of how many objects it is known for whom they were made."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of a visitor and what came of it. ``request`` counts from 0."""

    visitor: Visitor
    request: int
    path: str
    sent_cookie: str | None
    """The assignment's cookie in the request."""
    answer: Answer
    duration_ms: float
    exchange_id: str = ""


@dataclass(slots=True)
class Totals:
    """What happened to the requests of one group of visitors."""

    requests: int = 0
    hits: int = 0
    origin_requests: int = 0
    errors: int = 0
    durations: Durations = field(default_factory=Durations)


@dataclass(slots=True)
class Example:
    """One case of what must not happen."""

    kind: str
    """``leak`` or ``switch``."""
    visitor: int
    request: int
    path: str
    variant: str
    other: str
    """Whose answer it was, or the side that the visitor changed to."""
    why: str
    exchange_id: str = ""
    key: Key | None = None
    """Of a leak: the key by which the cache was asked, when that has been looked up."""


class Tally:
    """All that an experiment's run has shown so far."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._made_for: OrderedDict[str, str] = OrderedDict()
        self.visitors: dict[str, int] = dict.fromkeys(experiment.shares, 0)
        """By the variant they were first seen on."""
        self.by_variant: dict[str, Totals] = {}
        self.segments: dict[tuple[str, str, str], Totals] = {}
        """By kind of segment (``country``, ``device``, ``visit``), its value, and variant."""
        self.leaks: dict[tuple[str, str], int] = {}
        """By the variant a response was made for, and that of the visitor who got it."""
        self.switches = 0
        self.unassigned = 0
        self.other_cookies: set[str] = set()
        """Names of cookies that visitors without a side had; not all, if they are many."""
        self.stored_cookies = 0
        """Visitors whose side was stored with an object, as far as it was looked into."""
        self.late = 0
        """Visitors whose first answer did not tell their side."""
        self.errors = 0
        """Requests without an answer, throttled ones, and those with a status from 500 on."""
        self.unexpected: dict[str, int] = {}
        """Visitors by a variant that is not declared; those of many are counted together."""
        self.problems: dict[str, int] = {}
        """Requests without an answer or with an error status, by that and ``X-Cache``."""
        self.troubled: dict[str, list[str]] = {}
        """IDs of the first requests with each problem, until its cause has been looked up."""
        self.causes: dict[str, str] = {}
        """Why requests have a problem, empty where no record told."""
        self.examples: list[Example] = []

    @property
    def assigned(self) -> int:
        """Visitors on one of the declared sides."""
        return sum(self.visitors.values())

    @property
    def leaked(self) -> int:
        return sum(self.leaks.values())

    def round(self, round_: Sequence[Seen]) -> None:
        """Count a round of requests, at most one a visitor, all of them answered."""
        # Who had an object made may have ended after those who got it from the cache.
        for seen in round_:
            self._note_origin(seen)
        for seen in round_:
            _ = self._count(seen)

    def follow(self, seen: Sequence[Seen]) -> Iterator[tuple[Seen, list[Example]]]:
        """Count requests in the order in which they ended, each with what must not happen.

        ``seen`` are all of some time: who waited for an object may have ended before the one for
        whom it was made.
        """
        for each in seen:
            record = each.answer.record
            if record is not None and record["cache_key"] not in self._made_for:
                self._note_origin(each)
        for each in seen:
            self._note_origin(each)
            yield each, self._count(each)

    def left(self, visitor: Visitor) -> None:
        """A visitor will not come again."""
        if visitor.variant is None:
            self.unassigned += 1
            if len(self.other_cookies) < _UNDECLARED:
                self.other_cookies |= visitor.jar.names

    def _note_origin(self, seen: Seen) -> None:
        record = seen.answer.record
        if not _is_made_anew(record) or not (key := record["cache_key"]):
            return
        variant = self._shown(seen.answer, record)
        self._made_for.pop(key, None)
        if variant is not None:
            self._made_for[key] = variant
            if len(self._made_for) > _MAX_OBJECTS:
                self._made_for.popitem(last=False)

    def _shown(self, answer: Answer, record: Record) -> str | None:
        """The variant that an answer of the origin was made for, as far as it can be seen."""
        assignment, exposure = self._experiment.assignment, self._experiment.exposure
        if exposure is None and assignment.kind in OF_VISITORS:
            return shown_at_origin(assignment, record)
        return variant_in(exposure or assignment, answer)

    def _count(self, seen: Seen) -> list[Example]:
        visitor, answer, found = seen.visitor, seen.answer, []
        made_for = self._exposure(answer)
        variant = variant_in(self._experiment.assignment, answer)
        if self._experiment.assignment.kind not in OF_VISITORS:
            variant = made_for if variant is None else variant
            if self._experiment.exposure is None:
                made_for = None  # The same mark cannot tell both sides apart.
        if variant is not None and variant not in self._experiment.shares:
            self._undeclared(visitor, variant)
            variant = None
        if variant is None:
            self.late += seen.request == 0
        elif visitor.variant is None:
            visitor.variant = visitor.seen = variant
            self.visitors[variant] += 1
        elif variant != visitor.seen:
            found.append(self._switched(seen, variant))
        if made_for is not None and variant is not None and made_for != variant:
            found.append(self._leaked(seen, variant, made_for))
        self._add(seen, visitor.seen or UNASSIGNED)
        return found

    def _exposure(self, answer: Answer) -> str | None:
        """The variant that an answer was made for, as far as it can be seen."""
        mark, record = self._experiment.exposure, answer.record
        if mark is not None and (shown := variant_in(mark, answer)) is not None:
            return shown
        if _is_made_anew(record):
            # Others of the round may have had the same object made since.
            return self._shown(answer, record)
        return None if record is None else self._made_for.get(record["cache_key"] or "")

    def _undeclared(self, visitor: Visitor, variant: str) -> None:
        """Count a visitor on no declared side, once. Random values are no names to be kept."""
        if visitor.seen is None and not visitor.undeclared:
            visitor.undeclared = True
            if variant not in self.unexpected and len(self.unexpected) >= _UNDECLARED:
                variant = OTHERS
            self.unexpected[variant] = self.unexpected.get(variant, 0) + 1

    def _switched(self, seen: Seen, variant: str) -> Example:
        visitor, mark = seen.visitor, self._experiment.assignment
        if not visitor.switched:
            visitor.switched = True
            self.switches += 1
        if mark.kind is not MarkKind.COOKIE:
            why = f"the {mark} was another"
        elif seen.sent_cookie is None:
            why = f"the cookie {mark.name} had ended, and the answer assigned anew"
        else:
            why = f"the answer replaced the cookie {mark.name}={seen.sent_cookie}"
        example = self._show("switch", seen, visitor.seen or "", variant, why)
        visitor.seen = variant
        return example

    def _leaked(self, seen: Seen, variant: str, made_for: str) -> Example:
        sides = made_for, variant
        if sides not in self.leaks and len(self.leaks) >= _SIDES:
            sides = OTHERS, variant
        self.leaks[sides] = self.leaks.get(sides, 0) + 1
        cached = seen.answer.header("X-Cache").startswith(("Hit", "RefreshHit"))
        why = "from the cache" if cached else "fresh from the origin"
        return self._show("leak", seen, variant, made_for, why)

    def _show(self, kind: str, seen: Seen, variant: str, other: str, why: str) -> Example:
        number, request = seen.visitor.number, seen.request
        shown = Example(kind, number, request, seen.path, variant, other, why, seen.exchange_id)
        if sum(example.kind == kind for example in self.examples) < _EXAMPLES:
            self.examples.append(shown)
        return shown

    def _add(self, seen: Seen, variant: str) -> None:
        visitor, answer = seen.visitor, seen.answer
        visit = "first" if seen.request == 0 else "returning"
        x_cache = answer.header("X-Cache")
        is_hit = x_cache.startswith(("Hit", "RefreshHit"))
        asked = x_cache.startswith(("Miss", "RefreshHit"))
        segments = (
            ("country", visitor.country, variant),
            ("device", visitor.device, variant),
            ("visit", visit, variant),
        )
        is_error = answer.status in _NO_PAGE or answer.status >= 500
        to_https = x_cache.startswith("Redirect")
        if is_error or answer.status >= 400 or to_https:
            problem = f"{answer.status} {x_cache}".rstrip() if answer.status else "no answer"
            problem += " (throttled)" if answer.status == 429 else ""
            problem += " to HTTPS, which the edge serves with --https-port" if to_https else ""
            self.problems[problem] = self.problems.get(problem, 0) + 1
            if problem not in self.causes:
                known = self.troubled.setdefault(problem, [])
                if seen.exchange_id and len(known) < _LOOK_INTO:
                    known.append(seen.exchange_id)
        self.errors += is_error
        own = self.by_variant.setdefault(variant, Totals())
        for totals in (own, *(self.segments.setdefault(each, Totals()) for each in segments)):
            totals.requests += 1
            totals.hits += is_hit
            totals.origin_requests += asked
            totals.errors += is_error
            totals.durations.add(seen.duration_ms)


def _is_made_anew(record: Record | None) -> TypeGuard[Record]:
    """Whether the origin answered this very request, and not that the object is as it was."""
    return record is not None and bool(record["origin"]) and record["result_type"] != "RefreshHit"
