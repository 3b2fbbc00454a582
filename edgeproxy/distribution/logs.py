"""Which logs of its requests a distribution keeps: standard logs, version 1 and 2, real-time logs.

The names of fields are AWS's, in AWS's order.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "CMCD_FIELDS",
    "DEFAULT_DELIVERY_FIELDS",
    "DELIVERY_FIELDS",
    "REALTIME_FIELDS",
    "STANDARD_FIELDS",
    "LogDelivery",
    "LogFormat",
    "RealtimeLogConfig",
    "StandardLogging",
]

STANDARD_FIELDS: Final = (
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
)
"""The 33 fields of a standard log of version 1, all of them, in this order."""

DELIVERY_FIELDS: Final = (
    *STANDARD_FIELDS,
    "distribution-tenant-id",
    "connection-id",
    "timestamp(ms)",
    "origin-fbl",
    "origin-lbl",
    "asn",
    "c-country",
    "cache-behavior-path-pattern",
    "primary-distribution-id",
    "primary-distribution-dns-name",
    "viewer-request-log-data",
    "viewer-response-log-data",
)
"""What standard logging version 2 can select from (CDN-LOG-05, CDN-LOG-07, CFF-HLP-02)."""

DEFAULT_DELIVERY_FIELDS: Final = (*STANDARD_FIELDS, "c-country", "cache-behavior-path-pattern")
"""The selection of a delivery that names no fields (CDN-LOG-06, U)."""

CMCD_FIELDS: Final = {
    "cmcd-encoded-bitrate": "br",
    "cmcd-buffer-length": "bl",
    "cmcd-buffer-starvation": "bs",
    "cmcd-content-id": "cid",
    "cmcd-object-duration": "d",
    "cmcd-deadline": "dl",
    "cmcd-measured-throughput": "mtp",
    "cmcd-next-object-request": "nor",
    "cmcd-next-range-request": "nrr",
    "cmcd-object-type": "ot",
    "cmcd-playback-rate": "pr",
    "cmcd-requested-maximum-throughput": "rtp",
    "cmcd-streaming-format": "sf",
    "cmcd-session-id": "sid",
    "cmcd-stream-type": "st",
    "cmcd-startup": "su",
    "cmcd-top-bitrate": "tb",
    "cmcd-version": "v",
}
"""Common Media Client Data: field to the key of CTA-5004."""

REALTIME_FIELDS: Final = (
    "timestamp",
    "c-ip",
    "s-ip",
    "time-to-first-byte",
    "sc-status",
    "sc-bytes",
    "cs-method",
    "cs-protocol",
    "cs-host",
    "cs-uri-stem",
    "cs-bytes",
    "x-edge-location",
    "x-edge-request-id",
    "x-host-header",
    "time-taken",
    "cs-protocol-version",
    "c-ip-version",
    "cs-user-agent",
    "cs-referer",
    "cs-cookie",
    "cs-uri-query",
    "x-edge-response-result-type",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-result-type",
    "fle-encrypted-fields",
    "fle-status",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
    "c-port",
    "x-edge-detailed-result-type",
    "c-country",
    "cs-accept-encoding",
    "cs-accept",
    "cache-behavior-path-pattern",
    "cs-headers",
    "cs-header-names",
    "cs-headers-count",
    "primary-distribution-id",
    "primary-distribution-dns-name",
    "origin-fbl",
    "origin-lbl",
    "asn",
    *CMCD_FIELDS,
    "r-host",
    "sr-reason",
    "x-edge-mqcs",
    "distribution-tenant-id",
    "connection-id",
)
"""The fields of real-time logs in the order in which a record always has them (CDN-RTL-01)."""


class LogFormat(StrEnum):
    """``OutputFormat`` of standard logging version 2, as the API spells it."""

    W3C = "w3c"
    PLAIN = "plain"
    RAW = "raw"
    JSON = "json"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class StandardLogging:
    """``Logging`` (CDN-CFG-029): version 1, and cookies for the standard logs of both versions.

    ``bucket`` is the name alone, empty when version 1 is off.
    """

    bucket: str = ""
    prefix: str = ""
    include_cookies: bool = False


@dataclass(frozen=True, slots=True)
class LogDelivery:
    """Standard logging version 2: one delivery, with its source and destination (CDN-LOG-05).

    ``resource`` is the name of the bucket, log group or stream. ``path`` is the folder in a bucket
    with AWS's variables in it, such as ``{yyyy}``.
    """

    resource: str
    format: LogFormat
    fields: tuple[str, ...] = DEFAULT_DELIVERY_FIELDS
    delimiter: str = "\t"
    path: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class RealtimeLogConfig:
    """``RealtimeLogConfig`` (CDN-CFG-221). ``fields`` are in AWS's order; the rate in percent."""

    name: str
    sampling_rate: int
    fields: tuple[str, ...]
