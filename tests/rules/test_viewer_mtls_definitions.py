"""Mutual TLS in definitions: what is read, and what AWS refuses (CDN-CFG-040, CFF-CONN)."""

import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.loaders import LoadOptions, load
from tests.support.command import run
from tests.support.mutual_tls import (
    ALLOW,
    HEADERS,
    distribution,
    resources,
    written,
)


def findings(path: Path, **options: Any) -> list[tuple[str, str]]:
    found = load(path, LoadOptions(**options)).findings
    return [(finding.rule, finding.message) for finding in found]


@pytest.mark.parametrize(
    ("declared", "rule", "message"),
    [
        pytest.param(
            {"Shop": distribution(policy="allow-all")},
            "CDN-CFG-040",
            "the behavior * takes HTTP",
            marks=pytest.mark.rule("CDN-CFG-040"),
        ),
        pytest.param(
            {"Shop": distribution(HttpVersion="http2and3")},
            "CDN-CFG-040",
            "HTTP/3",
            marks=pytest.mark.rule("CDN-CFG-040"),
        ),
        pytest.param(
            {"Shop": distribution(ViewerMtlsConfig={"Mode": "required"})},
            "CDN-CFG-040",
            "needs a trust store",
            marks=pytest.mark.rule("CDN-CFG-040"),
        ),
        pytest.param(
            {"Shop": distribution(), **resources(key="elsewhere.pem")},
            "CDN-CFG-040",
            "are not on this machine",
        ),
        pytest.param(
            {"Shop": distribution("", function="Judge"), **resources(ALLOW)},
            "CFF-CONN-04",
            "needs viewer mutual TLS",
            marks=pytest.mark.rule("CFF-CONN-04"),
        ),
        pytest.param(
            {"Shop": distribution(function="Judge"), **resources(ALLOW, publish=False)},
            "CFF-CONN-04",
            "only its LIVE stage can be associated",
            marks=pytest.mark.rule("CFF-CONN-04"),
        ),
        pytest.param(
            {"Shop": distribution(function="Judge"), **resources("function handler() {}")},
            "CFF-CONN-01",
            "no function named connectionHandler",
            marks=pytest.mark.rule("CFF-CONN-01"),
        ),
    ],
)
def test_what_aws_refuses(
    tmp_path: Path, client_ca: trustme.CA, declared: dict[str, Any], rule: str, message: str
) -> None:
    (tmp_path / "ca.pem").write_bytes(client_ca.cert_pem.bytes())
    found = findings(written(tmp_path, **{**resources(), **declared}))
    assert [text for of, text in found if of == rule and message in text]


def test_a_sound_definition_has_no_findings(tmp_path: Path, client_ca: trustme.CA) -> None:
    (tmp_path / "ca.pem").write_bytes(client_ca.cert_pem.bytes())
    path = written(tmp_path, **resources(ALLOW), Shop=distribution(function="Judge"))
    assert findings(path) == []


@pytest.mark.rule("CFF-CONN-01")
def test_the_runtime_is_2_0(tmp_path: Path) -> None:
    path = written(tmp_path, **resources(ALLOW, runtime="cloudfront-js-1.0"))
    with pytest.raises(DefinitionError, match=r"CFF-CONN-01"):
        load(path)


@pytest.mark.rule("CDN-KEY-17")
@pytest.mark.parametrize("name", HEADERS)
def test_two_headers_are_for_origins_only(tmp_path: Path, name: str) -> None:
    policy = {
        "Type": "AWS::CloudFront::CachePolicy",
        "Properties": {
            "CachePolicyConfig": {
                "Name": "by-certificate",
                "MinTTL": 0,
                "DefaultTTL": 60,
                "MaxTTL": 60,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": False,
                    "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": [name]},
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "QueryStringsConfig": {"QueryStringBehavior": "none"},
                },
            }
        },
    }
    found = findings(written(tmp_path, Policy=policy))
    assert bool(found) is name.endswith(("Validity", "Pem")), found


@pytest.mark.parametrize("name", ["partners", "Store"])
def test_the_option_names_a_trust_store(tmp_path: Path, client_ca: trustme.CA, name: str) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(b"# comment\n" + client_ca.cert_pem.bytes() + trustme.CA().cert_pem.bytes())
    path = written(tmp_path, **resources(key="elsewhere.pem"), Shop=distribution())
    loaded = load(path, LoadOptions(trust_stores={name: file}))
    mtls = loaded.project.distributions["Shop"].viewer_mtls
    assert mtls is not None
    assert mtls.trust_store.ca_bundle.count("BEGIN CERTIFICATE") == 2
    assert file in loaded.project.sources


def test_an_option_that_names_nothing(tmp_path: Path, client_ca: trustme.CA) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(client_ca.cert_pem.bytes())
    path = written(tmp_path, **resources(), Shop=distribution())
    with pytest.raises(UsageError, match="no distribution has a trust store 'else'"):
        load(path, LoadOptions(trust_stores={"else": file}))
    file.write_text("nonsense")
    with pytest.raises(DefinitionError, match="no bundle of certificates"):
        load(path, LoadOptions(trust_stores={"partners": file}))


@pytest.mark.rule("CDN-CFG-040")
def test_a_distribution_config(tmp_path: Path, client_ca: trustme.CA) -> None:
    file, path = tmp_path / "authorities.pem", tmp_path / "config.json"
    file.write_bytes(client_ca.cert_pem.bytes())
    config = distribution(CallerReference="1", Comment="")["Properties"]["DistributionConfig"]
    config["ViewerMtlsConfig"]["TrustStoreConfig"]["TrustStoreId"] = "ts_1"
    config["ConnectionFunctionAssociation"] = {"Id": "cf_1"}
    del config["DefaultCacheBehavior"]["OriginRequestPolicyId"]
    path.write_text(json.dumps(config))
    loaded = load(path, LoadOptions(trust_stores={"ts_1": file}))
    mtls = loaded.project.distributions["Default"].viewer_mtls
    assert mtls is not None
    assert "BEGIN CERTIFICATE" in mtls.trust_store.ca_bundle
    said = [line.why for line in loaded.project.report.lines]
    assert "the code of cf_1 is not in the definition: no function judges connections" in said


def test_check_takes_the_option(tmp_path: Path, client_ca: trustme.CA) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(client_ca.cert_pem.bytes())
    path = written(tmp_path, **resources(key="elsewhere.pem"), Shop=distribution())
    arguments = ("check", str(path), "--no-dry-run")
    without = run(*arguments, cwd=tmp_path)
    assert "give --trust-store" in without.stdout
    with_it = run(*arguments, "--trust-store", f"partners={file}", cwd=tmp_path)
    assert "--trust-store" not in with_it.stdout
    assert with_it.returncode == 0


def test_names_of_connection_functions_are_unique(tmp_path: Path) -> None:
    declared = resources(ALLOW)
    path = written(tmp_path, **declared, Other=declared["Judge"])
    with pytest.raises(DefinitionError, match="another connection function is named 'judge'"):
        load(path)
