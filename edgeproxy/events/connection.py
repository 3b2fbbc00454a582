"""What a viewer's certificate tells: the event of a connection function, and headers for origins.

AWS documents the fields of ``san``, ``sanHex``, ``spki`` and ``ocspEndpoint`` by name only
(CFF-CONN-03); their forms here are the usual ones, all in :func:`_shown`.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["certificate_headers", "connection_event"]

E = TypeVar("E", bound=x509.ExtensionType)

_PREFIX: Final = "CloudFront-Viewer-Cert-"
_ASCII: Final = bytes(range(0x20, 0x7F)).decode("ascii")
_KINDS: Final = {
    x509.DNSName: "DNS",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
    x509.IPAddress: "IP",
    x509.DirectoryName: "DirName",
}


def certificate_headers(certificate: x509.Certificate | None) -> tuple[tuple[str, str], ...]:
    """The headers about a viewer's certificate, or its absence (CDN-CFH-21, CDN-CFH-22)."""
    if certificate is None:
        return ((f"{_PREFIX}Present", "0"),)
    validity = _validity(certificate)
    values = {
        "Present": "1",
        "Serial-Number": _serial_number(certificate),
        "Issuer": certificate.issuer.rfc4514_string(),
        "Subject": certificate.subject.rfc4514_string(),
        "Sha256": certificate.fingerprint(SHA256()).hex(),
        "Validity": f"NotBefore={validity['notBefore']};NotAfter={validity['notAfter']}",
        "Pem": quote(certificate.public_bytes(Encoding.PEM), safe=""),
    }
    # A name may hold any character; no header can.
    return tuple((_PREFIX + name, quote(value, safe=_ASCII)) for name, value in values.items())


def connection_event(
    leaf: x509.Certificate | None,
    intermediates: Sequence[x509.Certificate],
    *,
    client_ip: str,
    endpoint: str,
    distribution_id: str,
    connection_id: str,
) -> dict[str, object]:
    """What a connection function is called with (CFF-CONN-03).

    Without a certificate there is no ``clientCertificate``.
    """
    event: dict[str, object] = {
        "clientIp": client_ip,
        "endpoint": endpoint,
        "distributionId": distribution_id,
        "connectionId": connection_id,
    }
    if leaf is not None:
        certificates = {"leaf": _shown(leaf), "intermediates": [_shown(c) for c in intermediates]}
        event["clientCertificate"] = {"certificates": certificates}
    return event


def _shown(certificate: x509.Certificate) -> dict[str, object]:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = _extension(certificate, x509.SubjectAlternativeName)
    return {
        "serialNumber": _serial_number(certificate),
        "issuer": _name(certificate.issuer),
        "subject": _name(certificate.subject),
        "validity": _validity(certificate),
        "sha256Fingerprint": _base64url(certificate.fingerprint(SHA256())),
        "san": "" if names is None else ", ".join(map(_alternative_name, names)),
        "sanHex": "" if names is None else names.public_bytes().hex(),
        "spki": _base64url(key),
        "ocspEndpoint": _ocsp_endpoint(certificate),
    }


def _serial_number(certificate: x509.Certificate) -> str:
    """The bytes of the signed number, in pairs of digits: ``00:9e:2a``."""
    number = certificate.serial_number
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True).hex(":")


def _name(name: x509.Name) -> str:
    """The parts in the certificate's order, as OpenSSL prints them on one line."""
    return ", ".join(part.rfc4514_string() for part in name.rdns)


def _validity(certificate: x509.Certificate) -> dict[str, str]:
    return {
        "notBefore": _iso(certificate.not_valid_before_utc),
        "notAfter": _iso(certificate.not_valid_after_utc),
    }


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")


def _alternative_name(name: x509.GeneralName) -> str:
    kind = _KINDS.get(type(name), "other")
    value = name.value
    return f"{kind}:{_name(value) if isinstance(value, x509.Name) else value}"


def _ocsp_endpoint(certificate: x509.Certificate) -> str:
    access = _extension(certificate, x509.AuthorityInformationAccess)
    for description in access or ():
        location = description.access_location
        is_url = isinstance(location, x509.UniformResourceIdentifier)
        if is_url and description.access_method == x509.OID_OCSP:
            return str(location.value)
    return ""


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
