"""Who a viewer is: the simulated one as far as somebody says so, else the one that connects.

A request's own headers come first, then the options, then the geo databases for the viewer's
address. Each fills in what those before it leave open; but when it speaks of another country than
they do, its place is not the viewer's, and only its network counts. For a request that names an
address of its own, the options say nothing where a database could.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from edgeproxy.app.geo_database import GeoDatabases
from edgeproxy.http.headers import Headers
from edgeproxy.http.location import DETAILS, Location, objection
from edgeproxy.http.messages import Viewer
from edgeproxy.server.listener import ViewerFrom
from edgeproxy.server.reading import Refused
from edgeproxy.settings import Settings

__all__ = ["viewer_from"]

_PREFIX: Final = "x-edgeproxy-viewer-"


def viewer_from(settings: Settings, databases: GeoDatabases) -> ViewerFrom:
    """What tells a request's viewer.

    A header that cannot be a viewer's address, country or place makes a bad request.
    """
    options = dict(text.split("=", 1) for text in settings.viewer_location)
    if settings.viewer_country:
        options["country"] = settings.viewer_country.upper()

    def viewer(peer_ip: str, peer_port: int, headers: Headers) -> Viewer:
        own = _own(headers)
        own_ip = own.pop("ip", "")
        ip = own_ip or settings.viewer_ip or peer_ip
        known = own if own_ip and databases else _filled(own, options)
        if databases and ip:  # One that has left already has no address.
            known = _filled(known, databases.details(ip))
        if not known:
            return Viewer(ip, peer_port)
        place = {name.replace("-", "_"): known[name] for name in DETAILS if name in known}
        return Viewer(ip, peer_port, country=known.get("country", ""), location=Location(**place))

    return viewer


def _filled(known: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """``known``, with what only ``more`` tells."""
    country = known.get("country")
    if country and more.get("country", country) != country:
        more = {name: value for name, value in more.items() if name == "asn"}
    return {**more, **known}


def _own(headers: Headers) -> dict[str, str]:
    """What the request says of its viewer: location details, ``ip`` and ``country``."""
    own: dict[str, str] = {}
    if not headers.names_with(_PREFIX):
        return own
    for line, value in headers:
        name = line.lower()
        if not (value and name.startswith(_PREFIX)):
            continue
        detail = name.removeprefix(_PREFIX)
        if detail == "ip":
            wrong = "" if _is_address(value) else "is not an IP address"
        elif detail == "country":
            wrong = "" if re.fullmatch("[A-Za-z]{2}", value) else "is not a country code"
            value = value.upper()
        else:
            wrong = objection(detail, value)
        if wrong:
            raise Refused(400, f"{name} {wrong}")
        own.setdefault(detail, value)
    return own


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
