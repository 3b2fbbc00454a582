"""Distributions with mutual TLS, and viewers with certificates."""

import http.client
import ssl
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import trustme
import yaml

from edgeproxy.testing import Site

__all__ = ["ALLOW", "HEADERS", "Client", "distribution", "expired", "resources", "written"]

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALLOW = "function connectionHandler(connection) { connection.allow(); }"
HEADERS = [
    f"CloudFront-Viewer-Cert-{name}"
    for name in ("Serial-Number", "Issuer", "Subject", "Present", "Sha256", "Validity", "Pem")
]


def distribution(
    mode: str = "required",
    *,
    policy: str = "https-only",
    function: str = "",
    alias: str = "shop.test",
    expiry: bool = False,
    **config: Any,
) -> dict[str, Any]:
    """A distribution with mutual TLS; an empty ``mode`` makes one without."""
    mtls: dict[str, Any] = {
        "Mode": mode,
        "TrustStoreConfig": {"TrustStoreId": {"Ref": "Store"}, "IgnoreCertificateExpiry": expiry},
    }
    behavior: dict[str, Any] = {
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": policy,
        "CachePolicyId": CACHING_DISABLED,
        "OriginRequestPolicyId": {"Ref": "CertificateHeaders"},
    }
    properties: dict[str, Any] = {
        "Enabled": True,
        "Aliases": [alias],
        "ViewerCertificate": {
            "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a",
            "SslSupportMethod": "sni-only",
        },
        "Origins": [
            {
                "Id": "web",
                "DomainName": "web.example.com",
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
            }
        ],
        "DefaultCacheBehavior": behavior,
    }
    if mode:
        properties["ViewerMtlsConfig"] = mtls
    if function:
        properties["ConnectionFunctionAssociation"] = {"Id": {"Fn::GetAtt": [function, "Id"]}}
    properties |= config
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": properties},
    }


def resources(
    code: str = "", *, runtime: str = "cloudfront-js-2.0", publish: bool = True, key: str = "ca.pem"
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Store": {
            "Type": "AWS::CloudFront::TrustStore",
            "Properties": {
                "Name": "partners",
                "CaCertificatesBundleSource": {
                    "CaCertificatesBundleS3Location": {
                        "Bucket": "certificates",
                        "Key": key,
                        "Region": "us-east-1",
                    }
                },
            },
        },
        "CertificateHeaders": {
            "Type": "AWS::CloudFront::OriginRequestPolicy",
            "Properties": {
                "OriginRequestPolicyConfig": {
                    "Name": "certificate-headers",
                    "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": HEADERS},
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "QueryStringsConfig": {"QueryStringBehavior": "none"},
                }
            },
        },
        "Revoked": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "revoked"}},
    }
    if code:
        found["Judge"] = {
            "Type": "AWS::CloudFront::ConnectionFunction",
            "Properties": {
                "Name": "judge",
                "AutoPublish": publish,
                "ConnectionFunctionCode": dedent(code),
                "ConnectionFunctionConfig": {
                    "Comment": "",
                    "Runtime": runtime,
                    "KeyValueStoreAssociations": [
                        {"KeyValueStoreARN": {"Fn::GetAtt": ["Revoked", "Arn"]}}
                    ],
                },
            },
        }
    return found


def written(folder: Path, **declared: Any) -> Path:
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": declared}))
    return path


class Client:
    """A viewer with a certificate, or without one."""

    def __init__(self, site: Site, certificate: trustme.LeafCert | None = None) -> None:
        self.site = site
        self.context = ssl.create_default_context(cafile=site.running.program.authority)
        self.context.check_hostname = False
        if certificate is not None:
            certificate.configure_cert(self.context)

    def connect(self, url: str = "", name: str = "shop.test") -> http.client.HTTPSConnection:
        host, port = (url or self.site.https_url).removeprefix("https://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.connect()
        connection.sock = self.context.wrap_socket(connection.sock, server_hostname=name or None)
        return connection  # type: ignore[return-value]

    def get(self, url: str = "", name: str = "shop.test", host: str = "", **more: str) -> int:
        connection = self.connect(url, name)
        try:
            connection.request("GET", "/", headers={"Host": host or name, **more})
            return connection.getresponse().status
        finally:
            connection.close()

    def is_cut_off(self, **how: str) -> bool:
        """Whether the connection ends without any HTTP answer."""
        try:
            self.get(**how)
        except (ssl.SSLError, ConnectionError):  # http.client's RemoteDisconnected is one of these
            return True
        return False


def expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert(
        "old.example.com", not_before=datetime(2020, 1, 1), not_after=datetime(2021, 1, 1)
    )
