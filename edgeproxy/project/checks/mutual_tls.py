"""What CloudFront refuses in mutual TLS with viewers (CDN-CFG-040, CFF-CONN-04)."""

from collections.abc import Iterator

from edgeproxy.distribution.model import Distribution, ViewerProtocolPolicy
from edgeproxy.distribution.mutual_tls import ViewerMtlsMode
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_viewer_mtls"]

_RULE = "CDN-CFG-040"
_MTLS = "ViewerMtlsConfig"


def check_viewer_mtls(distribution: Distribution, where: Where) -> Iterator[CheckFinding]:
    """HTTPS without exception, no HTTP/3, a trust store; a connection function needs all that."""
    mtls = distribution.viewer_mtls
    if mtls is None:
        if distribution.connection_function:
            yield CheckFinding(
                "CFF-CONN-04",
                where("ConnectionFunctionAssociation"),
                "InvalidArgument: a connection function needs viewer mutual TLS.",
                "add ViewerMtlsConfig with a trust store",
            )
        return
    for behavior in distribution.all_behaviors:
        if behavior.viewer_protocol_policy is ViewerProtocolPolicy.ALLOW_ALL:
            yield CheckFinding(
                _RULE,
                where(_MTLS),
                f"InvalidArgument: the behavior {behavior.path_pattern} takes HTTP, which mutual "
                "TLS rules out.",
                "set ViewerProtocolPolicy to redirect-to-https or https-only",
            )
    if "3" in distribution.http_version:
        yield CheckFinding(
            _RULE,
            where("HttpVersion"),
            "InvalidArgument: viewer mutual TLS does not work with HTTP/3.",
            "set HttpVersion to http2",
        )
    if mtls.mode is ViewerMtlsMode.PASSTHROUGH:
        return
    if not mtls.trust_store.id:
        yield CheckFinding(
            _RULE,
            where(_MTLS),
            f"InvalidArgument: the mode {mtls.mode} needs a trust store.",
            "name one under TrustStoreConfig",
        )
    elif not mtls.trust_store.ca_bundle:
        yield CheckFinding(
            _RULE,
            where(_MTLS),
            f"The certificates of the trust store {mtls.trust_store.id} are not on this machine: "
            "every viewer's certificate is refused here.",
            f"give --trust-store {mtls.trust_store.id}=PEM_FILE",
            Severity.WARNING,
        )
