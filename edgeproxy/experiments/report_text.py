"""A report for the terminal."""

from collections.abc import Iterator
from typing import Any

__all__ = ["report_lines"]


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """The lines of a report, the verdict last."""
    visitors = report["visitors"]
    yield (
        f"{report['experiment']}: {visitors['made']} of {visitors['planned']} visitors, "
        f"{report['requests']} requests in {report['duration_s']:.1f} s at {report['url']}"
    )
    if report["partial"]:
        yield f"  PARTIAL: {report['stopped']}; the report rests on {visitors['made']} visitors"
    elif report["stopped"]:
        yield f"  stopped early: {report['stopped']}"
    yield ""
    yield (
        f"  {'variant':<12} {'expected':>8} {'share':>7} {'95 % interval':>15} {'visitors':>8} "
        f"{'hits':>6} {'origin':>7} {'errors':>6} {'p50':>7} {'p95':>7} ms"
    )
    for name, each in report["variants"].items():
        interval = f"{each['share_low']:.1%} … {each['share_high']:.1%}"
        yield (
            f"  {name:<12} {each['expected_share']:>8.1%} {_percent(each['share']):>7} "
            f"{interval:>15} {each['visitors']:>8} {_percent(each['hit_ratio']):>6} "
            f"{each['origin_requests']:>7} {each['errors']:>6} "
            f"{_number(each['p50_ms']):>7} {_number(each['p95_ms']):>7}"
        )
    yield from _segments(report)
    yield from _troubles(report)
    yield ""
    for each in report["requirements"]:
        yield f"  {'ok    ' if each['holds'] else 'BROKEN'} {each['name']:<18} {each['why']}"


def _segments(report: dict[str, Any]) -> Iterator[str]:
    """Hit ratios and errors by segment, where there is more than one value of it."""
    yield ""
    for segment in ("visit", "device", "country"):
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in report["segments"]:
            if row["segment"] == segment:
                rows.setdefault(row["value"], []).append(row)
        parts = []
        for value, each in rows.items():
            requests = sum(row["requests"] for row in each)
            hits = sum(row["requests"] * row["hit_ratio"] for row in each)
            parts.append(f"{value} {hits / requests:.0%}")
        if parts:
            yield f"  hits by {segment:<8} {', '.join(parts)}"


def _troubles(report: dict[str, Any]) -> Iterator[str]:
    without, switches, leaks = report["without_variant"], report["switches"], report["leaks"]
    if without["first_requests"]:
        yield (
            f"  {without['first_requests']} visitors' first answers told no variant; "
            f"{without['visitors']} never had one"
        )
    if without["visitors"]:
        had = ", ".join(without["other_cookies"]) or "none"
        yield f"    a variant is told by the {report['assignment']}; cookies that they had: {had}"
    for name, count in without["undeclared"].items():
        yield f"  {count} visitors were on an undeclared side {name!r}"
    if switches["visitors"]:
        yield f"  {switches['visitors']} visitors changed sides:"
    for each in switches["examples"][:3]:
        yield (
            f"    visitor {each['visitor']}, request {each['request'] + 1} ({each['path']}): "
            f"{each['variant']} -> {each['other']}: {each['why']}"
        )
    for each in leaks["by_sides"]:
        yield (
            f"  {each['responses']} responses made for {each['made_for']} "
            f"went to visitors of {each['got_by']}"
        )
    for each in leaks["examples"][:3]:
        key = ", ".join(f"{part['part']}={part['value']}" for part in each["key"])
        yield (
            f"    visitor {each['visitor']}, request {each['request'] + 1} ({each['path']}), "
            f"{each['why']}" + (f"; cache key: {key}" if key else "")
        )
    for remedy in leaks["remedies"]:
        yield f"    -> {remedy}"
    for problem, count in report["problems"].items():
        cause = report["causes"].get(problem)
        yield f"  {count} requests ended with {problem}{f': {cause}' if cause else ''}"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
