"""Where a viewer is, in the details that CloudFront can tell of it (CDN-CFH-03, CDN-CFH-06 to 12).

A detail's name is the last part of CloudFront's header in lower case: ``city`` is told in
``CloudFront-Viewer-City``. What is not known is empty, and CloudFront leaves its header out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final

__all__ = ["DETAILS", "NOWHERE", "Location", "objection"]


@dataclass(frozen=True, slots=True)
class Location:
    """Place and network of a viewer; texts as CloudFront sends them, each empty when unknown."""

    country_region: str = ""
    """First-level subdivision, the part of ISO 3166-2 after the country: ``MI``."""
    country_region_name: str = ""
    city: str = ""
    latitude: str = ""
    """Decimal degrees."""
    longitude: str = ""
    metro_code: str = ""
    postal_code: str = ""
    time_zone: str = ""
    """IANA name."""
    asn: str = ""
    """Number of the autonomous system."""


NOWHERE: Final = Location()

DETAILS: Final = tuple(field.name.replace("_", "-") for field in fields(Location))


def objection(name: str, value: str) -> str:
    """What is wrong with ``value`` for the detail ``name``, or nothing."""
    if name not in DETAILS:
        return f"is none of {', '.join(DETAILS)}"
    if not value.strip() or not value.isprintable():
        return "is not printable UTF-8 text"
    fits, wanted = _FORMS.get(name, (None, ""))
    return "" if fits is None or fits(value) else f"is not {wanted}"


def _like(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.ASCII).fullmatch


def _degrees(limit: int) -> Callable[[str], object]:
    number = _like(r"-?\d{1,3}(\.\d{1,9})?")
    return lambda value: number(value) and abs(float(value)) <= limit


_FORMS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "country-region": (_like("[A-Za-z0-9]{1,3}"), "a region of ISO 3166-2 such as MI"),
    "latitude": (_degrees(90), "a latitude such as 42.30680"),
    "longitude": (_degrees(180), "a longitude such as -83.70590"),
    "metro-code": (_like(r"\d{1,4}"), "a number such as 505"),
    "time-zone": (_like(r"[A-Za-z]+([/_+-][A-Za-z0-9]+)*"), "an IANA name such as America/Detroit"),
    "asn": (_like(r"\d{1,10}"), "a number such as 64496"),
}
