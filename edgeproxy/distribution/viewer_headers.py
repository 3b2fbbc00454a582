"""The headers CloudFront makes up about a viewer (CDN-CFH), for keys and origin requests.

Only what is really known is generated: nothing is derived from a country but its name, and what
CloudFront cannot determine it leaves out (CDN-CFH-31).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from edgeproxy.distribution.countries import COUNTRY_NAMES
from edgeproxy.distribution.tls_fingerprints import ja3_fingerprint, ja4_fingerprint
from edgeproxy.http.location import DETAILS, NOWHERE
from edgeproxy.http.messages import Request, Viewer

__all__ = [
    "CANONICAL_NAMES",
    "DEVICE_NAMES",
    "FINGERPRINTS",
    "GENERATED_NAMES",
    "ORIGIN_REQUEST_POLICY_ONLY",
    "cloudfront_headers",
]

_DEVICES: Final = ("Android", "Desktop", "IOS", "Mobile", "SmartTV", "Tablet")
_NAMES: Final = (
    *(f"CloudFront-Is-{device}-Viewer" for device in _DEVICES),
    "CloudFront-Forwarded-Proto",
    "CloudFront-Viewer-Http-Version",
    "CloudFront-Viewer-Address",
    "CloudFront-Viewer-ASN",
    "CloudFront-Viewer-Country",
    "CloudFront-Viewer-Country-Name",
    "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Country-Region-Name",
    "CloudFront-Viewer-City",
    "CloudFront-Viewer-Latitude",
    "CloudFront-Viewer-Longitude",
    "CloudFront-Viewer-Metro-Code",
    "CloudFront-Viewer-Postal-Code",
    "CloudFront-Viewer-Time-Zone",
    "CloudFront-Viewer-TLS",
    "CloudFront-Viewer-JA3-Fingerprint",
    "CloudFront-Viewer-JA4-Fingerprint",
    "CloudFront-Viewer-Header-Order",
    "CloudFront-Viewer-Header-Count",
    "CloudFront-Error-Uri",
    "CloudFront-Error-Args",
    "CloudFront-Viewer-Cert-Serial-Number",
    "CloudFront-Viewer-Cert-Issuer",
    "CloudFront-Viewer-Cert-Subject",
    "CloudFront-Viewer-Cert-Present",
    "CloudFront-Viewer-Cert-Sha256",
    "CloudFront-Viewer-Cert-Validity",
    "CloudFront-Viewer-Cert-Pem",
)
CANONICAL_NAMES: Final[Mapping[str, str]] = {name.lower(): name for name in _NAMES}
"""Every name that CloudFront generates, lower-case to the spelling it is sent with."""

GENERATED_NAMES: Final = frozenset(CANONICAL_NAMES)
"""The same names in lower case. A viewer's own value under one is dropped (CDN-HDR-20)."""

DEVICE_NAMES: Final = frozenset(f"cloudfront-is-{device.lower()}-viewer" for device in _DEVICES)

FINGERPRINTS: Final = frozenset(
    {"CloudFront-Viewer-JA3-Fingerprint", "CloudFront-Viewer-JA4-Fingerprint"}
)
"""What needs the viewer's ClientHello."""

ORIGIN_REQUEST_POLICY_ONLY: Final = frozenset(
    f"cloudfront-viewer-{what}"
    for what in (
        "address",
        "asn",
        "tls",
        "ja3-fingerprint",
        "ja4-fingerprint",
        "cert-validity",
        "cert-pem",
    )
)
"""Generated names that AWS refuses in a cache policy (CDN-KEY-17)."""

_HEADER_ORDER_CHARACTERS: Final = 7_680

_AMAZON: Final = frozenset({"16509", "14618"})
"""Autonomous systems of the AWS network, of which CloudFront tells less (CDN-CFH-31)."""
_TOLD_OF_AMAZON: Final = ("country", "city", "asn")

_TV: Final = re.compile(
    r"smart-?tv|hbbtv|google ?tv|apple ?tv|android tv|netcast|web0s|roku|bravia|viera|crkey|"
    r"tizen.+\btv\b|(?-i:\bAFT[A-Z]+\b)",
    re.IGNORECASE,
)


def cloudfront_headers(request: Request) -> dict[str, str]:
    """Every header that can be generated for this viewer: name as sent, to value.

    Which of them go into the key or to the origin is for the behavior's policies to say.
    """
    viewer = request.viewer
    headers = {
        **_device_headers(request.headers.get("User-Agent")),
        "CloudFront-Forwarded-Proto": viewer.scheme,
        "CloudFront-Viewer-Http-Version": request.version,
        "CloudFront-Viewer-Header-Order": _header_order(request),
        "CloudFront-Viewer-Header-Count": str(len(request.headers)),
    }
    if viewer.port:
        headers["CloudFront-Viewer-Address"] = f"{viewer.ip}:{viewer.port}"
    headers |= _location_headers(viewer)
    if tls := _tls(viewer):
        headers["CloudFront-Viewer-TLS"] = tls
    if viewer.client_hello:
        headers["CloudFront-Viewer-JA3-Fingerprint"] = ja3_fingerprint(viewer.client_hello)
        headers["CloudFront-Viewer-JA4-Fingerprint"] = ja4_fingerprint(viewer.client_hello)
    if viewer.mutual_tls is not None:
        headers.update(viewer.mutual_tls.headers)
    return headers


def _header_order(request: Request) -> str:
    return ":".join(name for name, _ in request.headers)[:_HEADER_ORDER_CHARACTERS]


def _location_headers(viewer: Viewer) -> dict[str, str]:
    """Country, place and network (CDN-CFH-03 to 12)."""
    place = viewer.location
    found: dict[str, str] = {}
    if viewer.country:
        found = {"country": viewer.country, "country-name": COUNTRY_NAMES.get(viewer.country, "")}
    if place != NOWHERE:
        found |= {name: getattr(place, name.replace("-", "_")) for name in DETAILS}
        if viewer.country != "US":
            del found["metro-code"]
        if place.asn in _AMAZON:
            found = {name: found.get(name, "") for name in _TOLD_OF_AMAZON}
    return {
        CANONICAL_NAMES[f"cloudfront-viewer-{name}"]: _ascii(value)
        for name, value in found.items()
        if value
    }


def _tls(viewer: Viewer) -> str:
    """CDN-CFH-15"""
    if viewer.scheme == "http" or not (viewer.tls_protocol and viewer.tls_cipher):
        return ""
    return f"{viewer.tls_protocol}:{viewer.tls_cipher}:{viewer.tls_handshake}"


def _ascii(text: str) -> str:
    """Characters outside ASCII as percent-encoded UTF-8 (CDN-CFH-32)."""
    return "".join(character if character.isascii() else quote(character) for character in text)


@lru_cache(maxsize=512)
def _device_headers(user_agent: str) -> Mapping[str, str]:
    """CloudFront's own way to tell devices is not published; this is CDN-CFH-33 (U)."""
    is_android = "Android" in user_agent
    is_ipad = "iPad" in user_agent
    is_tv = _TV.search(user_agent) is not None
    is_tablet = not is_tv and (is_ipad or (is_android and "Mobile" not in user_agent))
    is_mobile = not is_tv and (is_tablet or "Mobi" in user_agent)
    found = {
        "Android": is_android,
        "Desktop": not (is_tv or is_mobile),
        "IOS": is_ipad or "iPhone" in user_agent or "iPod" in user_agent,
        "Mobile": is_mobile,
        "SmartTV": is_tv,
        "Tablet": is_tablet,
    }
    return {
        f"CloudFront-Is-{device}-Viewer": "true" if found[device] else "false"
        for device in _DEVICES
    }
