"""The result of a run as one JSON document, from which every other form is made.

Times are in milliseconds, ratios from 0 to 1, what is not known is null.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.statistics import certainly_off, interval_of, share_test
from edgeproxy.experiments.tally import Example, Tally, Totals
from edgeproxy.experiments.traffic import Run

__all__ = ["holds", "remedy_for", "report_of"]

_SHOWN_PROBLEMS: Final = 20


def report_of(run: Run, remedies: Iterable[str] = ()) -> dict[str, Any]:
    """The report of a run; ``remedies`` are what would mend its leaks."""
    tally, experiment = run.tally, run.experiment
    totals = tally.by_variant.values()
    report: dict[str, Any] = {
        "experiment": experiment.name,
        "url": run.url,
        "visitors": {"planned": run.plan.visitors, "made": run.visitors},
        "requests": sum(each.requests for each in totals),
        "requests_per_visitor": run.plan.requests,
        "seed": run.plan.seed,
        "duration_s": round(run.duration_s, 3),
        "partial": run.partial,
        "stopped": run.stopped or None,
        "variants": {name: _variant(run, name) for name in experiment.shares},
        "share_test": asdict(share_test(tally.visitors, experiment.shares)),
        "without_variant": {
            "visitors": tally.unassigned,
            "first_requests": tally.late,
            "undeclared": dict(tally.unexpected),
            "other_cookies": sorted(tally.other_cookies)[:_SHOWN_PROBLEMS],
            "stored_cookies": tally.stored_cookies,
        },
        "assignment": str(experiment.assignment),
        "switches": {"visitors": tally.switches, "examples": _examples(tally, "switch")},
        "leaks": {
            "responses": tally.leaked,
            "by_sides": [
                {"made_for": made_for, "got_by": got_by, "responses": count}
                for (made_for, got_by), count in sorted(tally.leaks.items())
            ],
            "examples": _examples(tally, "leak"),
            "remedies": list(remedies),
        },
        "problems": dict(
            sorted(tally.problems.items(), key=lambda item: -item[1])[:_SHOWN_PROBLEMS]
        ),
        "causes": {problem: cause for problem, cause in tally.causes.items() if cause},
        "segments": [
            {"segment": kind, "value": value, "variant": variant, **_totals(each)}
            for (kind, value, variant), each in sorted(tally.segments.items())
        ],
        "timeline": [asdict(moment) for moment in run.moments],
    }
    report["requirements"] = _requirements(run, report)
    report["holds"] = holds(report)
    return report


def holds(report: dict[str, Any]) -> bool:
    """Whether everything that must hold does, by a whole run or one that was certain earlier."""
    return all(each["holds"] for each in report["requirements"]) and not report["partial"]


def _variant(run: Run, name: str) -> dict[str, Any]:
    tally = run.tally
    visitors, assigned = tally.visitors[name], tally.assigned
    interval = interval_of(visitors, assigned)
    return {
        "expected_share": run.experiment.shares[name],
        "visitors": visitors,
        "share": visitors / assigned if assigned else None,
        "share_low": interval.low,
        "share_high": interval.high,
        **_totals(tally.by_variant.get(name, Totals())),
    }


def _totals(totals: Totals) -> dict[str, Any]:
    times: dict[str, Any] = {}
    for percent in (50, 95, 99):
        interval = totals.durations.interval(percent)
        times[f"p{percent}_ms"] = _rounded(totals.durations.percentile(percent))
        times[f"p{percent}_ms_low"] = _rounded(interval.low if interval else None)
        times[f"p{percent}_ms_high"] = _rounded(interval.high if interval else None)
    return {
        "requests": totals.requests,
        "hits": totals.hits,
        "hit_ratio": totals.hits / totals.requests if totals.requests else None,
        "origin_requests": totals.origin_requests,
        "errors": totals.errors,
        **times,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _examples(tally: Tally, kind: str) -> list[dict[str, Any]]:
    return [_example(example) for example in tally.examples if example.kind == kind]


def _example(example: Example) -> dict[str, Any]:
    return {
        "visitor": example.visitor,
        "request": example.request,
        "path": example.path,
        "variant": example.variant,
        "other": example.other,
        "why": example.why,
        "exchange": example.exchange_id,
        "key": [{"part": part, "value": value} for part, value in example.key or ()],
    }


def _requirements(run: Run, report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each thing that must hold, whether it does, and by what."""
    must, tally = run.experiment.requirements, run.tally
    result: list[dict[str, Any]] = []

    def add(name: str, holds_: bool, why: str) -> None:
        result.append({"name": name, "holds": holds_, "why": why})

    if must.share_alpha is not None:
        p_value = report["share_test"]["p_value"]
        if certainly_off(tally.visitors, run.experiment.shares, must.share_alpha):
            add("shares", False, "sample ratio mismatch: certain, whenever the run ends")
        elif p_value is None:
            add("shares", False, f"{tally.assigned} visitors with a variant are too few to tell")
        else:
            fits = p_value >= must.share_alpha
            add("shares", fits, f"chi-square test: p = {p_value:.3g}, at least {must.share_alpha:g}"
                if fits else f"sample ratio mismatch: p = {p_value:.3g} < {must.share_alpha:g}",
            )  # fmt: skip
    if must.share_within is not None:
        off = max(
            abs((each["share"] or 0) - each["expected_share"])
            for each in report["variants"].values()
        )
        add("share_within", off <= must.share_within,
            f"off by {off * 100:.2f} points, {must.share_within * 100:g} may be",
        )  # fmt: skip
    for name, limit, count, what in (
        ("max_switches", must.max_switches, tally.switches, "visitors changed sides"),
        ("max_leaks", must.max_leaks, tally.leaked, "responses went to the other side"),
        ("max_unassigned", must.max_unassigned, tally.unassigned, "visitors had no variant"),
        (
            "max_stored_cookies",
            must.max_stored_cookies,
            tally.stored_cookies,
            "visitors got a cookie that is stored with an object",
        ),
    ):
        if limit is not None:
            add(name, count <= limit, f"{count} {what}, {limit:g} may")
    requests = report["requests"]
    if must.max_error_ratio is not None:
        ratio = tally.errors / requests if requests else 1.0
        add("max_error_ratio", ratio <= must.max_error_ratio,
            f"{tally.errors} of {requests} requests failed",
        )  # fmt: skip
    if must.min_hit_ratio is not None:
        hits = sum(each.hits for each in tally.by_variant.values())
        ratio = hits / requests if requests else 0.0
        add("min_hit_ratio", ratio >= must.min_hit_ratio,
            f"{ratio:.1%} of the requests were hits, {must.min_hit_ratio:.1%} must be",
        )  # fmt: skip
    if must.max_p95_ms is not None:
        slowest = max(each["p95_ms"] or 0.0 for each in report["variants"].values())
        add("max_p95_ms", slowest <= must.max_p95_ms,
            f"95 of 100 requests took at most {slowest:.1f} ms, {must.max_p95_ms:g} may be",
        )  # fmt: skip
    return result


def remedy_for(experiment: Experiment, example: Example, explained: dict[str, Any]) -> str:
    """What would mend a leak, from what ``edgeproxy explain`` tells of its URL."""
    behavior, mark = explained["behavior"], experiment.assignment
    if choice := explained.get("continuous_deployment"):
        return (
            f"{example.path}: {choice['policy']} sends visitors of {example.variant} to "
            f"{choice['chosen']}: {choice['why']}"
        )
    where = f"behavior {behavior['path_pattern']}"
    policy = behavior["cache_policy"]
    parts = [part for part, _ in example.key or ()]
    label = f"{'cookie' if mark.kind is MarkKind.COOKIE else 'header'} {mark.name}".lower()
    is_keyed = label in [part.lower() for part in parts]
    if example.why != "from the cache":
        dropped = "" if is_keyed else ", and functions before the cache must not drop it"
        return (
            f"{example.path}: the origin answered a visitor of {example.variant} with the side of "
            f"{example.other}: what chooses the side there must read the {mark}{dropped}"
        )
    if not is_keyed:
        add = f"add it to the legacy cache settings of {where}"
        if policy is not None:
            add = f"add it to the cache policy {policy} of {where}"
            if policy.startswith("Managed-"):
                add = f"{where} needs a cache policy of its own with it instead of {policy}"
        return f"{example.path}: the {mark} is not in the cache key ({', '.join(parts)}): {add}"
    return (
        f"{example.path}: the {mark} is in the cache key, but the object was made for another side:"
        f" what makes it at {where} must choose by the {mark} of the request that the cache saw"
    )
