import pytest

from edgeproxy.clock import Clock
from edgeproxy.runtimes.invocation import LogRecord
from edgeproxy.runtimes.logs import (
    LARGEST_LOG,
    InvocationLog,
    init_report_line,
    report_line,
    timeout_line,
)


def make_log() -> tuple[InvocationLog, list[LogRecord]]:
    seen: list[LogRecord] = []
    return InvocationLog(Clock(), seen.append, "id"), seen


def texts(log: InvocationLog) -> list[tuple[str, str]]:
    return [(record.stream, record.message) for record in log.records()]


def test_output_becomes_lines() -> None:
    log, seen = make_log()
    log.feed("stdout", b"a\nb")
    log.feed("stderr", b"e\n")
    log.feed("stdout", b"c\n\xff\n\n")
    assert texts(log) == [
        ("stdout", "a"),
        ("stderr", "e"),
        ("stdout", "bc"),
        ("stdout", "\ufffd"),
        ("stdout", ""),
    ]
    assert tuple(seen) == log.records()
    assert {record.request_id for record in seen} == {"id"}


def test_an_open_line_stands_before_the_platforms() -> None:
    log, _ = make_log()
    log.feed("stdout", b"no end")
    log.platform("END")
    assert texts(log) == [("stdout", "no end"), ("platform", "END")]


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.rule("LR-264")
def test_output_without_end_is_cut(end: bytes) -> None:
    log, _ = make_log()
    for _ in range(40):
        log.feed("stdout", b"x" * 9_999 + end)
    log.platform("END")
    kept = [text for stream, text in texts(log) if stream == "stdout"]
    assert sum(len(text) + len(end) for text in kept) == pytest.approx(LARGEST_LOG, abs=1)
    platform = [text for stream, text in texts(log) if stream == "platform"]
    assert len(platform) == 2
    assert "truncated" in platform[0]


@pytest.mark.rule("LR-253", "LR-255")
def test_the_report() -> None:
    assert report_line("id", 3.011, 128, 36, 110.1, "") == (
        "REPORT RequestId: id\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t"
    )
    assert report_line("id", 3000, 128, 36, None, "timeout").endswith(
        "Max Memory Used: 36 MB\tStatus: timeout\t"
    )


@pytest.mark.rule("LR-256")
def test_the_init_report() -> None:
    assert init_report_line(1236.04, "init", "timeout") == (
        "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"
    )


@pytest.mark.rule("LR-257")
def test_the_timeout_line() -> None:
    time, _, rest = timeout_line(Clock(), "id", 3).partition(" ")
    assert len(time) == len("2026-11-21T03:50:32.123Z")
    assert rest == "id Task timed out after 3.00 seconds"
