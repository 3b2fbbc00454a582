"""What counts say: whether shares are the expected ones, and how far a share may really be off.

Tests are SciPy's. What a running edge tells live, it has to tell without: the interval of a share
is Wilson's formula itself. The test that may be looked at after every visitor compares the
counts under the expected shares with their Dirichlet mixture, as Lindon and Malek describe it
("Anytime-Valid Inference for Multinomial Count Data", 2022): by Ville's inequality its evidence
exceeds 1/alpha with a probability of at most alpha, however often somebody looks.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, Final

from edgeproxy.errors import UsageError

__all__ = [
    "Durations",
    "Interval",
    "ShareTest",
    "adjusted",
    "certainly_off",
    "differ",
    "evidence_against",
    "interval_of",
    "share_test",
]

_CONFIDENCE: Final = 0.95
_DEVIATIONS: Final = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
_CONCENTRATION: Final = 100.0
"""How sharply the mixture lies around the expected shares: deviations of some points count most."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a share really lies, with a confidence of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShareTest:
    """How well counts fit the expected shares.

    ``p_value`` is the probability of counts at least this far off if the shares are right; None
    while there are too few visitors to tell (fewer than 5 expected for some variant).
    """

    chi_square: float
    p_value: float | None


@cache
def _scipy() -> Any:
    try:
        import scipy.stats
    except ImportError as error:
        raise UsageError(
            "experiments need SciPy for their statistics",
            remedy="pip install 'edgeproxy[experiments]'",
        ) from error
    return scipy


def share_test(counts: Mapping[str, int], shares: Mapping[str, float]) -> ShareTest:
    """The chi-square test of ``counts`` against ``shares``; what is missing counts as 0."""
    total = sum(counts.get(variant, 0) for variant in shares)
    if total == 0:
        return ShareTest(0.0, None)
    found = [counts.get(variant, 0) for variant in shares]
    expected = [total * share for share in shares.values()]
    result = _scipy().stats.chisquare(found, expected)
    p_value = float(result.pvalue) if min(expected) >= 5 else None
    return ShareTest(float(result.statistic), p_value)


def evidence_against(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """The natural logarithm of how many times likelier the counts are under other shares.

    When it exceeds ``-log(alpha)`` the shares are not the expected ones; it may be asked for at any
    time and as often as one likes.
    """
    log_gamma = math.lgamma
    total = sum(counts.get(variant, 0) for variant in shares)
    evidence = log_gamma(_CONCENTRATION) - log_gamma(_CONCENTRATION + total)
    for variant, share in shares.items():
        prior, count = _CONCENTRATION * share, counts.get(variant, 0)
        evidence += log_gamma(prior + count) - log_gamma(prior) - count * math.log(share)
    return evidence


def certainly_off(counts: Mapping[str, int], shares: Mapping[str, float], alpha: float) -> bool:
    """Whether the evidence tells, so far, that the shares are not the expected ones."""
    return alpha > 0 and evidence_against(counts, shares) > -math.log(alpha)


def interval_of(count: int, total: int) -> Interval:
    """Wilson's interval of the share that ``count`` of ``total`` have."""
    if total == 0:
        return Interval(0.0, 1.0)
    share, spread = count / total, _DEVIATIONS**2 / total
    middle = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = ((middle + each) / (1 + spread) for each in (-half, half))
    return Interval(low if count else 0.0, high if count < total else 1.0)


def differ(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The probability that two ratios differ so much by chance alone (Fisher's exact test).

    Each is a number of cases and of all.
    """
    table = [[cases, total - cases] for cases, total in (first, second)]
    return float(_scipy().stats.fisher_exact(table).pvalue)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """``p_values`` of tests made together, corrected for their number (Benjamini-Hochberg)."""
    if not p_values:
        return []
    return [float(each) for each in _scipy().stats.false_discovery_control(p_values)]


class Durations:
    """Any number of durations in little memory; percentiles are right within 2.5 %."""

    __slots__ = ("_buckets", "count")

    _STEP: Final = math.log(1.05)
    _LEAST_MS: Final = 0.01

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0

    def add(self, duration_ms: float) -> None:
        bucket = round(math.log(max(duration_ms, self._LEAST_MS)) / self._STEP)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """In milliseconds; None when there is no duration."""
        return self._ranked(math.ceil(self.count * percent / 100)) if self.count else None

    def interval(self, percent: float) -> Interval | None:
        """Where that percentile really lies, whatever the distribution: by ranks."""
        if not self.count:
            return None
        ranks = _scipy().stats.binom.interval(_CONFIDENCE, self.count, percent / 100)
        low, high = (min(max(int(rank), 1), self.count) for rank in ranks)
        return Interval(self._ranked(low), self._ranked(high))

    def _ranked(self, rank: int) -> float:
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                break
        else:
            raise AssertionError("there are not so many")
        return math.exp(bucket * self._STEP)
