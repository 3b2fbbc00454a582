import json
from pathlib import Path

import pytest

from edgeproxy.awslambda.event_sources.positions import Positions


async def test_a_restart_goes_on_from_there(tmp_path: Path) -> None:
    file, told = tmp_path / "state" / "positions.json", list[str]()
    positions = Positions(file, told.append)
    for number in range(1, 1001):
        positions.put("shard-1", str(number))
    positions.put("shard-2", "7")
    positions.put("shard-3", "")
    await positions.close()
    again = Positions(file, told.append)
    assert [again.get(f"shard-{number}") for number in (1, 2, 3)] == ["1000", "7", ""]
    assert [path.name for path in file.parent.iterdir()] == ["positions.json"]
    again.put("shard-2", "8")
    await again.close()
    assert json.loads(file.read_text()) == {"shard-1": "1000", "shard-2": "8"}
    assert told == []


async def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = list[str]()
    positions = Positions(tmp_path / "file" / "positions.json", told.append)
    told.clear()
    for number in (1, 2):
        positions.put("shard-1", str(number))
        await positions.close()
    assert len(told) == 1
    assert "cannot be written" in told[0]
    assert positions.get("shard-1") == "2"


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_is_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "positions.json").write_text(text)
    assert Positions(tmp_path / "positions.json", lambda text: None).get("shard-1") == ""
