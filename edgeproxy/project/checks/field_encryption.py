"""Behaviors that cannot have field-level encryption, or whose configuration is not here."""

from collections.abc import Iterator

from edgeproxy.distribution.model import Behavior, CustomOrigin, Origin, ViewerProtocolPolicy
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_encrypting_behavior", "check_encrypting_origin", "check_unknown_encryption"]

_ILLEGAL = "IllegalFieldLevelEncryptionConfigAssociationWithCacheBehavior"


def check_encrypting_behavior(behavior: Behavior, where: Where) -> Iterator[CheckFinding]:
    """What the viewer's side must be like (CDN-FLE-02)."""
    if behavior.viewer_protocol_policy is ViewerProtocolPolicy.ALLOW_ALL:
        yield CheckFinding(
            "CDN-FLE-02",
            where("ViewerProtocolPolicy"),
            f"{_ILLEGAL}: field-level encryption needs viewers that use HTTPS.",
            "set ViewerProtocolPolicy to https-only or redirect-to-https",
        )
    if len(set(behavior.allowed_methods)) < 7:
        yield CheckFinding(
            "CDN-FLE-02",
            where("AllowedMethods"),
            f"{_ILLEGAL}: field-level encryption needs all seven methods.",
            "allow GET, HEAD, OPTIONS, PUT, POST, PATCH and DELETE",
        )


def check_encrypting_origin(origin: Origin, where: Where) -> Iterator[CheckFinding]:
    """What the origin's side must be like (CDN-FLE-02)."""
    if isinstance(origin.config, CustomOrigin) and origin.config.protocol_policy == "http-only":
        yield CheckFinding(
            "CDN-FLE-02",
            where("Origins"),
            f"{_ILLEGAL}: field-level encryption needs HTTPS to the origin {origin.id}.",
            "set OriginProtocolPolicy to https-only or match-viewer",
        )


def check_unknown_encryption(name: str, where: Where) -> Iterator[CheckFinding]:
    """A configuration that is not on this machine (CDN-FLE-06)."""
    yield CheckFinding(
        "CDN-FLE-06",
        where("FieldLevelEncryptionId"),
        f"The field-level encryption {name} is not known here: bodies pass as they are.",
        f"give --field-level-encryption {name}=FILE",
        Severity.WARNING,
    )
