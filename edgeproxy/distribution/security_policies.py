"""Which TLS versions and ciphers each security policy lets viewers use (CDN-CFG-153).

Ciphers are in CloudFront's order, which is the order of choice, under OpenSSL's names. Those of
TLS 1.3 are not among them: all policies have the same, but for ChaCha20 in ``TLSv1.2_2025``.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["CIPHERS", "SECURITY_POLICIES", "oldest_version"]

_GCM_ECDSA: Final = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")
_GCM_RSA: Final = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384")

_2021: Final = (
    *_GCM_ECDSA,
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    *_GCM_RSA,
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_2019: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-SHA384",
)
_2018: Final = (*_2019, "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256")
_2016: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA",
    "AES128-SHA",
)

CIPHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "SSLv3": (*_2016, "DES-CBC3-SHA", "RC4-MD5"),
    "TLSv1": (*_2016, "DES-CBC3-SHA"),
    "TLSv1_2016": _2016,
    "TLSv1.1_2016": _2016,
    "TLSv1.2_2018": _2018,
    "TLSv1.2_2019": _2019,
    "TLSv1.2_2021": _2021,
    "TLSv1.2_2025": (*_GCM_ECDSA, *_GCM_RSA),
    "TLSv1.3_2025": (),
}
"""By the policy's name, those of TLS 1.2 and older."""

SECURITY_POLICIES: Final = tuple(CIPHERS)


def oldest_version(policy: str) -> str:
    """The oldest TLS version that ``policy`` lets viewers use: ``TLSv1.2`` and the like."""
    return policy.partition("_")[0]
