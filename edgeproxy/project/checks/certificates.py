"""Certificates that CloudFront refuses for a distribution's names (CDN-CFG-150 to CDN-CFG-152)."""

from collections.abc import Iterator

from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding

__all__ = ["check_aliases", "check_own_certificate"]


def check_aliases(aliases: tuple[str, ...], rule: str, where: Where) -> Iterator[CheckFinding]:
    """Aliases of a distribution that has CloudFront's own certificate."""
    if aliases:
        yield CheckFinding(
            rule,
            where("Aliases"),
            f"InvalidViewerCertificate: CloudFront's own certificate does not cover {aliases[0]}: "
            "no TLS handshake for that name would succeed.",
            "give AcmCertificateArn and SslSupportMethod in ViewerCertificate, or remove Aliases",
        )


def check_own_certificate(acm: str, support: str, where: Where) -> Iterator[CheckFinding]:
    """A certificate of the distribution's own; ``where`` gives places in ``ViewerCertificate``."""
    if acm.startswith("arn:") and acm.split(":")[3:4] != ["us-east-1"]:
        yield CheckFinding(
            "CDN-CFG-151",
            where("ACMCertificateArn|AcmCertificateArn"),
            f"InvalidViewerCertificate: {acm} is not in us-east-1, where CloudFront looks.",
            "request or import the certificate in us-east-1",
        )
    if not support:
        yield CheckFinding(
            "CDN-CFG-152",
            where(""),
            "InvalidViewerCertificate: a certificate of one's own needs SslSupportMethod.",
            "add SslSupportMethod: sni-only",
        )
