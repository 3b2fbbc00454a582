import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings
from edgeproxy.runtimes.platform_events import (
    Ended,
    Exited,
    InitEnded,
    InitStarted,
    PlatformEvent,
    Started,
    Status,
    lines_of,
)

TIME, TIME_S = "2026-11-21T03:50:32.123Z", 1_795_233_032.123
SPEC = FunctionSpec("f", "nodejs22.x", "app.handler", Path(), "arn:aws:lambda:f", version="7")
ARN = "arn:aws:lambda:us-east-1::runtime:"


def text(event: PlatformEvent) -> list[str]:
    return list(lines_of(event, SPEC, TIME_S))


def documents(event: PlatformEvent, level: str = "DEBUG") -> list[dict[str, Any]]:
    spec = replace(SPEC, log=LogSettings(LogFormat.JSON, system_level=level))
    return [json.loads(line) for line in lines_of(event, spec, TIME_S)]


@pytest.mark.rule("LR-253", "LR-259")
def test_the_report() -> None:
    assert text(Ended("id", 3.011, 36, 110.1))[-1] == (
        "REPORT RequestId: id\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t"
    )


@pytest.mark.rule("LR-255")
@pytest.mark.parametrize(
    ("ended", "end"),
    [
        (Ended("id", 1, 36), "Max Memory Used: 36 MB\t"),
        (Ended("id", 1, 36, status=Status.TIMEOUT), "Used: 36 MB\tStatus: timeout\t"),
        (
            Ended("id", 1, 36, 2.5, Status.ERROR, "Runtime.ExitError"),
            "Init Duration: 2.50 ms\tStatus: error\tError Type: Runtime.ExitError\t",
        ),
        (Ended("id", 1, 36, None, Status.ERROR, "ValueError", handled=True), "Used: 36 MB\t"),
    ],
)
def test_the_end_of_a_report(ended: Ended, end: str) -> None:
    assert text(ended)[1].endswith(end)


TRACE = "Root=1-69b52a0d-5f84a1c2d3e4b5a6978877aa;Parent=53995c3f42cd8ad8;Sampled="


@pytest.mark.rule("LR-254")
def test_the_trace_in_a_report() -> None:
    line = "\nXRAY TraceId: 1-69b52a0d-5f84a1c2d3e4b5a6978877aa\tSegmentId: 53995c3f42cd8ad8\t"
    failed = Ended("id", 1, 36, status=Status.TIMEOUT, trace_id=TRACE + "1")
    assert text(failed)[1].endswith(f"\tStatus: timeout\t{line}Sampled: true\t")
    assert "XRAY" not in text(Ended("id", 1, 36, trace_id=TRACE + "0"))[1]


@pytest.mark.rule("LR-281")
def test_json_of_a_traced_invocation() -> None:
    header = TRACE + "1"
    tracing = {"spanId": "53995c3f42cd8ad8", "type": "X-Amzn-Trace-Id", "value": header}
    told = [*documents(Started("id", header)), *documents(Ended("id", 1, 36, trace_id=header))]
    assert [each["type"] for each in told] == [
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [each["record"]["tracing"] for each in told] == [tracing] * 3
    [untraced] = documents(Started("id", TRACE + "0"))
    assert "tracing" not in untraced["record"]


@pytest.mark.rule("LR-256")
@pytest.mark.parametrize(
    ("ended", "lines"),
    [
        (InitEnded("init", 12.5), []),
        (
            InitEnded("init", 1236.04, Status.TIMEOUT),
            ["INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"],
        ),
        (
            InitEnded("invoke", 9, Status.ERROR, "Runtime.ImportModuleError"),
            [
                (
                    "INIT_REPORT Init Duration: 9.00 ms\tPhase: invoke\tStatus: error\t"
                    "Error Type: Runtime.ImportModuleError"
                )
            ],
        ),
    ],
)
def test_the_init_report(ended: InitEnded, lines: list[str]) -> None:
    assert text(ended) == lines


@pytest.mark.rule("LR-257")
def test_the_timeout_line() -> None:
    *_, line = text(Ended("id", 3000, 36, status=Status.TIMEOUT))
    assert line == f"{TIME} id Task timed out after 3.00 seconds"


@pytest.mark.rule("LR-258")
def test_an_exit() -> None:
    assert text(Exited("id", 1, "Runtime.ExitError")) == [
        "RequestId: id Error: Runtime exited with error: exit status 1",
        "Runtime.ExitError",
    ]


@pytest.mark.rule("LR-281", "LR-282")
@pytest.mark.parametrize(
    ("event", "records"),
    [
        (
            Started("id"),
            [("start", {"requestId": "id", "version": "7"})],
        ),
        (
            InitEnded("init", 173.7778),
            [
                (
                    "initRuntimeDone",
                    {"initializationType": "on-demand", "phase": "init", "status": "success"},
                ),
                (
                    "initReport",
                    {
                        "initializationType": "on-demand",
                        "phase": "init",
                        "status": "success",
                        "metrics": {"durationMs": 173.778},
                    },
                ),
            ],
        ),
        (
            Ended("id", 3.011, 36, 110.1),
            [
                (
                    "runtimeDone",
                    {"requestId": "id", "status": "success", "metrics": {"durationMs": 3.011}},
                ),
                (
                    "report",
                    {
                        "requestId": "id",
                        "status": "success",
                        "metrics": {
                            "durationMs": 3.011,
                            "billedDurationMs": 4,
                            "memorySizeMB": 128,
                            "maxMemoryUsedMB": 36,
                            "initDurationMs": 110.1,
                        },
                    },
                ),
            ],
        ),
    ],
)
def test_json_records(event: PlatformEvent, records: list[tuple[str, object]]) -> None:
    assert documents(event) == [
        {"time": TIME, "type": f"platform.{kind}", "record": record} for kind, record in records
    ]


@pytest.mark.rule("LR-281")
def test_json_of_a_starting_init() -> None:
    (document,) = documents(InitStarted("init"))
    record = document["record"]
    assert document["type"] == "platform.initStart"
    assert record.pop("runtimeVersionArn").startswith(ARN)
    assert record == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": "nodejs:22.v1",
        "functionName": "f",
        "functionVersion": "7",
    }


@pytest.mark.rule("LR-282")
@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (Ended("id", 1, 1, status=Status.TIMEOUT), {"status": "timeout"}),
        (
            Ended("id", 1, 1, None, Status.ERROR, "ValueError", handled=True),
            {"status": "error", "errorType": "ValueError"},
        ),
    ],
)
def test_json_of_a_failure(ended: Ended, outcome: dict[str, str]) -> None:
    for document in documents(ended, "WARN"):
        assert outcome.items() <= document["record"].items()


@pytest.mark.rule("LR-280")
@pytest.mark.parametrize(
    ("event", "level"),
    [
        (InitStarted("init"), "INFO"),
        (InitEnded("init", 1), "DEBUG"),
        (InitEnded("init", 1, Status.ERROR, "E"), "WARN"),
        (Started("id"), "INFO"),
        (Ended("id", 1, 1, status=Status.TIMEOUT), "WARN"),
    ],
)
def test_levels_of_system_events(event: PlatformEvent, level: str) -> None:
    levels = ["DEBUG", "INFO", "WARN"]
    told = [bool(documents(event, shown)) for shown in levels]
    assert told == [levels.index(shown) <= levels.index(level) for shown in levels]
    assert [d["type"] for d in documents(Ended("id", 1, 1), "INFO")] == ["platform.report"]
