"""Certificates of all kinds, as headers and as events of connection functions."""

import ipaddress
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from edgeproxy.events.connection import certificate_headers, connection_event

KEY = ec.generate_private_key(ec.SECP256R1())
# In the order that AWS's example has.
SUBJECT = [
    (NameOID.COUNTRY_NAME, "US"),
    (NameOID.ORGANIZATION_NAME, "Ram"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "Edge"),
    (NameOID.COMMON_NAME, "mTLS-CA"),
]


def certificate(
    subject: Sequence[tuple[x509.ObjectIdentifier, str]] = SUBJECT,
    serial_number: int = 0x9E2AAF,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in subject])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(serial_number)
        .not_valid_before(datetime(2025, 9, 10, 23, 43, 10, tzinfo=UTC))
        .not_valid_after(datetime(2055, 9, 11, 0, 43, 2, tzinfo=UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, SHA256())


def event(leaf: x509.Certificate | None, *intermediates: x509.Certificate) -> dict[str, Any]:
    return connection_event(
        leaf,
        intermediates,
        client_ip="127.0.0.1",
        endpoint="d111111abcdef8.cloudfront.net",
        distribution_id="E1",
        connection_id="c1==",
    )


def leaf(*extensions: x509.ExtensionType, number: int = 0x9E2AAF) -> dict[str, Any]:
    shown = event(certificate(SUBJECT, number, *extensions))
    found: dict[str, Any] = shown["clientCertificate"]["certificates"]["leaf"]
    return found


@pytest.mark.rule("CFF-CONN-03", "CDN-CFH-21")
@pytest.mark.parametrize(
    ("number", "text"),
    [(0x9E2AAF, "00:9e:2a:af"), (0x4A3F5C, "4a:3f:5c"), (0x80, "00:80"), (1, "01")],
)
def test_serial_numbers_have_a_sign(number: int, text: str) -> None:
    assert leaf(number=number)["serialNumber"] == text
    headers = dict(certificate_headers(certificate(SUBJECT, number)))
    assert headers["CloudFront-Viewer-Cert-Serial-Number"] == text


@pytest.mark.rule("CFF-CONN-03")
def test_an_event() -> None:
    shown = event(certificate(), certificate(SUBJECT, 7))
    assert {name: value for name, value in shown.items() if isinstance(value, str)} == {
        "clientIp": "127.0.0.1",
        "endpoint": "d111111abcdef8.cloudfront.net",
        "distributionId": "E1",
        "connectionId": "c1==",
    }
    certificates = shown["clientCertificate"]["certificates"]
    assert certificates["leaf"]["subject"] == "C=US, O=Ram, OU=Edge, CN=mTLS-CA"
    assert certificates["leaf"]["issuer"] == "C=US, O=Ram, OU=Edge, CN=mTLS-CA"
    assert certificates["leaf"]["validity"] == {
        "notBefore": "2025-09-10T23:43:10Z",
        "notAfter": "2055-09-11T00:43:02Z",
    }
    assert len(certificates["leaf"]["sha256Fingerprint"]) == 44
    key = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert urlsafe_b64decode(certificates["leaf"]["spki"]) == key
    assert [each["serialNumber"] for each in certificates["intermediates"]] == ["07"]
    assert "clientCertificate" not in event(None)


@pytest.mark.rule("CFF-CONN-03")
def test_extensions() -> None:
    directory = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "b")])
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("a.example"),
            x509.IPAddress(ipaddress.ip_address("::1")),
            x509.UniformResourceIdentifier("spiffe://a/b"),
            x509.DirectoryName(directory),
        ]
    )
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS,
                x509.UniformResourceIdentifier("http://ca.example/ca.crt"),
            ),
            x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP,
                x509.UniformResourceIdentifier("http://ocsp.example/"),
            ),
        ]
    )
    shown = leaf(names, access)
    assert shown["san"] == "DNS:a.example, IP:::1, URI:spiffe://a/b, DirName:CN=b"
    assert bytes.fromhex(shown["sanHex"]) == names.public_bytes()
    assert shown["ocspEndpoint"] == "http://ocsp.example/"
    bare = leaf()
    assert (bare["san"], bare["sanHex"], bare["ocspEndpoint"]) == ("", "", "")


@pytest.mark.rule("CDN-CFH-21")
def test_names_in_headers() -> None:
    subject = [
        (NameOID.ORGANIZATION_NAME, "A, B"),
        (NameOID.COMMON_NAME, "Zoë\r\nX-Evil: 1"),
    ]
    headers = dict(certificate_headers(certificate(subject)))
    value = headers["CloudFront-Viewer-Cert-Subject"]
    assert value == "CN=Zo%C3%AB%0D%0AX-Evil: 1,O=A\\, B"
    assert certificate_headers(None) == (("CloudFront-Viewer-Cert-Present", "0"),)
