"""Connection functions: what they see, whom they let in, where they are seen (CFF-CONN)."""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edgeproxy.testing import Site
from tests.support import aws
from tests.support.command import run
from tests.support.mutual_tls import (
    ALLOW,
    Client,
    distribution,
    expired,
    resources,
    written,
)
from tests.support.origin import Origin


@pytest.mark.rule("CFF-CONN-01", "CFF-CONN-02", "CFF-CONN-03", "CFF-CONN-04")
def test_a_function_lets_in(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin
) -> None:
    site = serve_mtls(
        """
        function connectionHandler(connection) {
            console.log(JSON.stringify(connection));
            connection.allow();
        }
        """,
        Shop=distribution(function="Judge"),
    )
    certificate = client_ca.issue_cert("client.example.com", "device@example.com")
    known = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
    connection = Client(site, certificate).connect()
    for _ in range(2):
        connection.request("GET", "/", headers={"Host": "shop.test"})
        assert connection.getresponse().read() == b"from the origin"
    connection.close()
    group = "/aws/cloudfront/connection-function/judge"
    start, shown, end = (
        line.message for line in site.running.program.log_groups.newest(group, 10)
    )  # one run for two requests
    event = json.loads(shown.partition(" ")[2])
    assert event["clientIp"] == "127.0.0.1"
    (shop,) = site.running.program.project.distributions.values()
    assert (event["endpoint"], event["distributionId"]) == (shop.domain_name, shop.id)
    assert start == f"{event['connectionId']} START DistributionID: {shop.id}"
    assert end == f"{event['connectionId']} END"
    certificates = event["clientCertificate"]["certificates"]
    assert isinstance(certificates["intermediates"], list)
    leaf = certificates["leaf"]
    assert int(leaf["serialNumber"].replace(":", ""), 16) == known.serial_number
    assert leaf["issuer"] == "O=Clients, OU=Devices"
    assert leaf["subject"].startswith("O=trustme")
    moments = (datetime.fromisoformat(leaf["validity"][each]) for each in ("notBefore", "notAfter"))
    assert list(moments) == [known.not_valid_before_utc, known.not_valid_after_utc]
    der = known.public_bytes(Encoding.DER)
    assert urlsafe_b64decode(leaf["sha256Fingerprint"]) == hashlib.sha256(der).digest()
    assert leaf["san"] == "DNS:client.example.com, email:device@example.com"
    assert b"client.example.com" in bytes.fromhex(leaf["sanHex"])
    assert urlsafe_b64decode(leaf["spki"]) in der
    assert leaf["ocspEndpoint"] == ""


@pytest.mark.rule("CFF-CONN-02")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("connection.deny();", "connection.deny()", id="deny"),
        pytest.param(
            "connection.logCustomData('REVOKED:ü'); connection.deny();", "REVOKED:ü", id="reason"
        ),
        pytest.param("connection.deny(); connection.allow();", "connection.deny()", id="both"),
        pytest.param("", "neither connection.allow() nor connection.deny()", id="neither"),
        pytest.param("return { allow: true };", "neither connection.allow()", id="returned"),
        pytest.param("connection.allow(); throw new Error('oh');", "Error: oh", id="throws"),
        pytest.param("for (;;) {}", "compute time", id="endless"),
    ],
)
def test_a_function_turns_away(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, origin: Origin, body: str, why: str
) -> None:
    code = f"async function connectionHandler(connection) {{ {body} }}"
    site = serve_mtls(code, Shop=distribution(function="Judge"))
    assert Client(site, client_ca.issue_cert("client.example.com")).is_cut_off()
    assert not origin.got
    assert "judge turned away a connection of 127.0.0.1" in site.console
    assert why in site.console


@pytest.mark.rule("CFF-CONN-01")
def test_a_function_runs_only_after_the_usual_checks(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    site = serve_mtls("console.log('ran'); " + ALLOW, Shop=distribution(function="Judge"))
    for refused in (None, trustme.CA().issue_cert("client.example.com"), expired(client_ca)):
        assert Client(site, refused).is_cut_off()
    assert site.running.program.log_groups.names() == []
    assert Client(site, client_ca.issue_cert("client.example.com")).get() == 200
    assert site.running.program.log_groups.names() == ["/aws/cloudfront/connection-function/judge"]


@pytest.mark.rule("CFF-CONN-01")
def test_an_optional_certificate_may_be_missing_in_the_event(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    site = serve_mtls(
        """
        function connectionHandler(connection) {
            if (connection.clientCertificate) connection.deny();
            else if (connection.clientIp === '203.0.113.7') connection.allow();
        }
        """,
        {"viewer_ip": "203.0.113.7"},
        Shop=distribution("optional", function="Judge"),
    )
    assert Client(site).get() == 200
    assert Client(site, client_ca.issue_cert("client.example.com")).is_cut_off()


@pytest.mark.rule("CFF-CONN-01", "CFF-CONN-03")
def test_a_function_reads_its_key_value_store(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, tmp_path: Path
) -> None:
    revoked, good = client_ca.issue_cert("old.example.com"), client_ca.issue_cert("new.example.com")
    number = x509.load_pem_x509_certificate(revoked.cert_chain_pems[0].bytes()).serial_number
    digits = number.to_bytes(number.bit_length() // 8 + 1, "big").hex()
    (tmp_path / "kvs.json").write_text(f'{{"data": [{{"key": "{digits}", "value": ""}}]}}')
    site = serve_mtls(
        """
        import cf from 'cloudfront';
        async function connectionHandler(connection) {
            const number = connection.clientCertificate.certificates.leaf.serialNumber;
            if (await cf.kvs().exists(number.replaceAll(':', ''))) return connection.deny();
            return connection.allow();
        }
        """,
        {"kvs": (f"revoked={tmp_path / 'kvs.json'}",)},
        Shop=distribution(function="Judge"),
    )
    assert Client(site, revoked).is_cut_off()
    assert Client(site, good).get() == 200


@pytest.mark.rule("CFF-CONN-01")
def test_connection_functions_may_use_newer_syntax(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    code = """
        function connectionHandler(connection) {
            const leaf = connection.clientCertificate?.certificates?.leaf;
            const parts = connection.tenant?.parts ?? 'none';
            if (leaf?.subject.includes('O=') && parts === 'none') connection.allow();
        }
        """
    site = serve_mtls(code, Shop=distribution(function="Judge"))
    assert Client(site, client_ca.issue_cert("client.example.com")).get() == 200


@pytest.mark.rule("CFF-CONN-04")
def test_logs_and_list_of_the_control_listener(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA
) -> None:
    site = serve_mtls("console.log('top'); " + ALLOW, Shop=distribution(function="Judge"))
    assert Client(site, client_ca.issue_cert("client.example.com")).get() == 200
    control = site.endpoints["control"]
    group = "/aws/cloudfront/connection-function/judge"

    def answer(path: str) -> Any:
        return json.loads(site.get(path, url=control).body)

    listed = answer("/api/functions")["functions"]
    (judge,) = listed
    assert judge["name"] == "judge"
    assert judge["kind"] == "connection"
    assert judge["log_group"] == group
    assert answer("/api/logs") == {"groups": [group]}
    lines = answer("/api/functions/judge/logs")["lines"]
    assert [line["message"].split(" ", 1)[1] for line in lines][1:] == ["top", "END"]


def test_the_cloudfront_api(serve_mtls: Callable[..., Site]) -> None:
    code = "console.log('seen'); " + ALLOW
    site = serve_mtls(code, Shop=distribution(function="Judge"))
    cloudfront = aws.cloudfront(site.endpoints["cloudfront_api"])
    (listed,) = cloudfront.list_connection_functions()["ConnectionFunctions"]
    assert (listed["Name"], listed["Stage"], listed["Status"]) == (
        "judge",
        "DEVELOPMENT",
        "DEPLOYED",
    )
    assert listed["ConnectionFunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    assert listed["ConnectionFunctionConfig"]["KeyValueStoreAssociations"]["Quantity"] == 1
    described = cloudfront.describe_connection_function(Identifier="judge")
    assert described["ConnectionFunctionSummary"] == listed
    by_id = cloudfront.describe_connection_function(Identifier=listed["Id"])
    assert by_id["ETag"] == described["ETag"]
    (shop,) = site.running.program.project.distributions.values()
    config = cloudfront.get_distribution_config(Id=shop.id)["DistributionConfig"]
    assert config["ViewerMtlsConfig"]["Mode"] == "required"
    assert not config["ViewerMtlsConfig"]["TrustStoreConfig"]["IgnoreCertificateExpiry"]
    found = cloudfront.get_connection_function(Identifier="judge", Stage="LIVE")
    assert found["ConnectionFunctionCode"].read().decode() == code
    tested = cloudfront.test_connection_function(
        Id=listed["Id"], IfMatch=described["ETag"], ConnectionObject=b'{"clientIp": "1.2.3.4"}'
    )["ConnectionFunctionTestResult"]
    assert tested["ConnectionFunctionOutput"] == "allow"
    assert tested["ConnectionFunctionExecutionLogs"] == ["seen"]
    assert tested["ConnectionFunctionErrorMessage"] == ""
    (store,) = cloudfront.list_key_value_stores()["KeyValueStoreList"]["Items"]
    version = cloudfront.describe_key_value_store(Name=store["Name"])["ETag"]
    with pytest.raises(cloudfront.exceptions.CannotDeleteEntityWhileInUse, match="judge"):
        cloudfront.delete_key_value_store(Name=store["Name"], IfMatch=version)
    with pytest.raises(cloudfront.exceptions.EntityNotFound):
        cloudfront.describe_connection_function(Identifier="other")
    with pytest.raises(cloudfront.exceptions.PreconditionFailed):
        cloudfront.test_connection_function(
            Id=listed["Id"], IfMatch="other", ConnectionObject=b"{}"
        )


@pytest.mark.rule("CFF-CONN-02", "CFF-CONN-03")
def test_invoke(tmp_path: Path, client_ca: trustme.CA) -> None:
    (tmp_path / "ca.pem").write_bytes(client_ca.cert_pem.bytes())
    code = """
        function connectionHandler(connection) {
            if (connection.clientIp === '198.51.100.11') connection.allow();
        }
        """
    path = written(tmp_path, **resources(code), Shop=distribution(function="Judge"))
    sample = run("invoke", "judge", "--target", str(path), cwd=tmp_path)
    assert (sample.returncode, sample.stdout) == (0, '"allow"\n')
    (tmp_path / "event.json").write_text('{"clientIp": "1.2.3.4", "connectionId": "a"}')
    given = run("invoke", "judge", "--target", str(path), "--event", "event.json", cwd=tmp_path)
    assert (given.returncode, given.stdout) == (0, "null\n")
    assert "The connection is closed: it called neither" in given.stderr
    (tmp_path / "judge.js").write_text(dedent(code))
    file = run("invoke", "judge.js", "--event", "event.json", cwd=tmp_path)
    assert (file.returncode, file.stdout) == (0, "null\n")
