"""Log groups as files below the folder of ``--log-dir``."""

import re
from pathlib import Path

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.observe.function_logs import FunctionLogs
from edgeproxy.runtimes.invocation import LogRecord
from edgeproxy.testing import Edge
from tests.support.doors import lambda_function, write_template

TALKS = """
def handler(event, context):
    print("grüße")
    return {"statusCode": 200}
"""


def line(message: str) -> LogRecord:
    return LogRecord(1_795_233_032.1234, "r-1", "stdout", message, "2026/11/21/[1]0f")


async def test_a_line_has_its_time_and_its_stream(tmp_path: Path) -> None:
    logs = FunctionLogs(tmp_path)
    logs.written("/aws/lambda/auth", line("one"))
    logs.written("/aws/lambda/auth", line("two \ud800"))
    logs.written("plain", line("three"))
    await logs.flush()
    start = "2026-11-21T03:50:32.123Z 2026/11/21/[1]0f"
    text = (tmp_path / "aws/lambda/auth.log").read_text()
    assert text == f"{start} one\n{start} two ?\n"
    assert (tmp_path / "plain.log").read_text() == f"{start} three\n"
    await logs.close()


async def test_a_group_s_name_leads_nowhere_else(tmp_path: Path) -> None:
    logs = FunctionLogs(tmp_path / "logs")
    logs.written("/../../etc/x", line("one"))
    await logs.close()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.log")] == [
        "logs/%2E%2E/%2E%2E/etc/x.log"
    ]


async def test_a_group_of_slashes(tmp_path: Path) -> None:
    logs = FunctionLogs(tmp_path)
    logs.written("/", line("one"))
    await logs.close()
    assert (tmp_path / "%2F.log").read_text().endswith("one\n")


async def test_a_file_that_was_moved_away(tmp_path: Path) -> None:
    logs = FunctionLogs(tmp_path)
    logs.written("group", line("one"))
    await logs.flush()
    (tmp_path / "group.log").rename(tmp_path / "old")
    logs.written("group", line("two"))
    await logs.close()
    assert (tmp_path / "old").read_text().endswith("one\n")
    assert (tmp_path / "group.log").read_text().endswith("two\n")


def test_what_a_function_logs(tmp_path: Path) -> None:
    url = {
        "Type": "AWS::Lambda::Url",
        "Properties": {"TargetFunctionArn": "talks", "AuthType": "NONE"},
    }
    template = {"Fn": lambda_function(tmp_path, FunctionName="talks"), "Url": url}
    (tmp_path / "python/app.py").write_text(TALKS)
    with Edge() as edge:
        site = edge.serve(write_template(tmp_path, template), log_dir=tmp_path / "logs")
        site.request("GET", "/", url=site.endpoints["function_urls"]["Url"]["url"])
        site.exchanges(1)
        lines = (tmp_path / "logs/aws/lambda/talks.log").read_text().splitlines()
    stamped = re.compile(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}) (.*)"
    )
    found = [stamped.fullmatch(line) for line in lines]
    told = [line.groups() for line in found if line is not None]
    assert len(told) == len(lines)
    # Another environment may start at the same time.
    stream = next(stream for stream, text in told if text == "grüße")
    texts = [text.split()[0] for own, text in told if own == stream]
    assert texts == ["INIT_START", "START", "grüße", "END", "REPORT"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Edge() as edge, pytest.raises(UsageError, match="--log-dir"):
        edge.serve(tmp_path, log_dir=tmp_path / "file" / "logs")
