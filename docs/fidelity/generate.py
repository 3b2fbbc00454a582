"""Writes the fidelity pages: every rule of the behaviour reference, its state, and its proof.

The rules are in ``rules.txt``, the proofs in the tests (``@pytest.mark.rule``), what is only
approximated, and what one machine cannot have, in ``approximations.toml``. ``--check`` writes
nothing and fails when a page is not what it should be.
"""

import argparse
import contextlib
import io
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

INTRODUCTION = """\
# Fidelity

What edgeproxy does as AWS does it, rule by rule. These pages are generated from the tests: a rule
is *done* when a test that carries its ID passes, *approximated* when it is done in part or in
another way, *not local* when it is about something that one machine does not have, and *not done*
otherwise.

Marks: D documented by AWS, O or R observed on the real service, C taken from software that AWS
publishes, I inferred, L a decision for local use, U unsure (`--lenient` chooses the forgiving
reading where a rule has one).

| area | rules | done | approximated | not local | not done |
| --- | --- | --- | --- | --- | --- |
"""


def rules() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Area to its title and its rules, each with its mark."""
    areas: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    current: list[tuple[str, str]] = []
    for line in (HERE / "rules.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            area, _, title = line[2:].partition(": ")
            current = []
            areas[area] = (title, current)
        else:
            rule, _, mark = line.partition(" ")
            current.append((rule, mark))
    return areas


class Collector:
    """Notes which collected test carries which rules."""

    def __init__(self) -> None:
        self.found: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            test = item.nodeid.partition("[")[0]
            for marker in item.iter_markers("rule"):
                for rule in marker.args:
                    if test not in self.found[rule]:
                        self.found[rule].append(test)


def proofs() -> dict[str, list[str]]:
    """Rule ID to the tests that carry it, as pytest collects them."""
    collector = Collector()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", str(ROOT / "tests")], [collector]
        )
    if status != pytest.ExitCode.OK:
        sys.exit(said.getvalue())
    return {rule: sorted(tests) for rule, tests in collector.found.items()}


def pages() -> dict[Path, str]:
    """Every page and what it should say."""
    approximations = tomllib.loads((HERE / "approximations.toml").read_text("utf-8"))
    not_local = approximations.pop("not-local", {})
    proven = proofs()
    texts: dict[Path, str] = {}
    index = INTRODUCTION
    known: set[str] = set()
    for area, (title, listed) in rules().items():
        lines = [f"# {title}", "", "| rule | mark | state | proof |", "| --- | --- | --- | --- |"]
        counts = {"done": 0, "approximated": 0, "not local": 0, "not done": 0}
        for rule, mark in listed:
            known.add(rule)
            tests = proven.get(rule, [])
            if how := approximations.get(rule):
                state = "approximated"
            elif how := not_local.get(rule):
                state = "not local"
            else:
                state = "done" if tests else "not done"
            counts[state] += 1
            shown = f"{state}: {how}" if how else state
            proof = "<br>".join(f"`{test}`" for test in tests[:3])
            if len(tests) > 3:
                proof += f"<br>and {len(tests) - 3} more"
            lines.append(f"| {rule} | {mark} | {shown} | {proof} |")
        texts[HERE / f"{area}.md"] = "\n".join(lines) + "\n"
        row = " | ".join(str(n) for n in (len(listed), *counts.values()))
        index += f"| [{title}]({area}.md) | {row} |\n"
    unknown = sorted((proven.keys() | approximations.keys() | not_local.keys()) - known)
    if unknown:
        sys.exit(f"not rules of the reference: {', '.join(unknown)}")
    texts[HERE / "README.md"] = index
    return texts


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a page is out of date")
    check = parser.parse_args().check
    stale = []
    for path, text in pages().items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(path.name)
        if not check:
            path.write_text(text, "utf-8")
    if stale and check:
        print(f"out of date: {', '.join(stale)}; run docs/fidelity/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
