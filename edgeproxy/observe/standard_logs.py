"""``--standard-logs``: what definitions say of standard logs, versions 1 and 2, in a folder.

A folder below it stands for each bucket, log group and stream.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeproxy.distribution.logs import STANDARD_FIELDS, LogDelivery, LogFormat
from edgeproxy.distribution.model import Distribution
from edgeproxy.exchange.model import Exchange, RepeatedHit
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.log_files import HourlyFiles
from edgeproxy.observe.log_writer import LogWriter

__all__ = ["StandardLogs", "deliveries_of"]

_TEXT_PACE_S: Final = 1.0
_PARQUET_PACE_S: Final = 60.0
"""A Parquet file is written whole, so there are as many files as writes."""


def deliveries_of(distribution: Distribution) -> tuple[LogDelivery, ...]:
    """Its standard logs of version 2, and that of version 1 as if it were one of them."""
    logging = distribution.logging
    if not logging.bucket:
        return distribution.log_deliveries
    first = LogDelivery(logging.bucket, LogFormat.W3C, STANDARD_FIELDS, path=logging.prefix)
    return (first, *distribution.log_deliveries)


class StandardLogs:
    """A recorder that is made on the event loop; ``folder`` is made on first need."""

    def __init__(self, folder: Path, source: LogSource) -> None:
        self._folder = folder
        self._source = source
        self._sinks: dict[tuple[str, LogDelivery], HourlyFiles] = {}
        self._text = LogWriter(_TEXT_PACE_S)
        self._parquet = LogWriter(_PARQUET_PACE_S)

    def ended(self, exchange: Exchange) -> None:
        if exchange.door != "distribution":
            return
        record = self._source.record(exchange)
        if record.distribution is None:
            return
        distribution_id = record.distribution.id_in_events
        for delivery in deliveries_of(record.distribution):
            key = (distribution_id, delivery)
            if key not in self._sinks:
                self._sinks[key] = HourlyFiles(self._folder, delivery, distribution_id)
            writer = self._parquet if delivery.format is LogFormat.PARQUET else self._text
            writer.put(self._sinks[key], record)

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        for hit in hits:
            self.ended(hit.summary)

    async def flush(self) -> None:
        """Wait until what has been recorded is in the files."""
        await self._text.flush()
        await self._parquet.flush()

    async def close(self) -> None:
        await self._text.close()
        await self._parquet.close()
