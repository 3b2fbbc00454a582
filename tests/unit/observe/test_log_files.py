"""Files by the hour: when a new one begins, and what goes wrong."""

import gzip
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from edgeproxy.distribution.logs import LogDelivery, LogFormat
from edgeproxy.errors import UsageError
from edgeproxy.observe import log_files
from edgeproxy.observe.log_fields import LogSource, Record
from edgeproxy.observe.log_files import HourlyFiles, column_name, require_parquet
from tests.unit.exchange.records import exchange
from tests.unit.observe.distributions import distribution

FIELDS = ("time", "cs(User-Agent)")
TEXT = LogDelivery("logs", LogFormat.W3C, FIELDS)
PARQUET = LogDelivery("logs", LogFormat.PARQUET, FIELDS)


def record(after_s: float = 0) -> Record:
    """Of a request that ended so long after 03:50:32."""
    source = LogSource({"Site": distribution()}.get, "SEA19-C1")
    return source.record(exchange(duration_s=after_s))


def contents(root: Path) -> dict[str, list[str]]:
    """Lines below the head of each file, by its hour in the order of the files' making."""
    files = sorted((root / "logs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return {
        ".".join(path.name.split(".")[1:3]): gzip.decompress(path.read_bytes())
        .decode()
        .splitlines()[2:]
        for path in files
    }


def test_an_hour_ends_and_a_late_line_is_in_its_own_hour(tmp_path: Path) -> None:
    files = HourlyFiles(tmp_path, TEXT, "E1")
    files.write([record(), record(3600)])
    files.write([record(3601)])
    files.write([record(1)])
    hours = [name.split(".")[0] for name in contents(tmp_path)]
    assert sorted(hours) == ["2026-11-21-03", "2026-11-21-03", "2026-11-21-04"]
    lines = sorted(line for found in contents(tmp_path).values() for line in found)
    assert lines == ["03:50:32\t-", "03:50:33\t-", "04:50:32\t-", "04:50:33\t-"]


def test_a_file_that_has_grown_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_LARGEST_BYTES", 100)
    files = HourlyFiles(tmp_path, TEXT, "E1")
    for _ in range(10):
        files.write([record()])
    found = contents(tmp_path)
    assert len(found) > 1
    assert sum(map(len, found.values())) == 10


@pytest.mark.parametrize("delivery", [TEXT, PARQUET])
def test_a_folder_that_cannot_be_made(tmp_path: Path, delivery: LogDelivery) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(FileExistsError):
        HourlyFiles(tmp_path, delivery, "E1").write([record()])


def test_a_parquet_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(table: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    files = HourlyFiles(tmp_path, PARQUET, "E1")
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "write_table", full)
        with pytest.raises(OSError, match="No space"):
            files.write([record()])
    assert list((tmp_path / "logs").iterdir()) == []
    files.write([record()])
    (file,) = (tmp_path / "logs").iterdir()
    assert parquet.read_table(file).to_pylist() == [{"time": "03:50:32", "cs_user_agent": "-"}]


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs pyarrow") as told:
        require_parquet()
    assert told.value.remedy == "pip install 'edgeproxy[parquet]'"
    with pytest.raises(OSError, match="pyarrow is missing"):
        HourlyFiles(tmp_path, PARQUET, "E1").write([record()])


def test_columns() -> None:
    names = ["cs(User-Agent)", "x-edge-result-type", "timestamp(ms)"]
    assert [column_name(name) for name in names] == [
        "cs_user_agent", "x_edge_result_type", "timestamp_ms",
    ]  # fmt: skip
