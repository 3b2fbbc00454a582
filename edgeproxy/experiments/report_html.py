"""A report as one HTML page that needs nothing else: tables, and plots drawn as SVG."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

__all__ = ["page_of"]

_COLOURS: Final = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2")
_WIDTH, _HEIGHT, _LEFT, _BELOW = 640, 220, 48, 28

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet { color: var(--quiet); } .holds { color: #059669; } .broken { color: #dc2626; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } th:first-child, td:first-child, .said * { text-align: left; }
.said td { white-space: normal; overflow-wrap: break-word; }
.said td:first-child { min-width: 4rem; }
.wide, figure { overflow-x: auto; } figure { margin: 1rem 0; }
svg { width: 100%; min-width: 23rem; max-width: 640px; height: auto; font: 14px system-ui; }
svg text { fill: currentColor; } .axis { stroke: var(--line); }
"""


def page_of(report: dict[str, Any]) -> str:
    """The page, with everything that comes from the run escaped."""
    name, visitors = escape(report["experiment"]), report["visitors"]
    verdict = "holds" if report["holds"] else "broken"
    text = "what must hold, holds" if report["holds"] else "something that must hold does not"
    partial = ""
    if report["partial"]:
        partial = f'<p class="broken">Partial: {escape(report["stopped"])}. '
        partial += f"The report rests on {visitors['made']} visitors.</p>"
    elif report["stopped"]:
        partial = f"<p>Stopped early: {escape(report['stopped'])}.</p>"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n"
        f'<h1>{name} <span class="{verdict}">{text}</span></h1>\n'
        f'<p class="quiet">{visitors["made"]} of {visitors["planned"]} visitors, '
        f"{report['requests']} requests in {report['duration_s']:.1f} s at {escape(report['url'])}"
        f", seed {report['seed']}</p>\n{partial}"
        f"{_requirements(report)}{_shares(report)}{_timeline(report)}{_leaks(report)}"
        f"{_switches(report)}{_problems(report)}{_segments(report)}</body></html>\n"
    )


def _requirements(report: dict[str, Any]) -> str:
    words = {True: "holds", False: "broken"}
    rows = (
        (
            f'<span class="{words[each["holds"]]}">{words[each["holds"]]}</span>',
            escape(each["name"]),
            escape(each["why"]),
        )
        for each in report["requirements"]
    )
    return "<h2>What must hold</h2>" + _said(("", "requirement", "because"), rows)


def _shares(report: dict[str, Any]) -> str:
    variants = report["variants"]
    top: float = max(max(each["share_high"], each["expected_share"]) for each in variants.values())
    height = 34 * len(variants) + _BELOW

    def x(share: float) -> float:
        return 120 + (_WIDTH - 140) * share / max(top * 1.1, 0.01)

    marks = []
    for number, (name, each) in enumerate(variants.items()):
        y, colour = 17 + 34 * number, _COLOURS[number % len(_COLOURS)]
        share = each["share"] or 0
        marks.append(
            f'<text x="112" y="{y + 4}" text-anchor="end">{_short(name)}</text>'
            f'<line x1="{x(each["share_low"]):.1f}" x2="{x(each["share_high"]):.1f}" y1="{y}" '
            f'y2="{y}" stroke="{colour}" stroke-width="6" stroke-opacity=".4"/>'
            f'<circle cx="{x(share):.1f}" cy="{y}" r="5" fill="{colour}"/>'
            f'<line x1="{x(each["expected_share"]):.1f}" x2="{x(each["expected_share"]):.1f}" '
            f'y1="{y - 11}" y2="{y + 11}" stroke="currentColor" stroke-dasharray="3 2"/>'
        )
    marks += [
        f'<text x="{x(share):.1f}" y="{height - 6}" text-anchor="middle">{share:.0%}</text>'
        for share in (0.0, top)
    ]
    p_value = report["share_test"]["p_value"]
    tested = (
        "too few visitors to test" if p_value is None else f"chi-square test: p = {p_value:.3g}"
    )
    rows = (
        (
            escape(name),
            _percent(each["expected_share"]),
            _percent(each["share"]),
            f"{each['share_low']:.1%} – {each['share_high']:.1%}",
            str(each["visitors"]),
            _percent(each["hit_ratio"]),
            str(each["origin_requests"]),
            str(each["errors"]),
            *(_ms(each[f"p{percent}_ms"]) for percent in (50, 95, 99)),
        )
        for name, each in variants.items()
    )
    heads = ("variant", "expected", "share", "95 % interval", "visitors", "hits",
             "origin requests", "errors", "p50 ms", "p95 ms", "p99 ms")  # fmt: skip
    plot = _svg(height, "Share of each variant with its interval; dashed: expected", marks)
    return f'<h2>Shares</h2><p class="quiet">{tested}</p>{plot}' + _table(heads, rows)


def _timeline(report: dict[str, Any]) -> str:
    moments = report["timeline"]
    if len(moments) < 2:
        return ""
    shares = {
        name: [
            each["by_variant"][name] / (sum(each["by_variant"].values()) or 1) for each in moments
        ]
        for name in report["variants"]
    }
    ratios = {
        "hits": [each["hits"] / (each["requests"] or 1) for each in moments],
        "errors": [each["errors"] / (each["requests"] or 1) for each in moments],
    }
    counts = [each["visitors"] for each in moments]
    return (
        "<h2>Over time</h2>"
        + _lines("Share of each variant so far", counts, shares)
        + _lines("Hits and errors so far, of all requests", counts, ratios)
    )


def _lines(title: str, counts: Sequence[int], series: dict[str, list[float]]) -> str:
    top = max(max(values) for values in series.values()) or 1.0
    bottom = _HEIGHT - _BELOW

    def point(count: int, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 90) * count / counts[-1]
        return f"{x:.1f},{bottom - (bottom - 10) * value / top:.1f}"

    axes = (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - 90}" y1="{bottom}" y2="{bottom}"/>'
        f'<text x="{_LEFT - 6}" y="14" text-anchor="end">{top:.0%}</text>'
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{_WIDTH - 90}" y="{_HEIGHT - 8}" text-anchor="end">{counts[-1]} visitors</text>'
    )
    marks = [axes]
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(map(point, counts, values))
        marks.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<rect x="{_WIDTH - 80}" y="{12 + 18 * number}" width="10" height="10" '
            f'fill="{colour}"/><text x="{_WIDTH - 64}" y="{21 + 18 * number}">{_short(name)}</text>'
        )
    return _svg(max(_HEIGHT, 18 * len(series) + 12), title, marks)


def _leaks(report: dict[str, Any]) -> str:
    leaks = report["leaks"]
    if not leaks["responses"]:
        return ""
    rows = (
        (
            escape(each["made_for"]) + " → " + escape(each["got_by"]),
            str(each["responses"]),
        )
        for each in leaks["by_sides"]
    )
    examples = (
        (
            escape(each["path"]),
            str(each["visitor"]),
            str(each["request"] + 1),
            escape(f"{each['other']} → {each['variant']}"),
            escape(each["why"]),
            escape(", ".join(f"{part['part']}={part['value']}" for part in each["key"])),
        )
        for each in leaks["examples"]
    )
    remedies = "".join(f"<li>{escape(remedy)}</li>" for remedy in leaks["remedies"])
    heads = ("path", "visitor", "request", "sides", "how", "cache key")
    return (
        "<h2>Leaks: made for one side, served to another</h2>"
        + _said(("made for → got by", "responses"), rows)
        + _said(heads, examples)
        + (f"<ul>{remedies}</ul>" if remedies else "")
    )


def _switches(report: dict[str, Any]) -> str:
    switches = report["switches"]
    if not switches["visitors"]:
        return ""
    rows = (
        (
            escape(each["path"]),
            str(each["visitor"]),
            str(each["request"] + 1),
            escape(f"{each['variant']} → {each['other']}"),
            escape(each["why"]),
        )
        for each in switches["examples"]
    )
    return f"<h2>{switches['visitors']} visitors changed sides</h2>" + _said(
        ("path", "visitor", "request", "sides", "why"), rows
    )


def _problems(report: dict[str, Any]) -> str:
    """Answers that were no pages, and visitors on no side."""
    without = report["without_variant"]
    causes = report["causes"]
    rows = [
        (escape(f"{problem}: {causes[problem]}" if problem in causes else problem), str(count))
        for problem, count in report["problems"].items()
    ]
    if without["visitors"]:
        rows.append(("visitors who never had a variant", str(without["visitors"])))
    rows += [
        (f"visitors on the undeclared side {escape(name)}", str(count))
        for name, count in without["undeclared"].items()
    ]
    return "<h2>Problems</h2>" + _said(("", "count"), rows) if rows else ""


def _segments(report: dict[str, Any]) -> str:
    rows = (
        (
            escape(f"{each['segment']} {each['value']}"),
            escape(each["variant"]),
            str(each["requests"]),
            _percent(each["hit_ratio"]),
            str(each["origin_requests"]),
            str(each["errors"]),
            *(_ms(each[f"p{percent}_ms"]) for percent in (50, 95, 99)),
        )
        for each in report["segments"]
    )
    heads = ("segment", "variant", "requests", "hits", "origin requests", "errors",
             "p50 ms", "p95 ms", "p99 ms")  # fmt: skip
    return "<h2>Segments</h2>" + _table(heads, rows)


def _said(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of texts more than of numbers."""
    return _table(heads, rows).replace("<table>", '<table class="said">', 1)


def _short(name: str) -> str:
    """As much of a variant's name as a plot has room for."""
    return escape(name if len(name) <= 8 else name[:7] + "…")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>\n'


def _svg(height: int, title: str, marks: Iterable[str]) -> str:
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f'{"".join(marks)}</svg><figcaption class="quiet">{escape(title)}</figcaption></figure>\n'
    )


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1%}"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
