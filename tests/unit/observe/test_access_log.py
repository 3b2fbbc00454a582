"""The access log: a file that lines are appended to, on a disk that fills, under log rotation."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS, LogFormat
from edgeproxy.http.headers import Headers
from edgeproxy.observe.access_log import AccessLog
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.log_formats import Layout
from tests.unit.exchange.records import Again, exchange
from tests.unit.observe.distributions import distribution
from tests.unit.runtimes.account import until

SOURCE = LogSource({"Site": distribution()}.get, "SEA19-C1", "127.0.0.1")
HEAD = f"#Version: 1.0\n#Fields: {' '.join(STANDARD_FIELDS)}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[AccessLog]:
    log = AccessLog(path, SOURCE)
    yield log
    await log.close()


async def written(log: AccessLog, path: Path, **changes: object) -> list[str]:
    """The file's lines after one more request."""
    log.ended(exchange(**changes))
    await log.flush()
    return path.read_text("ascii").splitlines()


@pytest.mark.rule("CDN-LOG-01")
async def test_a_new_file_begins_with_version_and_fields(log: AccessLog, path: Path) -> None:
    version, fields = path.read_text("ascii").splitlines()
    assert version == "#Version: 1.0"
    assert fields == (
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
        "cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id "
        "x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher "
        "x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port "
        "time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
        "sc-range-start sc-range-end"
    )


async def test_only_distributions_are_logged(log: AccessLog, path: Path) -> None:
    assert len(await written(log, path, door="function-url", name="Api")) == 2
    assert len(await written(log, path)) == 3


async def test_a_distribution_that_a_reload_has_dropped(log: AccessLog, path: Path) -> None:
    line = (await written(log, path, name="Gone"))[-1]
    assert line.split("\t")[STANDARD_FIELDS.index("cs(Host)")] == "-"


async def test_an_existing_file_is_continued_without_a_second_head(path: Path) -> None:
    for _ in range(2):
        log = AccessLog(path, SOURCE)
        log.ended(exchange())
        await log.close()
    lines = path.read_text().splitlines()
    assert [line.startswith("#") for line in lines] == [True, True, False, False]


async def test_lines_are_written_soon_without_being_asked_for(log: AccessLog, path: Path) -> None:
    log.ended(exchange())
    await until(lambda: path.read_text().endswith("\t-\t-\n"))


async def test_nothing_is_lost_at_the_end(path: Path) -> None:
    log = AccessLog(path, SOURCE)
    for _ in range(5000):
        log.ended(exchange())
    await log.close()
    assert len(path.read_text().splitlines()) == 5002


async def test_a_file_that_was_renamed(log: AccessLog, path: Path) -> None:
    await written(log, path)
    path.rename(path.with_suffix(".1"))
    lines = await written(log, path)
    assert len(lines) == 3
    assert "\n".join(lines[:2]) == HEAD
    assert len(path.with_suffix(".1").read_text().splitlines()) == 3


async def test_a_file_that_was_emptied(log: AccessLog, path: Path) -> None:
    await written(log, path)
    os.truncate(path, 0)
    lines = await written(log, path)
    assert len(lines) == 3
    assert "\n".join(lines[:2]) == HEAD


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        AccessLog(tmp_path / "none" / "access.log", SOURCE)


async def test_a_pipe_will_do_and_its_end_costs_lines_and_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(pipe, SOURCE)
    assert os.read(reader, 65536).decode() == f"{HEAD}\n"
    log.ended(exchange())
    await log.flush()
    assert len(os.read(reader, 65536).splitlines()) == 1  # and no second head
    os.close(reader)
    for _ in range(2):
        log.ended(exchange())
        await log.flush()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log.ended(exchange())
    await log.flush()
    assert len(os.read(reader, 65536).splitlines()) == 1
    os.close(reader)
    await log.close()
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.ERROR, f"the log {pipe} loses lines: Broken pipe"),
        (logging.WARNING, f"the log {pipe} is written again; 2 lines lost"),
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is Linux's")
async def test_a_full_disk_is_said_once_and_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    log = AccessLog(path, SOURCE)
    path.unlink()
    path.symlink_to("/dev/full")
    for _ in range(3):
        log.ended(exchange())
        await log.flush()
    path.unlink()
    assert len(await written(log, path)) == 3
    await log.close()
    assert [each.getMessage() for each in caplog.records] == [
        f"the log {path} loses lines: No space left on device",
        f"the log {path} is written again; 3 lines lost",
    ]


async def test_fields_and_format_of_ones_own(path: Path) -> None:
    headers = Headers([("Host", "a"), ("Cookie", "a=1")])
    layout = Layout(("sc-status", "cs(Cookie)"), LogFormat.JSON)
    log = AccessLog(path, SOURCE, layout, with_cookies=True)
    assert await written(log, path, headers=headers) == ['{"sc-status":"200","cs(Cookie)":"a=1"}']
    await log.close()


async def test_repeated_hits_stand_among_the_others_in_order(log: AccessLog, path: Path) -> None:
    like = exchange(path="/like")
    log.ended(exchange(path="/first"))
    log.repeated([Again(like), Again(like, bytes_sent=7)])
    log.ended(exchange(path="/between"))
    log.repeated([Again(like), Again(like, aborted=True, bytes_sent=0)])
    await log.flush()
    rows = [line.split("\t") for line in path.read_text("ascii").splitlines()[2:]]
    assert [(row[7], row[3], row[8]) for row in rows] == [
        ("/first", "321", "200"),
        ("/like", "321", "200"),
        ("/like", "7", "200"),
        ("/between", "321", "200"),
        ("/like", "321", "200"),
        ("/like", "0", "000"),
    ]
