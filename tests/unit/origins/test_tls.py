import ssl

import pytest

from edgeproxy.origins.tls import client_context


def test_certificates_and_names_are_checked_unless_told_otherwise() -> None:
    checked = client_context(("TLSv1.2",))
    assert checked.verify_mode is ssl.CERT_REQUIRED
    assert checked.check_hostname
    unchecked = client_context(("TLSv1.2",), verified=False)
    assert unchecked.verify_mode is ssl.CERT_NONE
    assert not unchecked.check_hostname


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
