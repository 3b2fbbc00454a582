"""Which requests get into which standard logs."""

import gzip
from pathlib import Path

from edgeproxy.distribution.logs import LogDelivery, LogFormat, StandardLogging
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.standard_logs import StandardLogs, deliveries_of
from tests.unit.exchange.records import exchange
from tests.unit.observe.distributions import distribution

SECOND = LogDelivery("second", LogFormat.RAW, ("cs-uri-stem",))


def test_version_1_is_a_delivery_like_others() -> None:
    site = distribution(logging=StandardLogging("first", "p"), log_deliveries=(SECOND,))
    first, second = deliveries_of(site)
    assert (first.resource, first.path, len(first.fields)) == ("first", "p", 33)
    assert second is SECOND
    assert deliveries_of(distribution(logging=StandardLogging(include_cookies=True))) == ()


async def test_each_delivery_has_its_distribution_s_requests(tmp_path: Path) -> None:
    site = distribution(logging=StandardLogging("first"), log_deliveries=(SECOND,))
    other = distribution(logical_id="Other", id="E2", log_deliveries=(SECOND,))
    silent = distribution(logical_id="Silent")
    source = LogSource({"Site": site, "Other": other, "Silent": silent}.get, "SEA19-C1")
    logs = StandardLogs(tmp_path, source)
    for name in ("Site", "Other", "Silent", "Gone"):
        logs.ended(exchange(name=name, path=f"/{name}"))
    logs.ended(exchange(door="alb"))
    await logs.close()
    texts = {
        str(path.relative_to(tmp_path)).split(".")[0]: gzip.decompress(path.read_bytes())
        for path in tmp_path.glob("*/*.gz")
    }
    assert texts.pop(f"first/{site.id}").count(b"\n") == 3
    assert texts == {f"second/{site.id}": b"/Site\n", "second/E2": b"/Other\n"}
