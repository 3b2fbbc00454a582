from pathlib import Path

import pytest

from edgeproxy.clock import Clock
from edgeproxy.runtimes.invocation import FunctionSpec, LogRecord
from edgeproxy.runtimes.logs import LARGEST_LOG, InvocationLog
from edgeproxy.runtimes.platform_events import Started

SPEC = FunctionSpec("f", "python3.12", "app.handler", Path(), "arn:aws:lambda:f")


def make_log() -> tuple[InvocationLog, list[LogRecord]]:
    seen: list[LogRecord] = []
    log = InvocationLog(SPEC, Clock(), lambda entry: seen.extend(entry.lines()), "stream", "id")
    return log, seen


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


def test_an_open_line_is_not_later_than_what_stands_after_it() -> None:
    log, seen = make_log()
    log.feed("stdout", b"no end")
    log.tell(Started("id"))
    assert [record.stream for record in seen] == ["stdout", "platform"]
    assert seen[0].time_s <= seen[1].time_s


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.rule("LR-264")
def test_output_without_end_is_cut(end: bytes) -> None:
    log, _ = make_log()
    for _ in range(40):
        log.feed("stdout", b"x" * 9_999 + end)
    log.platform("END")
    kept = [text for stream, text in texts(log) if stream == "stdout"]
    assert sum(len(text) + len(end) for text in kept) == pytest.approx(LARGEST_LOG, abs=1)
    told = ("stderr", f"edgeproxy: output dropped: one invocation may write {LARGEST_LOG} bytes")
    assert texts(log)[-2:] == [told, ("platform", "END")]


def test_events_of_the_platform_are_told() -> None:
    log, _ = make_log()
    log.feed("stdout", b"no end")
    log.tell(Started("id"))
    assert texts(log) == [
        ("stdout", "no end"),
        ("platform", "START RequestId: id Version: $LATEST"),
    ]


def test_a_log_goes_on_with_another_invocation() -> None:
    log, seen = make_log()
    log.tell(Started("id"))
    log.feed("stdout", b"x" * (LARGEST_LOG + 1))
    log.feed("stdout", b"late")
    before = log.renew("other")
    assert len(before) == 4  # START, what has room, the word on it, and the end.
    log.feed("stdout", b"new\n")
    assert texts(log) == [("stdout", "new")]
    assert seen[-1].request_id == "other"


def test_what_the_function_wrote_is_told_from_what_the_platform_did() -> None:
    log, _ = make_log()
    log.tell(Started("id"))
    log.feed("stderr", b"written\n")
    log.platform("more")
    assert [line.message for line in log.records().written()] == ["written"]
