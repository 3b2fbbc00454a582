"""Proposes an experiment from what a running edge has recorded: which cookies split visitors."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from edgeproxy.http.cookies import parse_cookies

__all__ = ["Proposal", "as_yaml", "proposals"]

_MOST_VALUES: Final = 5
_FEWEST_TIMES: Final = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cookie that answers set, with few values that come again, and where it was met."""

    cookie: str
    counts: dict[str, int]
    paths: tuple[str, ...]
    door: str


def proposals(records: Iterable[dict[str, Any]]) -> list[Proposal]:
    """The likeliest first. Records are documents of ``GET /api/exchanges/ID``."""
    values: dict[str, Counter[str]] = {}
    paths: dict[str, Counter[str]] = {}
    doors: dict[str, str] = {}
    handed_out: set[str] = set()
    for record in records:
        for name, value in _cookies(record):
            values.setdefault(name, Counter())[value] += 1
            paths.setdefault(name, Counter())[record["path"]] += 1
            doors.setdefault(name, record["name"])
        handed_out.update(name for name, _ in _set(record))
    found = [
        Proposal(
            name,
            dict(counts.most_common()),
            tuple(path for path, _ in paths[name].most_common(5)),
            doors[name],
        )
        for name, counts in values.items()
        if name in handed_out
        and 2 <= len(counts) <= _MOST_VALUES
        and min(counts.values()) >= _FEWEST_TIMES
    ]
    return sorted(found, key=lambda each: -sum(each.counts.values()))


def as_yaml(found: Iterable[Proposal]) -> str:
    """The text of an ``experiments.yaml``; shares are equal, as nobody knows what was meant."""
    lines = ["# Shares are to be set to what you expect; see `edgeproxy experiment run --help`."]
    lines.append("experiments:")
    for each in found:
        share = 100 / len(each.counts)
        seen = ", ".join(f"{value} {count}" for value, count in each.counts.items())
        shares = ", ".join(f"{_text(value)}: {share:.4g}" for value in sorted(each.counts))
        lines += [
            f"  {_text(each.cookie)}:",
            f"    door: {_text(each.door)}",
            f"    assignment: {{cookie: {_text(each.cookie)}}} # seen: {seen}",
            f"    variants: {{{shares}}}",
            f"    paths: [{', '.join(map(_text, each.paths))}]",
        ]
    return "\n".join(lines) + "\n"


def _cookies(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What a visitor has after the request."""
    lines = [value for name, value in record["request"]["headers"] if name.lower() == "cookie"]
    return list({**dict(parse_cookies(lines)), **dict(_set(record))}.items())


def _set(record: dict[str, Any]) -> list[tuple[str, str]]:
    response = record["response"]
    lines = [] if response is None else response["headers"]
    pairs = [
        value.partition(";")[0] for name, value in lines if name.lower() == "set-cookie"
    ]  # fmt: skip
    return parse_cookies(pairs)


def _text(value: str) -> str:
    """A scalar of YAML: in quotes unless it is plainly a word."""
    if value.replace("_", "").replace("-", "").isalnum() and value[0].isalpha():
        lower = value.lower()
        if lower not in ("true", "false", "yes", "no", "on", "off", "null", "y", "n"):
            return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
