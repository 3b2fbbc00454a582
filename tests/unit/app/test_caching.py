from pathlib import Path

import pytest

from edgeproxy.app.caching import cache_from
from edgeproxy.clock import Clock
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks


@pytest.mark.parametrize(
    ("store", "makes"), [("memory", []), ("disk", ["bodies", "index.sqlite3"])]
)
async def test_a_folder_is_made_for_objects_on_disk_only(
    tmp_path: Path, store: str, makes: list[str]
) -> None:
    settings = Settings(cache_store=store, state_dir=tmp_path / "state")
    cache = cache_from(settings, Clock(), Tasks(), pytest.fail)
    assert not (tmp_path / "state").exists()
    await cache.open()
    await cache.close()
    assert sorted(path.name for path in tmp_path.glob("state/cache/*")) == makes
