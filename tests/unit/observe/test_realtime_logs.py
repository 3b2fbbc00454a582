"""Which requests get into real-time logs."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.distribution.logs import RealtimeLogConfig
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.realtime_logs import RealtimeLogs
from tests.unit.exchange.records import exchange
from tests.unit.observe.distributions import distribution

CONFIG = RealtimeLogConfig("All", 100, ("cs-uri-stem",))


async def test_the_behavior_that_matched_decides(tmp_path: Path) -> None:
    site = distribution(behavior={"realtime_log": CONFIG})
    plain = replace(site.default_behavior, path_pattern="/plain/*", realtime_log=None)
    source = LogSource({"Site": replace(site, behaviors=(plain,))}.get, "SEA19-C1")
    logs = RealtimeLogs(tmp_path, source, Chance(1))
    logs.ended(exchange(path="/a", path_pattern="*"))
    logs.ended(exchange(path="/plain/b", path_pattern="/plain/*"))
    logs.ended(exchange(name="Gone"))
    logs.ended(exchange(door="alb"))
    await logs.close()
    assert (tmp_path / "All.log").read_text() == "/a\n"


@pytest.mark.rule("CDN-RTL-05")
@pytest.mark.parametrize(("rate", "least", "most"), [(1, 2, 30), (50, 430, 570), (99, 970, 999)])
async def test_the_sample_is_as_large_as_the_rate_says(
    tmp_path: Path, rate: int, least: int, most: int
) -> None:
    config = replace(CONFIG, sampling_rate=rate)
    site = distribution(behavior={"realtime_log": config})
    logs = RealtimeLogs(tmp_path, LogSource({"Site": site}.get, "SEA19-C1"), Chance(7))
    for _ in range(1000):
        logs.ended(exchange())
    await logs.close()
    assert least <= len((tmp_path / "All.log").read_text().splitlines()) <= most


async def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    site = distribution(behavior={"realtime_log": replace(CONFIG, name="../../x")})
    (tmp_path / "in").mkdir()
    logs = RealtimeLogs(tmp_path / "in", LogSource({"Site": site}.get, "SEA19-C1"), Chance(1))
    logs.ended(exchange())
    await logs.close()
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["..%2F..%2Fx.log"]
