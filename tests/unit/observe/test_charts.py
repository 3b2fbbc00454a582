"""What charts keep of repeated hits that are told of together."""

from types import SimpleNamespace
from typing import Any

from edgeproxy.observe.charts import Charts


def hit(
    duration_s: float, *, function_ms: float | None = None, missed_s: float | None = None
) -> Any:
    return SimpleNamespace(
        duration_s=duration_s,
        missed_s=missed_s,
        is_plain=function_ms is None and missed_s is None,
        run=None if function_ms is None else SimpleNamespace(duration_ms=function_ms),
    )


def test_those_of_one_kind_are_stood_for_by_one_of_them() -> None:
    charts = Charts()
    charts.repeated([hit(0.1), hit(0.2, function_ms=150), hit(0.3), hit(0.4, missed_s=0.35)])
    (point,) = (point for point in charts.newest(1)[0] if point.requests)
    assert (point.requests, point.hits) == (4, 3)
    assert point.samples == [(2, 0.3, None, None), (1, 0.2, 0.15, None), (1, 0.4, None, 0.35)]
