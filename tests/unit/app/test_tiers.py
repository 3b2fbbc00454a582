from pathlib import Path

import pytest

from edgeproxy.app.tiers import tiers_from
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks


@pytest.mark.parametrize(("choice", "is_there"), [("off", False), ("memory", True)])
async def test_there_is_a_regional_cache_if_it_is_asked_for(
    tmp_path: Path, choice: str, is_there: bool
) -> None:
    settings = Settings(regional_cache=choice, cache_store="disk", state_dir=tmp_path)
    tiers = tiers_from(settings, Clock(), Tasks(), pytest.fail)
    await tiers.open()
    await tiers.close()
    assert (tiers.regional is not None) == is_there


@pytest.mark.parametrize(
    ("store", "regional"),
    [
        ("disk", "disk"),
        ("memory", "disk"),
        ("memory", "redis"),
        ("redis://localhost/1", "redis://localhost/1"),
    ],
)
def test_it_does_not_lie_where_other_objects_do(store: str, regional: str) -> None:
    settings = Settings(cache_store=store, regional_cache=regional)
    with pytest.raises(UsageError, match="no place for a cache of its own"):
        tiers_from(settings, Clock(), Tasks(), pytest.fail)
