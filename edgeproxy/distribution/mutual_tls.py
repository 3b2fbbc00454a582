"""Mutual TLS between viewers and a distribution (CDN-CFG-040)."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["TrustStore", "ViewerMtls", "ViewerMtlsMode"]


class ViewerMtlsMode(StrEnum):
    """Whether viewers show a certificate (CDN-CFG-040)."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The authorities that viewers' certificates must come from."""

    id: str
    ca_bundle: str = ""
    """Their certificates in PEM; empty when the bundle is not on this machine."""


@dataclass(frozen=True, slots=True)
class ViewerMtls:
    """``ViewerMtlsConfig``: mutual TLS between viewers and CloudFront."""

    mode: ViewerMtlsMode
    trust_store: TrustStore = TrustStore("")
    advertises_ca_names: bool = False
    ignores_certificate_expiry: bool = False
