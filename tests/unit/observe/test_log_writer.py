"""What waits is written together, in the order in which it came, and nothing waits without end."""

import logging
from collections.abc import Sequence

import pytest

from edgeproxy.observe import log_writer
from edgeproxy.observe.log_fields import LogSource, Record
from edgeproxy.observe.log_writer import LogWriter
from tests.unit.exchange.records import exchange
from tests.unit.runtimes.account import until


class Sink:
    name = "x"
    at_once = 3

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.is_closed = False
        self.problem: OSError | None = None

    def write(self, records: Sequence[Record]) -> None:
        if self.problem is not None:
            raise self.problem
        self.writes.append([record.exchange.id for record in records])

    def close(self) -> None:
        self.is_closed = True


def put(writer: LogWriter, sink: Sink, *ids: str) -> None:
    source = LogSource(lambda logical_id: None, "SEA19-C1")
    for each in ids:
        writer.put(sink, source.record(exchange(id=each)))


async def test_records_are_written_together_and_in_order() -> None:
    writer, sink = LogWriter(60), Sink()
    put(writer, sink, *"abcde")
    assert sink.writes == []
    await writer.flush()
    assert sink.writes == [["a", "b", "c"], ["d", "e"]]
    await writer.close()
    assert sink.is_closed


async def test_they_are_written_at_the_pace() -> None:
    writer, sink = LogWriter(0.001), Sink()
    put(writer, sink, "a")
    await until(lambda: len(sink.writes) == 1)
    put(writer, sink, "b")
    await until(lambda: len(sink.writes) == 2)
    await writer.close()


async def test_as_many_as_are_written_at_once_do_not_wait_for_the_pace() -> None:
    writer, sink = LogWriter(3600), Sink()
    put(writer, sink, *"abc")
    await until(lambda: sink.writes == [["a", "b", "c"]])
    await writer.close()


async def test_the_end_does_not_wait_for_the_pace() -> None:
    writer, sink = LogWriter(3600), Sink()
    put(writer, sink, "a")
    await writer.close()
    assert sink.writes == [["a"]]


async def test_a_disk_that_stands_still_costs_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_writer, "_MOST_WAITING", 2)
    writer, sink = LogWriter(60), Sink()
    put(writer, sink, *"abcd")
    await writer.close()
    assert sink.writes == [["a", "b"]]
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.ERROR, "the log x loses lines: too many lines wait"),
        (logging.WARNING, "the log x is written again; 2 lines lost"),
    ]


async def test_one_log_that_fails_leaves_the_others_alone() -> None:
    writer, bad, good = LogWriter(60), Sink(), Sink()
    bad.problem = OSError(28, "No space left on device")
    put(writer, bad, "a")
    put(writer, good, "a")
    await writer.close()
    assert good.writes == [["a"]]
