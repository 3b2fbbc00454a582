"""``--realtime-logs``: the records of each real-time log configuration, in a file of its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeproxy.chance import Chance
from edgeproxy.distribution.logs import RealtimeLogConfig
from edgeproxy.exchange.model import Exchange, RepeatedHit
from edgeproxy.observe.log_fields import LogSource, Record, behavior_of
from edgeproxy.observe.log_files import AppendedFile
from edgeproxy.observe.log_formats import real_time
from edgeproxy.observe.log_writer import LogWriter

__all__ = ["RealtimeLogs"]

_PACE_S: Final = 0.02


class RealtimeLogs:
    """A recorder that is made on the event loop, with files in a ``folder`` that is there.

    ``chance`` decides which requests are in the sample (CDN-RTL-05).
    """

    def __init__(self, folder: Path, source: LogSource, chance: Chance) -> None:
        self._folder = folder
        self._source = source
        self._chance = chance
        self._sinks: dict[RealtimeLogConfig, AppendedFile[Record]] = {}
        self._writer = LogWriter(_PACE_S)

    def ended(self, exchange: Exchange) -> None:
        if exchange.door != "distribution":
            return
        record = self._source.record(exchange)
        if record.distribution is None:
            return
        config = behavior_of(record.distribution, exchange).realtime_log
        if config is None or self._chance.fraction() * 100 >= config.sampling_rate:
            return
        if config not in self._sinks:
            path = self._folder / f"{config.name.replace('/', '%2F')}.log"
            self._sinks[config] = AppendedFile(path, real_time(config.fields))
        self._writer.put(self._sinks[config], record)

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        for hit in hits:
            self.ended(hit.summary)

    async def flush(self) -> None:
        """Wait until what has been recorded is in the files."""
        await self._writer.flush()

    async def close(self) -> None:
        await self._writer.close()
