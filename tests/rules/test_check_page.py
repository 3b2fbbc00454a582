"""docs/check.md names every rule that the checks cite, and none that nothing cites."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\b(?:CDN|CFF|LE|LR)-[A-Z0-9]+-\d+\b")


def test_the_page_names_the_rules_that_are_found() -> None:
    page = set(RULE.findall((ROOT / "docs/check.md").read_text("utf-8")))
    package = ROOT / "edgeproxy"
    checks = [
        *(package / "project/checks").glob("*.py"),
        package / "app/dry_run_findings.py",
        package / "runtimes/cloudfront_js/absent.py",
        package / "runtimes/cloudfront_js/syntax.py",
    ]
    cited = {
        rule for file in checks for rule in re.findall(rf'"({RULE.pattern})"', file.read_text())
    }
    assert cited <= page
    everything = "\n".join(file.read_text("utf-8") for file in package.rglob("*.py"))
    assert {rule for rule in page if f'"{rule}"' not in everything} == set()
