"""Dry runs: edge functions run with made-up events, and what fails is a finding."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.app.dry_run_findings import findings_of
from edgeproxy.app.dry_runs import DryRuns, run_dry
from edgeproxy.distribution.model import EdgeFunctionKind
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.report import CheckFinding, FoundBy
from tests.unit.project.drafts import VERSION, function, load_site

RETURNS = "def handler(event, context):\n    cf = event['Records'][0]['cf']\n    return "
EVENTS = ("viewer-request", "origin-request", "origin-response", "viewer-response")


def site_with(
    folder: Path, source: str, *events: str, behavior: dict[str, Any] | None = None, **more: Any
) -> Loaded:
    """A distribution whose default behavior runs a Python function at ``events``."""
    triggers = [{"EventType": event, "LambdaFunctionARN": {"Ref": "FnVersion"}} for event in events]
    return load_site(
        folder,
        {"LambdaFunctionAssociations": triggers, **(behavior or {})},
        Fn=function(Code={"ZipFile": source}, **more),
        FnVersion=VERSION,
    )


def site_with_cff(folder: Path, code: str, *events: str) -> Loaded:
    arn = {"Fn::GetAtt": ["Cff", "FunctionARN"]}
    cff = {
        "Name": "cff",
        "AutoPublish": True,
        "FunctionCode": code,
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
    }
    return load_site(
        folder,
        {"FunctionAssociations": [{"EventType": each, "FunctionARN": arn} for each in events]},
        Cff={"Type": "AWS::CloudFront::Function", "Properties": cff},
    )


async def dry(loaded: Loaded) -> tuple[DryRuns, list[CheckFinding]]:
    runs = await run_dry(loaded.project, (), strict=True)
    findings = list(findings_of(loaded.project, runs))
    assert all(each.found_by is FoundBy.DRY_RUN for each in findings)
    return runs, findings


@pytest.mark.parametrize(
    ("event", "result", "rule"),
    [
        pytest.param(event, result, rule, marks=pytest.mark.rule(rule))
        for event, result, rule in [
            ("viewer-request", "None", "LE-RET-05"),
            ("viewer-request", "event", "LE-RET-06"),
            ("viewer-request", "{'status': '199'}", "LE-GEN-03"),
            ("viewer-request", "{'status': '200', 'body': 'x' * 41000}", "LE-GEN-09"),
            ("origin-request", "cf['request'] | {'querystring': 'a b'}", "LE-URI-03"),
            ("origin-response", "{'status': '600', 'headers': {}}", "LE-ORES-02"),
            ("viewer-response", "cf['request']", "LE-RET-03"),
        ]
    ],
)
async def test_results_that_cloudfront_refuses(
    event: str, result: str, rule: str, tmp_path: Path
) -> None:
    _, findings = await dry(site_with(tmp_path, RETURNS + result, event))
    [finding] = findings
    assert (finding.rule, finding.severity) == (rule, "error")
    assert event in finding.message
    assert finding.remedy
    assert finding.place.path == "Resources.Fn"


@pytest.mark.rule("LE-VRES-02")
async def test_what_cloudfront_ignores_is_a_warning(tmp_path: Path) -> None:
    result = "cf['response'] | {'status': '418'}"
    _, findings = await dry(site_with(tmp_path, RETURNS + result, "viewer-response"))
    assert [(each.rule, each.severity) for each in findings] == [("LE-VRES-02", "warning")]


@pytest.mark.parametrize(
    ("source", "rule", "severity", "line"),
    [
        ("def handler(e, c):\n    return nothing\n", "LE-ERR-01", "error", 2),
        ("def handler(e, c):\n    import no_such\n", "LE-ERR-01", "error", 2),
        ("def handler(e, c):\n    return e['Nothing']\n", "LE-ERR-01", "warning", 2),
        ("def handler(e, c):\n    return {1, 2}\n", "LE-ERR-01", "error", None),
        ("raise ValueError('at the start')\n", "LE-ERR-01", "error", 1),
        ("import time\ndef handler(e, c):\n    time.sleep(9)\n", "LE-ERR-04", "warning", None),
    ],
)
@pytest.mark.rule("LE-ERR-01")
async def test_functions_that_fail(
    source: str, rule: str, severity: str, line: int | None, tmp_path: Path
) -> None:
    loaded = site_with(tmp_path, source, "viewer-request", Timeout=1)
    _, findings = await dry(loaded)
    [finding] = findings
    assert (finding.rule, finding.severity) == (rule, severity)
    if line is not None:
        # The template is JSON, so that the code has no lines of its own there.
        assert finding.place.path == f"Resources.Fn.line {line} of the code"
    assert finding.place.file == Path(tmp_path / "template.json")


async def test_a_function_without_concurrency_is_one_warning(tmp_path: Path) -> None:
    source = RETURNS + "cf['request']"
    site = site_with(tmp_path, source, "viewer-request", ReservedConcurrentExecutions=0)
    _, [finding] = await dry(site)
    assert (finding.rule, finding.severity) == ("LE-ERR-03", "warning")


async def test_a_module_that_only_lambda_has_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = site_with(tmp_path, "import awslambdaric.nothing_here\n", "viewer-request")
    _, findings = await dry(loaded)
    [finding] = findings
    assert finding.severity == "warning"
    assert "AWS's runtime has awslambdaric" in finding.remedy


@pytest.mark.parametrize(
    ("code", "events", "rule", "severity", "line"),
    [
        ("function handler(e) { return e; }", "viewer-request", "CFF-RET-04", "error", None),
        ("function handler(e) { return 1; }", "viewer-request", "CFF-RET-06", "error", None),
        ("function handler(e) {\n  return gone; }", "viewer-request", "CFF-ERR-01", "error", 2),
        ("function handler(e) {\n  e.a.b; }", "viewer-response", "CFF-ERR-01", "warning", 2),
        ("function handler(e) { return { statusCode: '200' }; }", "viewer-request", "CFF-RES-02",
         "error", None),
    ],
)  # fmt: skip
async def test_cloudfront_functions_that_fail(
    code: str, events: str, rule: str, severity: str, line: int | None, tmp_path: Path
) -> None:
    _, findings = await dry(site_with_cff(tmp_path, code, events))
    [finding] = findings
    assert (finding.rule, finding.severity) == (rule, severity)
    if line is not None:
        assert finding.place.path == f"Resources.Cff.line {line} of the code"


async def test_good_functions_have_no_findings(tmp_path: Path) -> None:
    result = "cf.get('response') or cf['request']"
    runs, findings = await dry(site_with(tmp_path, RETURNS + result, *EVENTS))
    assert findings == []
    assert [each.association.event_type for each in runs.runs] == list(EVENTS)
    assert all(each.run is not None and not each.run.error for each in runs.runs)
    code = "function handler(event) { return event.response || event.request; }"
    runs, findings = await dry(site_with_cff(tmp_path, code, EVENTS[0], EVENTS[3]))
    assert findings == []
    assert len(runs.runs) == 2


async def test_what_one_function_leaves_the_next_one_sees(tmp_path: Path) -> None:
    source = (
        "def handler(event, context):\n"
        "    cf = event['Records'][0]['cf']\n"
        "    if cf['config']['eventType'] == 'viewer-request':\n"
        "        cf['request']['headers']['x-mark'] = [{'key': 'X-Mark', 'value': '1'}]\n"
        "        return cf['request']\n"
        "    return {'status': '200', 'mark': cf['request']['headers']['x-mark']}\n"
    )
    policy = {"OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3"}  # AllViewer
    events = ("viewer-request", "origin-request")
    runs, _ = await dry(site_with(tmp_path, source, *events, behavior=policy))
    assert [each.run is not None and each.run.error for each in runs.runs] == ["", ""]


async def test_skipped_functions_do_not_run(tmp_path: Path) -> None:
    loaded = site_with(tmp_path, "raise SystemExit('started')", "viewer-request")
    runs = await run_dry(loaded.project, {(EdgeFunctionKind.LAMBDA, "Fn")}, strict=True)
    assert (runs.runs, runs.not_loaded) == ((), ())


async def test_all_dry_runs_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.app.dry_runs.ALL_S", 1.0)
    source = "import time\ndef handler(e, c):\n    time.sleep(20)\n"
    loaded = site_with(tmp_path, source, "viewer-request", "origin-request", Timeout=30)
    runs, findings = await dry(loaded)
    assert [each.run for each in runs.runs] == [None, None]
    assert [(each.rule, each.severity) for each in findings] == [("LE-ERR-04", "warning")] * 2
    slow = site_with(tmp_path, "import time\ntime.sleep(20)\n", "viewer-request")
    runs, findings = await dry(slow)
    assert runs.still_loading == ("Fn",)
    assert [each.severity for each in findings] == ["warning"]
