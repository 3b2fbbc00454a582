"""The report of a run, and its page."""

from typing import Any

from edgeproxy.experiments.model import Experiment, Mark, MarkKind
from edgeproxy.experiments.recognition import Answer
from edgeproxy.experiments.report import report_of
from edgeproxy.experiments.report_html import page_of
from edgeproxy.experiments.report_text import report_lines
from edgeproxy.experiments.tally import Seen, Tally
from edgeproxy.experiments.traffic import Plan, Run
from edgeproxy.experiments.visitors import population

EVIL = "<script>b&"


def report(shares: dict[str, float], sides: str) -> dict[str, Any]:
    """Of visitors who came once each, with the cookie of those sides; ``-`` is without."""
    run = Run(
        Experiment("x", Mark(MarkKind.COOKIE, "ab", {"a": "a", EVIL: "b"}), shares),
        Plan(visitors=len(sides), requests=1),
        Tally(Experiment("x", Mark(MarkKind.COOKIE, "ab", {"a": "a", EVIL: "b"}), shares)),
        visitors=len(sides),
    )
    for visitor, side in zip(population(len(sides), 1), sides, strict=True):
        visitor.jar.store(["AB=a"], "/", 0)
        own = None if side == "-" else side
        answer = Answer(429 if own is None else 200, own=own)
        run.tally.round([Seen(visitor, 0, "/", None, answer, 1.0)])
        run.tally.left(visitor)
    return report_of(run)


def shares_of(document: dict[str, Any]) -> tuple[bool, str]:
    (found,) = [each for each in document["requirements"] if each["name"] == "shares"]
    return found["holds"], found["why"]


def test_a_mismatch_is_said_to_be_one_although_few_were_expected_on_a_side() -> None:
    one_percent = {"a": 0.99, EVIL: 0.01}
    assert shares_of(report(one_percent, "a" * 30 + "b" * 20)) == (
        False,
        "sample ratio mismatch: certain, whenever the run ends",
    )
    few = shares_of(report(one_percent, "a" * 50))
    assert few == (False, "50 visitors with a variant are too few to tell")
    assert shares_of(report({"a": 0.5, EVIL: 0.5}, "ab" * 25))[0]


def test_who_never_had_a_side_and_what_they_got_is_on_the_page_and_in_the_text() -> None:
    document = report({"a": 0.5, EVIL: 0.5}, "ab" * 25 + "---")
    page = page_of(document)
    assert "<td>429 (throttled)</td><td>3</td>" in page
    assert "<td>visitors who never had a variant</td><td>3</td>" in page
    assert "<script" not in page
    assert "&lt;script&gt;b&amp;" in page
    text = "\n".join(report_lines(document))
    assert "told by the cookie ab; cookies that they had: AB" in text
    assert "3 requests ended with 429 (throttled)" in text
