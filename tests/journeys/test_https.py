"""HTTPS with certificates of the local authority: a viewer that trusts it sees no difference."""

import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from edgeproxy.testing import Edge, Site
from tests.support.command import dev
from tests.support.origin import running_origin

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER_AND_CLOUDFRONT_HEADERS = "33f36d7e-f396-46d9-90e0-52428a34d9dc"


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the authority is kept."""
    home = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home


def template(folder: Path, *aliases: str, policy: str = "", minimum: str = "TLSv1.2_2021") -> Path:
    """A distribution for each of ``aliases``, with an origin of that name."""
    resources = {
        f"Site{number}": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {
                "DistributionConfig": {
                    "Enabled": True,
                    "Aliases": [alias],
                    "ViewerCertificate": {
                        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
                        "MinimumProtocolVersion": minimum,
                        "SslSupportMethod": "sni-only",
                    },
                    "Origins": [
                        {
                            "Id": alias,
                            "DomainName": f"{alias}.example.com",
                            "CustomOriginConfig": {"OriginProtocolPolicy": "match-viewer"},
                        }
                    ],
                    "DefaultCacheBehavior": {
                        "TargetOriginId": alias,
                        "ViewerProtocolPolicy": policy or "allow-all",
                        "CachePolicyId": CACHING_OPTIMIZED,
                        "OriginRequestPolicyId": ALL_VIEWER_AND_CLOUDFRONT_HEADERS,
                    },
                }
            },
        }
        for number, alias in enumerate(aliases)
    }
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources}))
    return path


@pytest.fixture
def serve(edge: Edge, tmp_path: Path) -> Callable[..., Site]:
    def served(*aliases: str, origin: str, **options: str) -> Site:
        mapping = dict.fromkeys(aliases, origin)
        return edge.serve(template(tmp_path, *aliases, **options), origins=mapping, https_port=0)

    return served


@pytest.mark.rule("CDN-VPP-04", "CDN-CFG-154", "CDN-CFH-13", "CDN-CFH-15")
def test_a_redirect_to_https_leads_there(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve("shop.test", origin=origin.url, policy="redirect-to-https")
        redirected = site.get("/a?b=c")
        assert redirected.status == 301
        assert redirected.headers.get("Location") == f"{site.https_url}/a?b=c"
        answer = site.get("/a?b=c", url=site.https_url)
        assert (answer.status, answer.x_cache) == (200, "Miss from cloudfront")
        headers = {name.lower(): value for name, value in origin.got[0].headers}
        assert headers["cloudfront-forwarded-proto"] == "https"
        assert headers["cloudfront-viewer-tls"].startswith("TLSv1.3:TLS_")


@pytest.mark.rule("CDN-VPP-02")
def test_https_only(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve("shop.test", origin=origin.url, policy="https-only")
        assert site.get("/").status == 403
        assert site.get("/", url=site.https_url).status == 200


@pytest.mark.rule("CDN-VPP-10")
def test_an_object_fetched_over_http_satisfies_https(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve("shop.test", origin=origin.url)
        assert site.get("/").x_cache == "Miss from cloudfront"
        assert site.get("/", url=site.https_url).x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-BEH-01")
def test_several_distributions(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve("shop.test", "blog.test", origin=origin.url)
        viewer, *own = [
            site.endpoints["https_viewer"],
            *(one["https_url"] for one in site.endpoints["distributions"].values()),
        ]
        assert len({viewer, *own}) == 3
        assert site.get("/", url=viewer, headers={"Host": "blog.test"}).status == 200
        assert site.get("/", url=viewer, headers={"Host": "else.test"}).status == 403
        assert [site.get("/", url=url).status for url in own] == [200, 200]


@pytest.mark.rule("CDN-VPP-11")
def test_a_name_of_no_distribution_has_no_certificate(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve("shop.test", "blog.test", origin=origin.url)
        client = ssl.create_default_context(cafile=site.running.program.authority)
        port = int(site.endpoints["https_viewer"].rpartition(":")[2])
        for name in ("shop.test", "localhost"):
            with (
                socket.create_connection(("127.0.0.1", port)) as connection,
                client.wrap_socket(connection, server_hostname=name) as secured,
            ):
                assert secured.version() == "TLSv1.3"
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            pytest.raises(ssl.SSLError),
        ):
            client.wrap_socket(connection, server_hostname="else.test")


def handshake(site: Site, name: str, newest: ssl.TLSVersion) -> tuple[str | None, str]:
    """The protocol agreed on, and who the certificate says the server is."""
    client = ssl.create_default_context(cafile=site.running.program.authority)
    client.set_ciphers("DEFAULT@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = newest
    port = int(site.https_url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        client.wrap_socket(connection, server_hostname=name) as secured,
    ):
        presented = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
        names = presented.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return secured.version(), names.value.get_values_for_type(x509.DNSName)[0]


def test_the_certificate_names_whom_the_viewer_asks_for(serve: Callable[..., Site]) -> None:
    site = serve("shop.test", origin="http://127.0.0.1:1")
    for name in ("shop.test", "www.else.test", "localhost", "127.0.0.1"):
        _, presented = handshake(site, name, ssl.TLSVersion.TLSv1_3)
        assert presented == ("localhost" if name == "127.0.0.1" else name)


@pytest.mark.rule("CDN-CFG-153")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("minimum", "newest", "accepted"),
    [
        ("TLSv1", ssl.TLSVersion.TLSv1, True),
        ("TLSv1.1_2016", ssl.TLSVersion.TLSv1, False),
        ("TLSv1.1_2016", ssl.TLSVersion.TLSv1_1, True),
        ("TLSv1.2_2021", ssl.TLSVersion.TLSv1_1, False),
        ("TLSv1.2_2021", ssl.TLSVersion.TLSv1_2, True),
        ("TLSv1.3_2025", ssl.TLSVersion.TLSv1_2, False),
        ("TLSv1.3_2025", ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_the_oldest_protocol(
    serve: Callable[..., Site], minimum: str, newest: ssl.TLSVersion, accepted: bool
) -> None:
    site = serve("shop.test", origin="http://127.0.0.1:1", minimum=minimum)
    if accepted:
        protocol, _ = handshake(site, "shop.test", newest)
        assert protocol == newest.name.replace("_", ".")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(site, "shop.test", newest)


def test_the_authority_is_made_once_and_its_key_is_the_users_alone(
    tmp_path: Path, data_home: Path
) -> None:
    folder = data_home / "edgeproxy" / "authority"
    certificates = []
    for _ in range(2):
        with dev(str(tmp_path), "--https-port", "0", cwd=tmp_path) as command:
            assert f"curl --cacert '{folder / 'authority.pem'}'" in command.wait_for("--cacert")
        certificates.append((folder / "authority.pem").read_bytes())
    assert certificates[0] == certificates[1]
    key = folder / "authority-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.parent.glob(".*"))


def test_an_authority_that_cannot_be_used_is_said(tmp_path: Path, data_home: Path) -> None:
    folder = data_home / "edgeproxy" / "authority"
    folder.mkdir(parents=True)
    (folder / "authority.pem").write_text("nonsense")
    (folder / "authority-key.pem").write_text("nonsense")
    with dev(str(tmp_path), "--https-port", "0", cwd=tmp_path) as command:
        said = command.wait_for("this is no certificate authority")
        assert str(folder) in said
        assert "remove the folder" in said
        assert command.process.wait(10) == 2
