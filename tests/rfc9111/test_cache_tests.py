"""The public suite of HTTP cache tests: each case comes out as it would at CloudFront.

``cloudfront.csv`` names each case of the suite, what comes out of it under two settings of
DefaultTTL, and the rule behind that: many of CloudFront's rules are not those of RFC 9111, and a
case that fails by such a rule has to fail here. ``basis`` says whether CloudFront's documentation
settles the outcome (``documented``), makes it likely (``inferred``) or leaves it open (``open``).
``cloudfront-0.4.5.csv`` holds the lines that differ for the version of the suite on npm.

By default that version is run. To run the newest, check out ``http-tests/cache-tests``, do
``npm install`` there, and name the folder in the environment variable ``EDGEPROXY_CACHE_TESTS``.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.thirdparty.packages import node_modules
from tests.rfc9111.suite import Outcomes, Suite, outcomes

_HERE = Path(__file__).parent
_CHECKOUT = os.environ.get("EDGEPROXY_CACHE_TESTS")
_DEFAULT_TTLS = (0, 86_400)


@dataclass(frozen=True)
class Expected:
    """What CloudFront would make of one case."""

    basis: str
    by_default_ttl: dict[int, str]
    rule: str
    because: str


@pytest.fixture(scope="module")
def expected() -> dict[str, Expected]:
    tables = ["cloudfront.csv"] if _CHECKOUT else ["cloudfront.csv", "cloudfront-0.4.5.csv"]
    return {case: line for table in tables for case, line in _lines(_HERE / table)}


def _lines(table: Path) -> Iterator[tuple[str, Expected]]:
    with table.open(newline="") as file:
        for line in csv.DictReader(file):
            outcome = {ttl_s: line[f"default_ttl_{ttl_s}"] for ttl_s in _DEFAULT_TTLS}
            yield line["case"], Expected(line["basis"], outcome, line["rule"], line["because"])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcomes]:
    """The outcomes for each DefaultTTL; the runs go on at the same time."""
    folder = Path(_CHECKOUT) if _CHECKOUT else node_modules(_HERE) / "http-cache-tests"
    suite = Suite.at(folder)
    with ThreadPoolExecutor() as pool:
        runs = {
            ttl_s: pool.submit(outcomes, suite, ttl_s, tmp_path_factory.mktemp(f"ttl-{ttl_s}"))
            for ttl_s in _DEFAULT_TTLS
        }
        return {ttl_s: run.result() for ttl_s, run in runs.items()}


@pytest.mark.parametrize("default_ttl_s", _DEFAULT_TTLS)
def test_each_case_comes_out_as_at_cloudfront(
    results: dict[int, Outcomes], expected: dict[str, Expected], default_ttl_s: int
) -> None:
    came_out = results[default_ttl_s]
    assert came_out.keys() <= expected.keys(), "cases that the table does not know"
    assert len(came_out) > 300
    wrong = [
        (case, line.by_default_ttl[default_ttl_s], objection or "pass", line.rule, line.because)
        for case, objection in came_out.items()
        if (line := expected[case]).by_default_ttl[default_ttl_s]
        != ("fail" if objection else "pass")
    ]
    assert not wrong, _report(wrong, came_out, expected)


def _report(
    wrong: Sequence[tuple[str, ...]], came_out: Outcomes, expected: dict[str, Expected]
) -> str:
    lines = [f"{'case':44} {'expected':8} rule         got"]
    for case, outcome, got, rule, because in wrong:
        lines += [f"{case:44} {outcome:8} {rule:12} {got}", f"{'':53} ({because})"]
    documented = {case for case in came_out if expected[case].basis == "documented"}
    right = len(documented - {case for case, *_ in wrong})
    lines.append(f"{right} of the {len(documented)} documented cases come out as they should")
    return "\n".join(lines)


def test_a_deviation_from_the_rfc_names_its_rule(expected: dict[str, Expected]) -> None:
    unexplained = [
        case
        for case, line in expected.items()
        if "fail" in line.by_default_ttl.values() and not (line.rule and line.because)
    ]
    assert not unexplained
