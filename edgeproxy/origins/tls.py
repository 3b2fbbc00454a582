"""TLS towards origins: which protocol versions are offered and whether certificates are checked.

A certificate is checked against the machine's trusted authorities, and must be for the origin's
domain or for the Host that is sent (CDN-ERR-34, LE-ORG-17). Python's own check knows one name only,
so names are compared here. Only a loopback address that the user named with ``--origin`` may show
any certificate, so that a dev server with a self-signed one can be used.

An origin with mutual TLS is shown the certificate that the user gave for it (CDN-CFG-076). No other
is shown any, so that one that insists on a certificate ends the handshake (CDN-RSP-17).
"""

import asyncio
import ssl
import warnings
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final

from edgeproxy.errors import UsageError

__all__ = [
    "certificate_names",
    "check_certificate",
    "client_context",
    "is_for",
    "is_server_name",
]

# From the oldest on. SSLv3 is beyond every current library; it counts as TLSv1.
_OLD_VERSIONS: Final = (
    ("SSLv3", ssl.TLSVersion.TLSv1),
    ("TLSv1", ssl.TLSVersion.TLSv1),
    ("TLSv1.1", ssl.TLSVersion.TLSv1_1),
)

_NO_PASSWORD: Final = ""
"""Else OpenSSL asks the terminal for it."""


@lru_cache(maxsize=64)
def client_context(
    ssl_protocols: tuple[str, ...],
    *,
    verified: bool = True,
    certificate: Path | None = None,
    protocol: str = "http/1.1",
) -> ssl.SSLContext:
    """A context that offers the oldest of ``ssl_protocols`` and everything newer.

    ``certificate`` is a PEM file with the certificate to show, its chain and its private key;
    ``protocol`` is what is to be spoken over TLS.

    AWS offers exactly the listed versions (CDN-CFG-072). A lower limit is what can be kept here:
    the default of templates is TLSv1 alone, and a local origin rarely speaks that.
    """
    context = ssl.create_default_context()
    context.check_hostname = False  # Left to is_for.
    context.set_alpn_protocols([protocol])
    for name, version in _OLD_VERSIONS:
        if name in ssl_protocols:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = version
            # The old versions sign with SHA-1, which the usual security level refuses.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            break
    if not verified:
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, password=_NO_PASSWORD)
    return context


def check_certificate(option: str, file: Path) -> None:
    """Raises :class:`UsageError` for a file without a usable certificate and its private key."""
    try:
        ssl.create_default_context().load_cert_chain(file, password=_NO_PASSWORD)
    except OSError as error:  # ssl.SSLError is one.
        raise UsageError(
            f"{option}: {file} cannot be used: {error.strerror or error}",
            remedy="a PEM file with the certificate, its chain, and the private key without a "
            "password",
        ) from error


def certificate_names(transport: asyncio.BaseTransport | None) -> tuple[str, ...]:
    """The DNS names and addresses of the verified certificate that the other side has shown.

    The common name counts when there is no DNS name.
    """
    shown = transport.get_extra_info("peercert") if transport is not None else None
    if not shown:
        return ()
    names = [value for kind, value in shown.get("subjectAltName", ()) if "DNS" in kind]
    if not names:
        subject = [pair for part in shown.get("subject", ()) for pair in part]
        names = [value for kind, value in subject if kind == "commonName"]
    addresses = [value for kind, value in shown.get("subjectAltName", ()) if "IP" in kind]
    return (*names, *addresses)


def is_server_name(name: str) -> bool:
    """Whether a handshake can ask for ``name``: a Host that a viewer makes up may be anything."""
    try:
        return not name.startswith(".") and bool(name.encode("idna"))
    except UnicodeError:
        return False


def is_for(shown: Collection[str], accepted: Collection[str]) -> bool:
    """Whether one of the names that a certificate shows is accepted.

    Either side may have a wildcard for its first label: an edge function may accept
    ``*.example.com`` (CFF-ORG-03).
    """
    return any(_covers(one, other) or _covers(other, one) for one in shown for other in accepted)


def _covers(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower(), name.lower()
    if pattern == name:
        return True
    label, _, parent = pattern.partition(".")
    return label == "*" and "." in parent and name.partition(".")[2] == parent
