"""What differs between two runs of an experiment beyond chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from edgeproxy.experiments.statistics import adjusted, differ

__all__ = ["Difference", "caveats", "compared", "comparison_lines"]

_ALPHA: Final = 0.01
_TIMES: Final = ("p50_ms", "p95_ms")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both reports. ``p_value`` is corrected for the number of comparisons.

    None stands for a figure of which intervals are compared, or that one of the runs lacks.
    """

    what: str
    first: str
    second: str
    p_value: float | None
    beyond_chance: bool


def compared(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """The figures of two reports side by side, in order."""
    tested = [*_ratios(first, second)]
    p_values = adjusted([p_value for *_, p_value in tested])
    found = [
        Difference(what, before, after, p_value, p_value < _ALPHA)
        for (what, before, after, _), p_value in zip(tested, p_values, strict=True)
    ]
    return [*found, *_times(first, second), *_only_in_one(first, second)]


def comparison_lines(first: str, second: str, differences: list[Difference]) -> Iterator[str]:
    """For the terminal: what changed beyond chance first."""
    changed = [each for each in differences if each.beyond_chance]
    yield f"{first} -> {second}: {len(changed)} of {len(differences)} figures differ beyond chance"
    for each in sorted(differences, key=lambda each: not each.beyond_chance):
        sign = "*" if each.beyond_chance else " "
        chance = ""
        if each.p_value is not None:
            chance = "  p < 0.0001" if each.p_value < 0.0001 else f"  p = {each.p_value:.2g}"
        yield f"  {sign} {each.what:<34} {each.first:>10} -> {each.second:<10}{chance}".rstrip()


def caveats(name: str, report: dict[str, Any]) -> Iterator[str]:
    """What is to be known of a report before its figures are compared."""
    made, planned = report["visitors"]["made"], report["visitors"]["planned"]
    if made < planned:
        kind = "partial" if report["partial"] else "stopped early"
        yield f"  {name} is {kind}: it rests on {made} of {planned} visitors"


def _ratios(first: dict[str, Any], second: dict[str, Any]) -> Iterator[tuple[str, str, str, float]]:
    for variant in _in_both(first, second):
        one, two = (report["variants"][variant] for report in (first, second))
        assigned = [
            sum(each["visitors"] for each in report["variants"].values())
            for report in (first, second)
        ]
        for what, (cases, total), (others, of) in (
            ("share", (one["visitors"], assigned[0]), (two["visitors"], assigned[1])),
            ("hit ratio", (one["hits"], one["requests"]), (two["hits"], two["requests"])),
            ("errors", (one["errors"], one["requests"]), (two["errors"], two["requests"])),
        ):
            p_value = differ((cases, total), (others, of))
            yield f"{what} of {variant}", _share(cases, total), _share(others, of), p_value
    made = [report["visitors"]["made"] for report in (first, second)]
    asked = [report["requests"] for report in (first, second)]
    for what, key, count, totals in (
        ("visitors that changed sides", "switches", "visitors", made),
        ("visitors without a variant", "without_variant", "visitors", made),
        ("leaks", "leaks", "responses", asked),
    ):
        before, after = first[key][count], second[key][count]
        p_value = differ((before, totals[0]), (after, totals[1]))
        yield what, _share(before, totals[0]), _share(after, totals[1]), p_value


def _times(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Difference]:
    for variant in _in_both(first, second):
        one, two = (report["variants"][variant] for report in (first, second))
        for time in _TIMES:
            if one[time] is None or two[time] is None:
                continue
            apart = (
                one[f"{time}_high"] < two[f"{time}_low"] or two[f"{time}_high"] < one[f"{time}_low"]
            )
            yield Difference(
                f"{time.removesuffix('_ms')} of {variant}",
                f"{one[time]:.1f} ms",
                f"{two[time]:.1f} ms",
                None,
                apart,
            )


def _only_in_one(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Difference]:
    for variant in {**first["variants"], **second["variants"]}:
        here = variant in first["variants"]
        if here and variant in second["variants"]:
            continue
        yield Difference(f"variant {variant}", "there" if here else "",
                         "" if here else "there", None, True)  # fmt: skip


def _in_both(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [variant for variant in first["variants"] if variant in second["variants"]]


def _share(cases: int, total: int) -> str:
    return f"{cases / total:.2%}" if total else ""
