import asyncio
import ssl

import pytest

from edgeproxy.origins.tls import certificate_names, client_context, is_for


def test_certificates_are_checked_unless_told_otherwise() -> None:
    assert client_context(("TLSv1.2",)).verify_mode is ssl.CERT_REQUIRED
    assert client_context(("TLSv1.2",), verified=False).verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, ()),
        ({"subject": ((("commonName", "a.example"),),)}, ("a.example",)),
        (
            {
                "subject": ((("commonName", "ignored.example"),),),
                "subjectAltName": (("DNS", "a.example"), ("IP Address", "::1"), ("DNS", "*.b.c")),
            },
            ("a.example", "*.b.c", "::1"),
        ),
    ],
)
def test_the_names_of_a_certificate(certificate, names) -> None:
    assert certificate_names(asyncio.BaseTransport({"peercert": certificate})) == names


@pytest.mark.parametrize(
    ("shown", "accepted", "expected"),
    [
        (["a.example"], ["b.example", "A.Example"], True),
        (["a.example"], ["b.a.example"], False),
        (["*.a.example"], ["b.a.example"], True),
        (["*.a.example"], ["a.example"], False),
        (["*.a.example"], ["c.b.a.example"], False),
        (["*.example"], ["a.example"], False),
        (["b.a.example"], ["*.a.example"], True),
        (["*.a.example"], ["*.a.example"], True),
        (["*"], ["localhost"], False),
        (["127.0.0.1"], ["127.0.0.1"], True),
        ([], ["a.example"], False),
        (["a.example"], [], False),
    ],
)
def test_whether_a_certificate_is_for_an_accepted_name(shown, accepted, expected) -> None:
    assert is_for(shown, accepted) is expected


@pytest.mark.parametrize(
    ("protocols", "oldest"),
    [
        (("TLSv1.2",), ssl.TLSVersion.TLSv1_2),
        (("TLSv1.2", "TLSv1.1"), ssl.TLSVersion.TLSv1_1),
        (("TLSv1", "SSLv3"), ssl.TLSVersion.TLSv1),
        (("SSLv3",), ssl.TLSVersion.TLSv1),
    ],
)
def test_the_oldest_listed_version_is_the_oldest_offered(protocols, oldest) -> None:
    assert client_context(protocols).minimum_version == oldest


def test_equal_settings_share_a_context_and_so_their_connections() -> None:
    assert client_context(("TLSv1.2",)) is client_context(("TLSv1.2",))
