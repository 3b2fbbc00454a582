"""Lines of repeated hits are the lines that their records would make."""

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS, LogFormat
from edgeproxy.http.headers import Headers
from edgeproxy.observe.hit_lines import HitLines
from edgeproxy.observe.log_fields import STANDARD_VALUES, LogSource
from edgeproxy.observe.log_formats import Layout
from tests.unit.exchange.records import Again, exchange
from tests.unit.observe.distributions import distribution

SOURCE = LogSource({"Site": distribution()}.get, "SEA19-C1", "127.0.0.1")
LIKE = exchange(
    path="/a%25b", query="x=%s&y=%(id)s", headers=Headers([("Host", "h"), ("Cookie", "a=1 %d")])
)
HITS = [
    Again(LIKE),
    Again(LIKE, id="B" * 54 + "==", started=LIKE.started + 0.7, duration_s=0.0004, port=4711),
    Again(LIKE, started=LIKE.started + 86_400, bytes_sent=1_000_000, duration_s=12.3456),
]


@pytest.mark.parametrize(
    "layout",
    [
        Layout(STANDARD_FIELDS),
        Layout(tuple(STANDARD_VALUES), LogFormat.JSON),
        Layout(("timestamp(ms)", "cs-uri-stem", "cs-uri-query"), LogFormat.PLAIN, "%"),
    ],
)
@pytest.mark.parametrize("with_cookies", [True, False])
def test_they_are_the_same(layout: Layout, with_cookies: bool) -> None:
    lines = HitLines(layout, SOURCE, with_cookies=with_cookies)
    records = [SOURCE.record(hit.exchange, with_cookies=with_cookies) for hit in HITS]
    whole = layout.text(records).splitlines()
    assert list(lines.of(HITS)) == whole
    assert list(lines.of(HITS[::-1])) == whole[::-1]
    assert len(set(whole)) == 3
