"""``--access-log``: a line for each request of a distribution, appended to one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.exchange.model import Exchange, RepeatedHit
from edgeproxy.observe.hit_lines import HitLines
from edgeproxy.observe.log_fields import LogSource, Record
from edgeproxy.observe.log_files import AppendedFile
from edgeproxy.observe.log_formats import Layout
from edgeproxy.observe.log_writer import LogWriter

__all__ = ["AccessLog"]

_PACE_S: Final = 0.02


class AccessLog:
    """A recorder that is made on the event loop.

    Unless ``layout`` says otherwise, a line is that of CloudFront's standard log, version 1.
    Cookies are logged for distributions whose ``Logging`` includes them, or ``with_cookies``.
    Raises ``OSError`` when the file cannot be opened; a disk that fills up later costs the lines,
    not the requests.
    """

    def __init__(
        self,
        path: Path,
        source: LogSource,
        layout: Layout = Layout(STANDARD_FIELDS),  # noqa: B008 - it is frozen
        *,
        with_cookies: bool = False,
    ) -> None:
        self._source = source
        self._with_cookies = with_cookies
        self._lines = HitLines(layout, source, with_cookies=with_cookies)
        self._sink: AppendedFile[Record | str] = AppendedFile(path, layout)
        self._sink.open()
        self._writer = LogWriter(_PACE_S)

    def ended(self, exchange: Exchange) -> None:
        if exchange.door == "distribution":
            record = self._source.record(exchange, with_cookies=self._with_cookies)
            self._writer.put(self._sink, record)

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        if any(hit.aborted or not hit.is_plain for hit in hits):
            for hit in hits:
                self.ended(hit.summary)
        else:
            self._writer.put_all(self._sink, list(self._lines.of(hits)))

    async def flush(self) -> None:
        """Wait until what has been recorded is in the file."""
        await self._writer.flush()

    async def close(self) -> None:
        await self._writer.close()
        self._sink.close()
