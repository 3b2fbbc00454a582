"""Records of requests as text: the formats of CloudFront's logs, with its encoding of values.

Every value of every format is text that holds visible ASCII only, so nothing that a viewer sends
can break a line apart.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from edgeproxy.distribution.logs import REALTIME_FIELDS, LogDelivery, LogFormat
from edgeproxy.observe.log_fields import REALTIME_VALUES, STANDARD_VALUES, Record

__all__ = ["Layout", "delivered", "escape_field", "real_time"]

_ENCODED: Final = re.compile(r"[^!$&()*+,\-./0-9:;=?@A-Z_a-z]")
_LONGEST: Final = 800
_CUT: Final = frozenset({"cs-cookie", "cs-headers", "cs-header-names"})
"""Fields of real-time logs that end after 800 bytes (CDN-RTL-03)."""
_ENCODED_ALREADY: Final = frozenset({"viewer-request-log-data", "viewer-response-log-data"})


@dataclass(frozen=True, slots=True)
class Layout:
    """Which fields a log has, and how a record becomes text."""

    fields: tuple[str, ...]
    format: LogFormat = LogFormat.W3C
    delimiter: str = "\t"
    is_real_time: bool = False

    @property
    def head(self) -> str:
        """The lines with which a file begins (CDN-LOG-01); empty for formats that have none."""
        if self.format is not LogFormat.W3C:
            return ""
        return f"#Version: 1.0\n#Fields: {' '.join(self.fields)}\n"

    def row(self, record: Record) -> list[str]:
        """The values, encoded; ``-`` for those that the request does not have."""
        values = REALTIME_VALUES if self.is_real_time else STANDARD_VALUES
        row = []
        for name in self.fields:
            text = values[name](record)
            if name not in _ENCODED_ALREADY:
                text = escape_field(text)
            if self.is_real_time and name in _CUT:
                text = _cut(text)
            row.append(text or "-")
        return row

    def text(self, records: Sequence[Record]) -> str:
        """A line for each record."""
        match self.format:
            case LogFormat.JSON:
                lines = [
                    json.dumps(
                        dict(zip(self.fields, self.row(record), strict=True)),
                        separators=(",", ":"),
                    )
                    for record in records
                ]
            case LogFormat.W3C | LogFormat.PLAIN | LogFormat.RAW:
                lines = [self.delimiter.join(self.row(record)) for record in records]
            case LogFormat.PARQUET:
                raise ValueError("Parquet is no text")
            case _:
                assert_never(self.format)
        return "".join(f"{line}\n" for line in lines)


def delivered(delivery: LogDelivery) -> Layout:
    """The layout of a standard log."""
    return Layout(delivery.fields, delivery.format, delivery.delimiter)


def real_time(fields: Sequence[str]) -> Layout:
    """The layout of a real-time log: AWS's order, whatever that of ``fields`` (CDN-RTL-01)."""
    ordered = tuple(name for name in REALTIME_FIELDS if name in fields)
    return Layout(ordered, LogFormat.RAW, is_real_time=True)


def escape_field(value: str) -> str:
    """``value`` with the bytes percent-encoded that must not stand in a log field (CDN-LOG-03)."""
    if _ENCODED.search(value) is None:
        return value
    text = value.encode("utf-8", "surrogateescape").decode("latin-1")
    return _ENCODED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _cut(value: str) -> str:
    """The first 800 bytes, without a half escape at their end."""
    if len(value) <= _LONGEST:
        return value
    return re.sub(r"%[0-9A-F]?\Z", "", value[:_LONGEST])
