"""Mutual TLS with viewers, over real connections (CDN-CFG-040, CDN-CFH-21, CDN-CFH-22)."""

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme
from cryptography import x509

from edgeproxy.project.loaders import load
from edgeproxy.testing import Edge, Site
from tests.support.mutual_tls import (
    ALLOW,
    HEADERS,
    Client,
    distribution,
    expired,
    resources,
    written,
)
from tests.support.origin import Origin


@pytest.mark.rule("CDN-CFG-040")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_is_required(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, version: ssl.TLSVersion
) -> None:
    site = serve_mtls(Shop=distribution())
    by_child = client_ca.create_child_ca().issue_cert("client.example.com")
    for known in (client_ca.issue_cert("client.example.com"), by_child):
        client = Client(site, known)
        client.context.maximum_version = version
        assert client.get() == 200
    for refused in (None, trustme.CA().issue_cert("client.example.com"), expired(client_ca)):
        client = Client(site, refused)
        client.context.maximum_version = version
        assert client.is_cut_off()
    for why in ("has shown no certificate", "unable to get local issuer", "has expired"):
        assert why in site.console


@pytest.mark.rule("CDN-CFG-040")
def test_a_certificate_is_optional(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin
) -> None:
    site = serve_mtls(Shop=distribution("optional"))
    assert Client(site).get() == 200
    assert origin.got[-1].header("CloudFront-Viewer-Cert-Present") == "0"
    assert origin.got[-1].header("CloudFront-Viewer-Cert-Subject") is None
    assert Client(site, client_ca.issue_cert("client.example.com")).get() == 200
    assert origin.got[-1].header("CloudFront-Viewer-Cert-Present") == "1"
    assert Client(site, trustme.CA().issue_cert("client.example.com")).is_cut_off()


@pytest.mark.rule("CDN-CFG-040")
def test_expiry_is_ignored_when_asked_for(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    site = serve_mtls(Shop=distribution(expiry=True))
    assert Client(site, expired(client_ca)).get() == 200
    assert Client(site, trustme.CA().issue_cert("client.example.com")).is_cut_off()


@pytest.mark.parametrize("mode", ["required", "optional", ""])
def test_no_session_is_resumed_with_mutual_tls(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, mode: str
) -> None:
    site = serve_mtls(Shop=distribution(mode))
    connection = Client(site, client_ca.issue_cert("client.example.com")).connect()
    connection.request("GET", "/", headers={"Host": "shop.test"})
    assert connection.getresponse().read()
    session = connection.sock.session
    assert (session is not None and session.has_ticket) is (mode == "")
    connection.close()


@pytest.mark.rule("CDN-CFH-21", "CDN-CFH-22")
def test_headers_about_the_certificate(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin
) -> None:
    site = serve_mtls(Shop=distribution())
    client = client_ca.issue_cert("client.example.com", common_name="A, client")
    pem = client.cert_chain_pems[0].bytes()
    known = x509.load_pem_x509_certificate(pem)
    spoofed = dict.fromkeys(HEADERS, "spoofed")
    assert Client(site, client).get(**spoofed) == 200
    got = {name: origin.got[-1].header(name) for name in HEADERS}
    number = got["CloudFront-Viewer-Cert-Serial-Number"] or ""
    assert int(number.replace(":", ""), 16) == known.serial_number
    assert all(len(pair) == 2 for pair in number.split(":"))
    assert got["CloudFront-Viewer-Cert-Present"] == "1"
    assert got["CloudFront-Viewer-Cert-Issuer"] == "OU=Devices,O=Clients"
    assert (got["CloudFront-Viewer-Cert-Subject"] or "").startswith("CN=A\\, client,")
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert got["CloudFront-Viewer-Cert-Sha256"] == hashlib.sha256(der).hexdigest()
    start, end = known.not_valid_before_utc, known.not_valid_after_utc
    assert got["CloudFront-Viewer-Cert-Validity"] == (
        f"NotBefore={start:%Y-%m-%dT%H:%M:%SZ};NotAfter={end:%Y-%m-%dT%H:%M:%SZ}"
    )
    escaped = got["CloudFront-Viewer-Cert-Pem"] or ""
    assert escaped.startswith("-----BEGIN%20CERTIFICATE-----%0A")
    assert unquote(escaped).encode() == pem


@pytest.mark.rule("CDN-CFH-21", "CDN-CFH-22", "CDN-HDR-20")
def test_without_mutual_tls_there_are_no_such_headers(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin
) -> None:
    site = serve_mtls(Shop=distribution(""))
    client = Client(site, client_ca.issue_cert("client.example.com"))
    assert client.get(**dict.fromkeys(HEADERS, "spoofed")) == 200
    assert [origin.got[-1].header(name) for name in HEADERS] == [None] * len(HEADERS)


SEEN_BY_A_FUNCTION = """
function handler(event) {
    var names = Object.keys(event.request.headers);
    var seen = names.filter(function (name) { return name.indexOf('viewer-cert') > 0; });
    return { statusCode: 200, headers: { seen: { value: seen.sort().join(' ') } } };
}
"""


SEEING = {
    "Type": "AWS::CloudFront::Function",
    "Properties": {
        "Name": "seen",
        "AutoPublish": True,
        "FunctionCode": SEEN_BY_A_FUNCTION,
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
    },
}


@pytest.mark.rule("LE-HDR-02", "CDN-CFH-22", "CFF-HDR-01")
def test_viewer_functions_see_all_but_pem(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    shop = distribution()
    behavior = shop["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    behavior["FunctionAssociations"] = [
        {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Seen", "FunctionARN"]}}
    ]
    client = Client(serve_mtls(Shop=shop, Seen=SEEING), client_ca.issue_cert("client.example.com"))
    connection = client.connect()
    spoofed = {"Host": "shop.test", HEADERS[-1]: "spoofed", "Client-Cert": "spoofed"}
    connection.request("GET", "/", headers=spoofed)
    seen = connection.getresponse().headers["seen"].split()
    connection.close()
    assert seen == sorted(name.lower() for name in HEADERS if not name.endswith("Pem"))


@pytest.mark.rule("CDN-CFH-21")
def test_viewer_functions_see_the_certificate_without_a_policy(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    shop = distribution()
    behavior = shop["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    del behavior["OriginRequestPolicyId"]
    behavior["FunctionAssociations"] = [
        {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Seen", "FunctionARN"]}}
    ]
    site = serve_mtls(Shop=shop, Seen=SEEING)
    connection = Client(site, client_ca.issue_cert("client.example.com")).connect()
    connection.request("GET", "/", headers={"Host": "shop.test"})
    seen = connection.getresponse().headers["seen"].split()
    connection.close()
    assert seen == sorted(name.lower() for name in HEADERS[:5])


@pytest.mark.rule("LE-HDR-02", "CDN-CFH-22")
def test_an_origin_request_function_leaves_pem_to_the_origin(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(
        "def handler(event, context):\n"
        "    request = event['Records'][0]['cf']['request']\n"
        "    seen = ' '.join(sorted(n for n in request['headers'] if 'viewer-cert' in n))\n"
        "    request['headers']['seen'] = [{'key': 'Seen', 'value': seen}]\n"
        "    return request\n"
    )
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": "./code",
            "Handler": "app.handler",
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::123456789012:role/edge",
        },
    }
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Seen"}}}
    shop = distribution()
    shop["Properties"]["DistributionConfig"]["DefaultCacheBehavior"][
        "LambdaFunctionAssociations"
    ] = [{"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "SeenVersion"}}]
    site = serve_mtls(Shop=shop, Seen=function, SeenVersion=version)
    assert Client(site, client_ca.issue_cert("client.example.com")).get() == 200
    seen = (origin.got[-1].header("Seen") or "").split()
    assert seen == sorted(name.lower() for name in HEADERS if not name.endswith("Pem"))
    assert (origin.got[-1].header(HEADERS[-1]) or "").startswith("-----BEGIN%20CERTIFICATE")


def test_distributions_that_share_a_listener(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    site = serve_mtls(
        Shop=distribution(alias="shop.test"),
        Blog=distribution("", alias="blog.test"),
    )
    shared = site.endpoints["https_viewer"]
    urls = {name: one["https_url"] for name, one in site.endpoints["distributions"].items()}
    nobody, known = Client(site), Client(site, client_ca.issue_cert("client.example.com"))
    assert nobody.get(shared, "blog.test") == 200
    assert known.get(shared, "shop.test") == 200
    assert nobody.is_cut_off(url=shared, name="shop.test")
    # A connection that was opened for the one is not good for the other.
    assert nobody.get(shared, "blog.test", "shop.test") == 421
    assert nobody.get(shared, "", "shop.test") == 421
    assert nobody.get(urls["Blog"], "blog.test") == 200
    assert known.get(urls["Blog"], "blog.test") == 200
    assert known.get(urls["Shop"], "anything.test") == 200
    assert site.console.count("has shown no certificate") == 1
    assert nobody.is_cut_off(url=urls["Shop"])
    assert site.console.count("has shown no certificate") == 2


def test_it_is_said_at_start(serve_mtls: Callable[..., Site], edge: Edge, tmp_path: Path) -> None:
    site = serve_mtls(ALLOW, Shop=distribution(function="Judge"))
    assert "mutual TLS, client certificates required, connection function judge" in site.console
    path = written(tmp_path, **resources(key="elsewhere.pem"), Shop=distribution())
    console = edge.serve(path, https_port=0).console
    assert "every certificate is refused" in console
    assert "give --trust-store" in console
    assert "give --https-port" in edge.serve(path).console


def test_a_reload_changes_what_is_asked_for(
    serve_mtls: Callable[..., Site], edge: Edge, client_ca: trustme.CA, tmp_path: Path
) -> None:
    site = serve_mtls(Shop=distribution(""))
    assert Client(site).get() == 200
    program = site.running.program
    for mode, is_let_in in (("required", False), ("optional", True), ("required", False)):
        path = written(tmp_path, **resources(), Shop=distribution(mode))
        edge.call(program.apply(load(path)))
        assert Client(site).is_cut_off() is not is_let_in
        assert Client(site, client_ca.issue_cert("client.example.com")).get() in (200, 502)


def test_passthrough_asks_for_nothing_and_says_so(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin
) -> None:
    code = """
        function connectionHandler(connection) {
            console.log(String(connection.clientCertificate));
            connection.allow();
        }
        """
    site = serve_mtls(code, Shop=distribution("passthrough", function="Judge"))
    assert Client(site, trustme.CA().issue_cert("client.example.com")).get() == 200
    assert origin.got[-1].header("CloudFront-Viewer-Cert-Present") == "0"
    group = "/aws/cloudfront/connection-function/judge"
    lines = [entry.message for entry in site.running.program.log_groups.newest(group, 10)]
    assert lines[1].endswith(" undefined")
    assert "viewers are not asked for certificates that nobody checks" in site.console
