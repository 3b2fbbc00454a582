"""What CloudFront refuses of a geographic restriction (CDN-CFG-033)."""

from collections.abc import Iterator

from edgeproxy.distribution.countries import COUNTRY_NAMES
from edgeproxy.distribution.model import GeoRestriction
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_geo_restriction"]


def check_geo_restriction(restriction: GeoRestriction, where: Where) -> Iterator[CheckFinding]:
    """A list without countries, countries without a list, and codes that no viewer has."""
    kind = restriction.restriction_type
    if (kind == "none") is bool(restriction.locations):
        what = "needs no country" if kind == "none" else "needs at least one country"
        yield CheckFinding(
            "CDN-CFG-033",
            where("Locations|Items" if kind == "none" else "RestrictionType"),
            f"InvalidGeoRestrictionParameter: the RestrictionType {kind} {what}.",
            "remove the countries" if kind == "none" else "list countries, or use none",
        )
    for code in sorted(restriction.locations - COUNTRY_NAMES.keys()):
        yield CheckFinding(
            "CDN-CFG-033",
            where("Locations|Items"),
            f"{code} is not a country code of ISO 3166-1; it stands for no viewer.",
            "write codes of two letters, such as DE",
            Severity.WARNING,
        )
