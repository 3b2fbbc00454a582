import pytest

from edgeproxy.runtimes.invocation import LogRecord
from edgeproxy.runtimes.log_groups import LINES_KEPT, LogGroups


def record(message: str, log_stream: str = "stream") -> LogRecord:
    return LogRecord(1.5, "id", "stdout", message, log_stream)


def messages(groups: LogGroups, name: str, limit: int = 5000) -> list[str]:
    return [line.message for line in groups.newest(name, limit)]


def test_groups_are_apart() -> None:
    groups = LogGroups()
    groups.write("/b", record("1"))
    groups.write("/a", record("2"))
    groups.write("/b", record("3", "other"))
    assert groups.names() == ["/a", "/b"]
    assert messages(groups, "/b") == ["1", "3"]
    assert [line.log_stream for line in groups.newest("/b", 2)] == ["stream", "other"]
    assert messages(groups, "/b", 1) == ["3"]
    assert messages(groups, "/b", 0) == messages(groups, "/unknown") == []


@pytest.mark.rule("LE-LOG-05")
def test_the_oldest_lines_make_room() -> None:
    groups = LogGroups()
    for number in range(LINES_KEPT + 5):
        groups.write("/a", record(str(number)))
    assert messages(groups, "/a") == [str(number) for number in range(5, LINES_KEPT + 5)]


def test_long_lines_need_more_room() -> None:
    groups = LogGroups()
    for number in range(40):
        groups.write("/a", record(str(number % 10) * 256 * 1024))
    assert [line[0] for line in messages(groups, "/a")] == [str(n % 10) for n in range(24, 40)]
