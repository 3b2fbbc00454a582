"""Records of requests as text: the formats of CloudFront's logs, with its encoding of values.

Every value of every format is text that holds visible ASCII only, so nothing that a viewer sends
can break a line apart.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from edgeproxy.distribution.logs import REALTIME_FIELDS, LogDelivery, LogFormat
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.observe.log_fields import (
    NEVER_ENCODED,
    REALTIME_VALUES,
    STANDARD_VALUES,
    Record,
    Value,
)

__all__ = ["Layout", "delivered", "escape_field", "real_time"]

_ENCODED: Final = re.compile(r"[^!$&()*+,\-./0-9:;=?@A-Z_a-z]")
_ENCODED_BESIDES_BLANKS: Final = re.compile(r"[^ !$&()*+,\-./0-9:;=?@A-Z_a-z]")
_LONGEST: Final = 800
_CUT: Final = frozenset({"cs-cookie", "cs-headers", "cs-header-names"})
"""Fields of real-time logs that end after 800 bytes (CDN-RTL-03)."""


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
        return [encode(value(record)) or "-" for value, encode in _columns(self)]

    def joined(self, row: Sequence[str]) -> str:
        """The line with these values."""
        match self.format:
            case LogFormat.JSON:
                pairs = zip(self.fields, row, strict=True)
                return json.dumps(dict(pairs), separators=(",", ":"))
            case LogFormat.W3C | LogFormat.PLAIN | LogFormat.RAW:
                return self.delimiter.join(row)
            case LogFormat.PARQUET:
                raise ValueError("Parquet is no text")
            case _:
                assert_never(self.format)

    def text(self, records: Sequence[Record | str]) -> str:
        """A line for each record; some may be lines already."""
        lines = [
            record if isinstance(record, str) else self.joined(self.row(record))
            for record in records
        ]
        return "".join(f"{line}\n" for line in lines)


@PreparedOnce
def _columns(layout: Layout) -> list[tuple[Value, Callable[[str], str]]]:
    """For each field where its value comes from, and how that is encoded."""
    values = REALTIME_VALUES if layout.is_real_time else STANDARD_VALUES
    columns: list[tuple[Value, Callable[[str], str]]] = []
    for name in layout.fields:
        encode: Callable[[str], str] = str if name in NEVER_ENCODED else escape_field
        if layout.is_real_time and name in _CUT:
            encode = _cut
        columns.append((values[name], encode))
    return columns


def delivered(delivery: LogDelivery) -> Layout:
    """The layout of a standard log."""
    return Layout(delivery.fields, delivery.format, delivery.delimiter)


def real_time(fields: Sequence[str]) -> Layout:
    """The layout of a real-time log: AWS's order, whatever that of ``fields`` (CDN-RTL-01)."""
    ordered = tuple(name for name in REALTIME_FIELDS if name in fields)
    return Layout(ordered, LogFormat.RAW, is_real_time=True)


def escape_field(value: str) -> str:
    """``value`` with the bytes percent-encoded that must not stand in a log field (CDN-LOG-03)."""
    if _ENCODED_BESIDES_BLANKS.search(value) is None:
        return value.replace(" ", "%20")  # A browser's name is full of them.
    text = value.encode("utf-8", "surrogateescape").decode("latin-1")
    return _ENCODED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _cut(value: str) -> str:
    """The first 800 bytes of the encoded value, without a half escape at their end."""
    value = escape_field(value)
    if len(value) <= _LONGEST:
        return value
    return re.sub(r"%[0-9A-F]?\Z", "", value[:_LONGEST])
