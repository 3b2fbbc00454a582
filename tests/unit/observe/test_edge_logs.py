import pytest

from edgeproxy.exchange.model import Finding
from edgeproxy.observe.edge_logs import EdgeLogs
from edgeproxy.runtimes.log_groups import LogGroups
from tests.unit.exchange.records import exchange, line, ran

ID = "A" * 54 + "=="


@pytest.fixture
def groups() -> LogGroups:
    return LogGroups()


@pytest.fixture
def logs(groups: LogGroups) -> EdgeLogs:
    return EdgeLogs(groups, lambda logical_id: f"E-{logical_id}", "the-uuid")


@pytest.mark.rule("CFF-LOG-01", "CFF-LOG-02")
def test_lines_of_a_cloudfront_function(logs: EdgeLogs, groups: LogGroups) -> None:
    said = (line("one"), line("two"))
    logs.ended(exchange(steps=[ran(kind="cloudfront", log=said), ran(kind="cloudfront")]))
    assert groups.names() == ["/aws/cloudfront/function/auth"]
    entries = groups.newest("/aws/cloudfront/function/auth", 10)
    assert {entry.log_stream for entry in entries} == {"2026/11/21/the-uuid"}
    assert [entry.message for entry in entries] == [
        f"{ID} START DistributionID: E-Site",
        f"{ID} one",
        f"{ID} two",
        f"{ID} END",
    ]


@pytest.mark.rule("CFF-LOG-01")
def test_months_and_days_have_no_leading_zero(logs: EdgeLogs, groups: LogGroups) -> None:
    early = ran(kind="cloudfront", log=(type(line("x"))(1_767_312_000, "id", "stdout", "x"),))
    logs.ended(exchange(steps=[early]))
    (entry, *_) = groups.newest("/aws/cloudfront/function/auth", 1)
    assert entry.log_stream == "2026/1/2/the-uuid"


@pytest.mark.rule("LE-LOG-03", "LE-LOG-04")
def test_a_refused_result(logs: EdgeLogs, groups: LogGroups) -> None:
    findings = (Finding("LE-HDR-02", "the header Host is read-only"), Finding("LE-URI-01", "bad"))
    refused = ran(error="Validation", findings=findings, request_id="lambda-id")
    logs.ended(exchange(steps=[refused, ran(error="Unhandled"), ran()]))
    assert groups.names() == ["/aws/cloudfront/LambdaEdge/E-Site"]
    (entry,) = groups.newest("/aws/cloudfront/LambdaEdge/E-Site", 10)
    assert entry.request_id == ID
    assert entry.message == (
        f"({ID}) ERROR Validation error: the header Host is read-only; bad, "
        "Lambda function auth, Lambda request ID: lambda-id"
    )


def test_a_result_that_another_door_refused_is_not_cloudfronts(
    logs: EdgeLogs, groups: LogGroups
) -> None:
    logs.ended(exchange(door="alb", steps=[ran(error="Validation")]))
    assert groups.names() == []
