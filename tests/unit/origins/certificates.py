"""Certificates made on the spot with the openssl command, for origins that speak TLS."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeproxy.origins.tls import client_context


def server_context(folder: Path, name: str, *, is_expired: bool = False) -> ssl.SSLContext:
    """A server's context with a self-signed certificate for ``name``, kept as ``name``.pem."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "2",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
             "-keyout", key, "-out", certificate)  # fmt: skip
    if is_expired:
        _openssl("x509", "-in", certificate, "-signkey", key, "-days", "-1", "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@contextmanager
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While this lasts, ``certificate`` is the one authority that the machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(certificate.parent / "none"))
    client_context.cache_clear()
    try:
        yield
    finally:
        client_context.cache_clear()
