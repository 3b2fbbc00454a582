"""Origins that want to see CloudFront's certificate."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.delivery import CACHING_DISABLED, definition
from tests.support.origin import Answer, running_origin

ARN = "arn:aws:acm:us-east-1:123456789012:certificate/a"
TLS = {"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}
MUTUAL = {**TLS, "OriginMtlsConfig": {"ClientCertificateArn": ARN}}


class Stage:
    """An origin that insists on a certificate of ``authority``, and an edge in front of it."""

    def __init__(self, edge: Edge, folder: Path, url: str, authority: trustme.CA) -> None:
        self._edge, self._folder, self._url = edge, folder, url
        self.certificate = folder / "edge.pem"
        issued = authority.issue_cert("edge.example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(self.certificate)

    def serve(self, config: dict[str, Any], **options: object) -> Site:
        path = self._folder / "template.yaml"
        origin = {"CustomOriginConfig": config}
        path.write_text(yaml.safe_dump(definition({"cache": CACHING_DISABLED}, origin=origin)))
        return self._edge.serve(path, origins={"web": self._url}, **options)


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def stage(request: pytest.FixtureRequest, shared: Edge, tmp_path: Path) -> Iterator[Stage]:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion[request.param]
    authority.issue_cert("localhost").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    with running_origin(tls) as origin:
        origin.answer = Answer(body=b"let in")
        yield Stage(shared, tmp_path, origin.url, authority)


@pytest.mark.rule("CDN-RSP-17", "CDN-CFG-076")
@pytest.mark.parametrize("name", [ARN, "web"])
def test_an_origin_with_mutual_tls_sees_the_certificate(stage: Stage, name: str) -> None:
    site = stage.serve(MUTUAL, origin_certificate=(f"{name}={stage.certificate}",))
    assert site.get("/").body == b"let in"


@pytest.mark.rule("CDN-RSP-17")
@pytest.mark.parametrize("config", [TLS, MUTUAL], ids=["not configured", "no certificate given"])
def test_without_it_the_handshake_is_dropped(stage: Stage, config: dict[str, Any]) -> None:
    site = stage.serve(config)
    response = site.get("/")
    assert (response.status, response.x_cache) == (502, "Error from cloudfront")


@pytest.mark.rule("CDN-RSP-17")
def test_an_origin_without_mutual_tls_is_shown_none(stage: Stage) -> None:
    site = stage.serve(TLS, origin_certificate=(f"web={stage.certificate}",))
    assert site.get("/").status == 502
    assert "no origin with OriginMtlsConfig has the ID or certificate 'web'" in site.console


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (lambda file: str(file), "is not of the form ARN_OR_ID=PEM_FILE"),
        (lambda file: f"web={file}.none", "cannot be used: No such file"),
        (lambda file: f"web={__file__}", "cannot be used"),
    ],
)
def test_a_file_that_is_no_certificate(
    stage: Stage, option: Callable[[Path], str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        stage.serve(MUTUAL, origin_certificate=(option(stage.certificate),))
