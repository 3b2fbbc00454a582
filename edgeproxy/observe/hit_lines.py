"""Lines of a log for repeated hits: one is formatted whole, and of those like it what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.exchange.model import Exchange, RepeatedHit
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.log_formats import Layout

__all__ = ["HitLines"]

_DIFFERENT: Final = {
    "date": "%(date)s",
    "time": "%(time)s",
    "timestamp(ms)": "%(ms)d",
    "sc-bytes": "%(bytes)d",
    "x-edge-request-id": "%(id)s",
    "time-taken": "%(taken).3f",
    "time-to-first-byte": "%(taken).3f",
    "c-port": "%(port)d",
}
"""The fields of standard logs in which hits that are alike differ."""
_KEPT: Final = 2_000


class HitLines:
    """Makes the lines that ``layout`` would; cookies are in them as :class:`LogSource` says."""

    def __init__(self, layout: Layout, source: LogSource, *, with_cookies: bool) -> None:
        self._layout = layout
        self._escaped = replace(layout, delimiter=layout.delimiter.replace("%", "%%"))
        self._source = source
        self._with_cookies = with_cookies
        self._form_of = PreparedOnce(self._form, _KEPT)

    def of(self, hits: Sequence[RepeatedHit]) -> Iterator[str]:
        """Their lines, without line ends. None of them was aborted."""
        last, date, time = -1, "", ""
        for hit in hits:
            taken = hit.duration_s
            finished = hit.started + taken
            second = int(finished)
            if second != last:
                last, moment = second, datetime.fromtimestamp(second, UTC)
                date, time = f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"
            yield self._form_of(hit.like) % {
                "date": date,
                "time": time,
                "ms": finished * 1000,
                "bytes": hit.bytes_sent,
                "id": hit.id,
                "taken": taken,
                "port": hit.port,
            }

    def _form(self, like: Exchange) -> str:
        record = self._source.record(like, with_cookies=self._with_cookies)
        row = [value.replace("%", "%%") for value in self._layout.row(record)]
        for at, name in enumerate(self._layout.fields):
            row[at] = _DIFFERENT.get(name, row[at])
        return self._escaped.joined(row)
