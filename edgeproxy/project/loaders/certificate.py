"""Reads ``ViewerCertificate`` (CDN-CFG-032, CDN-CFG-150 to CDN-CFG-154)."""

from typing import Final

from edgeproxy.distribution.security_policies import SECURITY_POLICIES
from edgeproxy.project.checks.certificates import check_aliases, check_own_certificate
from edgeproxy.project.loaders.section import Section

__all__ = ["OWN_CERTIFICATE", "read_certificate"]

OWN_CERTIFICATE: Final = "with --https-port a certificate of the local authority stands in"
_DEFAULT_MINIMUM: Final = "TLSv1"
_ACM: Final = "ACMCertificateArn|AcmCertificateArn"
_IAM: Final = "IAMCertificateId|IamCertificateId"
_SUPPORT: Final = "SSLSupportMethod|SslSupportMethod"
_SUPPORT_METHODS: Final = ("sni-only", "vip", "static-ip")


def read_certificate(config: Section, aliases: tuple[str, ...]) -> str:
    """The security policy's name; ``config`` is the distribution's, ``aliases`` its names."""
    certificate = config.section("ViewerCertificate")
    if certificate is None:
        config.found(check_aliases(aliases, "CDN-CFG-151", config.place))
        return _DEFAULT_MINIMUM
    acm, iam = certificate.text(_ACM, ""), certificate.text(_IAM, "")
    support = certificate.choice(_SUPPORT, _SUPPORT_METHODS, "")
    minimum = certificate.choice("MinimumProtocolVersion", SECURITY_POLICIES, _DEFAULT_MINIMUM)
    certificate.ignore(OWN_CERTIFICATE, _ACM, _IAM, "Certificate", "CertificateSource")
    certificate.ignore("every viewer may name its host", _SUPPORT)
    is_default = certificate.boolean("CloudFrontDefaultCertificate", False)
    certificate.finish()
    if is_default:
        config.found(check_aliases(aliases, "CDN-CFG-150", config.place))
        # It comes with its own policy, whatever is asked for.
        return _DEFAULT_MINIMUM
    if acm or iam:
        certificate.found(check_own_certificate(acm, support, certificate.place))
    else:
        config.found(check_aliases(aliases, "CDN-CFG-151", config.place))
    return minimum
