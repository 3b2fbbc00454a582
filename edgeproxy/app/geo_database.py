"""Databases of addresses (``--geo-database``): where a viewer's IP address is, and whose it is.

The files are in MaxMind's format, with the field names of its Country, City and ASN databases,
which other publishers use too. What no file says stays unknown.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeproxy.errors import Place, UsageError

if TYPE_CHECKING:
    import maxminddb

__all__ = ["GeoDatabases"]

_FIELDS: Final[Mapping[str, tuple[str | int, ...]]] = {
    "country": ("country", "iso_code"),
    "country-region": ("subdivisions", 0, "iso_code"),
    "country-region-name": ("subdivisions", 0, "names", "en"),
    "city": ("city", "names", "en"),
    "latitude": ("location", "latitude"),
    "longitude": ("location", "longitude"),
    "metro-code": ("location", "metro_code"),
    "postal-code": ("postal", "code"),
    "time-zone": ("location", "time_zone"),
    "asn": ("autonomous_system_number",),
}
"""Where a record has each detail; the largest subdivision comes first."""
_RECORDS_TRIED: Final = 1000
_ADDRESSES_KEPT: Final = 4096


class GeoDatabases:
    """What some database files know together; of two that know the same, the earlier one counts."""

    def __init__(self, files: Iterable[str]) -> None:
        """Raises :class:`UsageError` for a file that cannot be used."""
        self._readers = [_opened(Path(file)) for file in files]
        self.details = lru_cache(_ADDRESSES_KEPT)(self._details)
        """Country and location details of an IP address by name; empty for an unknown one."""

    def __bool__(self) -> bool:
        return bool(self._readers)

    def _details(self, ip: str) -> Mapping[str, str]:
        known: dict[str, str] = {}
        address = ipaddress.ip_address(ip)
        for reader in self._readers:
            if address.version <= reader.metadata().ip_version:
                known = {**_understood(reader.get(address)), **known}
        return known

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


def _opened(file: Path) -> "maxminddb.Reader":
    try:
        import maxminddb
    except ImportError as error:
        raise UsageError(
            "--geo-database needs the package maxminddb",
            remedy="pip install 'edgeproxy[geo]'",
        ) from error
    try:
        reader = maxminddb.open_database(file)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", place=Place(file)) from error
    except maxminddb.InvalidDatabaseError as error:
        raise UsageError(
            f"is not a database in MaxMind's format: {error}",
            place=Place(file),
            remedy="--geo-database takes unpacked .mmdb files of countries, cities or ASNs",
        ) from error
    if not any(_understood(record) for _, record in islice(reader, _RECORDS_TRIED)):
        reader.close()
        fields = ", ".join(".".join(map(str, path)) for path in _FIELDS.values())
        raise UsageError(
            f"its records have none of the fields {fields}",
            place=Place(file),
            remedy="--geo-database takes databases of countries, cities or ASNs as MaxMind's are",
        )
    return reader


def _understood(record: object) -> dict[str, str]:
    found = {name: _text(record, path) for name, path in _FIELDS.items()}
    return {name: text for name, text in found.items() if text}


def _text(record: object, path: tuple[str | int, ...]) -> str:
    value = record
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list):
            value = value[0] if value else None
        else:
            return ""
    if isinstance(value, float):
        return f"{value:.5f}"  # as in CloudFront's own examples
    return str(value) if isinstance(value, str | int) else ""
