"""Origin access controls and identities as templates have them, and what cannot work with them."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import (
    OriginAccessControl,
    S3Origin,
    SigningBehavior,
)
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.testing import Edge, Site
from tests.support.doors import lambda_function, write_template
from tests.support.origin import Origin
from tests.unit.project.drafts import load_resources, site

BUCKET = "files.s3.eu-west-1.amazonaws.com"
URL = "abc123.lambda-url.eu-west-1.on.aws"
WEBSITE = "files.s3-website-eu-west-1.amazonaws.com"
CUSTOM = {"OriginProtocolPolicy": "https-only"}
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
WITH_AUTHORIZATION = "keyed"


def control(kind: str = "s3", behavior: str = "always", **more: Any) -> dict[str, Any]:
    config = {
        "Name": "oac",
        "Description": "mine",
        "OriginAccessControlOriginType": kind,
        "SigningBehavior": behavior,
        "SigningProtocol": "sigv4",
        **more,
    }
    return {
        "Type": "AWS::CloudFront::OriginAccessControl",
        "Properties": {"OriginAccessControlConfig": config},
    }


def s3(domain: str = BUCKET, identity: Any = "", **more: Any) -> dict[str, Any]:
    config = {"OriginAccessIdentity": identity}
    return {"DomainName": domain, "CustomOriginConfig": None, "S3OriginConfig": config, **more}


OAC = {"OriginAccessControlId": {"Ref": "Oac"}}


def loaded(
    folder: Path, origin: dict[str, Any], oac: dict[str, Any] | None = None, **behavior: Any
) -> Loaded:
    resources = {"Oac": oac or control(), "Site": site(behavior, origin=origin)}
    return load_resources(folder, resources)


def web(project: Loaded) -> Any:
    return project.project.distributions["Site"].origins["web"]


@pytest.mark.parametrize("behavior", ["always", "never", "no-override", "always-amz-auth"])
@pytest.mark.parametrize("kind", ["s3", "lambda", "mediastore", "mediapackagev2"])
@pytest.mark.rule("CDN-CFG-218", "CDN-S3-14", "CDN-CFG-067")
def test_all_of_an_access_control_is_read(tmp_path: Path, kind: str, behavior: str) -> None:
    found = loaded(tmp_path, s3() | OAC, control(kind, behavior, SigningProtocol="sigv4a"))
    expected = web(found).access_control
    assert expected == OriginAccessControl(
        expected.id, kind, SigningBehavior(behavior), signing_protocol="sigv4a"
    )
    assert expected.id.startswith("E")
    lines = {line.place.path.rpartition(".")[2]: line for line in found.project.report.lines}
    assert lines["OriginAccessControlId"].treatment is Treatment.HONOURED
    assert lines["SigningBehavior"].treatment is Treatment.HONOURED
    assert lines["Name"].treatment is Treatment.IGNORED


@pytest.mark.parametrize(
    "wrong",
    [
        {"SigningBehavior": "sometimes"},
        {"SigningProtocol": "sigv2"},
        {"OriginAccessControlOriginType": "ec2"},
    ],
)
@pytest.mark.rule("CDN-CFG-218")
def test_other_values_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match="is not a value that AWS knows") as error:
        loaded(tmp_path, s3() | OAC, control(**wrong))
    assert error.value.place.path.endswith(next(iter(wrong)))


def test_one_that_is_declared_elsewhere_is_of_the_usual_kind(tmp_path: Path) -> None:
    found = loaded(tmp_path, s3(OriginAccessControlId="E2ELSEWHERE"))
    assert web(found).access_control == OriginAccessControl("E2ELSEWHERE")
    (line,) = (each for each in found.project.report.lines if "not declared here" in each.why)
    assert line.treatment is Treatment.APPROXIMATED
    url = loaded(tmp_path, {"DomainName": URL, "OriginAccessControlId": "E2ELSEWHERE"})
    assert web(url).access_control.origin_type == "lambda"


@pytest.mark.rule("CDN-CFG-222")
def test_an_identity_is_referred_to_by_its_id(tmp_path: Path) -> None:
    identity = {
        "Type": "AWS::CloudFront::CloudFrontOriginAccessIdentity",
        "Properties": {"CloudFrontOriginAccessIdentityConfig": {"Comment": "mine"}},
    }
    text = {"Fn::Sub": "origin-access-identity/cloudfront/${Oai}"}
    found = load_resources(tmp_path, {"Oai": identity, "Site": site(origin=s3(identity=text))})
    config = web(found).config
    assert isinstance(config, S3Origin)
    prefix, _, identity_id = config.origin_access_identity.rpartition("/")
    assert prefix == "origin-access-identity/cloudfront"
    assert identity_id.startswith("E")
    (line,) = (each for each in found.project.report.lines if each.place.path.endswith("Comment"))
    assert line.treatment is Treatment.IGNORED


def case(rule: str, path: str, origin: dict[str, Any], oac: Any = None, **behavior: Any) -> Any:
    return pytest.param(origin, oac, behavior, (rule, path), marks=pytest.mark.rule(rule))


FUNCTION = {"DomainName": URL, "CustomOriginConfig": CUSTOM} | OAC
DEFAULT, CONTROL_ID = "DefaultCacheBehavior", "OriginAccessControlId"
IDENTITY = "origin-access-identity/cloudfront/E1"


@pytest.mark.parametrize(
    ("origin", "oac", "behavior", "expected"),
    [
        case("CDN-CFG-067", CONTROL_ID, s3(identity=IDENTITY) | OAC),
        case("CDN-S3-03", CONTROL_ID, {"DomainName": WEBSITE} | OAC),
        case("CDN-S3-03", CONTROL_ID, s3(WEBSITE) | OAC),
        case("CDN-S3-03", "DomainName", s3(WEBSITE)),
        case("CDN-S3-03", "CustomOriginConfig",
             {"DomainName": WEBSITE, "CustomOriginConfig": CUSTOM}),
        case("CDN-S3-14", CONTROL_ID, s3() | OAC, control("lambda")),
        case("CDN-S3-14", CONTROL_ID, FUNCTION),
        case("CDN-S3-14", CONTROL_ID, OAC),
        case("CDN-CFG-218", CONTROL_ID, s3() | OAC, control(behavior="always-amz-auth")),
        case("CDN-S3-11", DEFAULT, s3() | OAC, control(behavior="no-override")),
        case("CDN-S3-16", DEFAULT, FUNCTION, control("lambda"), OriginRequestPolicyId=ALL_VIEWER),
        case("CDN-S3-15", DEFAULT, FUNCTION, control("lambda"), AllowedMethods=ALL_METHODS),
    ],
)  # fmt: skip
def test_what_cannot_work(
    tmp_path: Path, origin: Any, oac: Any, behavior: Any, expected: tuple[str, str]
) -> None:
    found = loaded(tmp_path, origin, oac, **behavior).findings
    assert [(each.rule, each.place.path.rpartition(".")[2]) for each in found] == [expected]
    assert found[0].remedy


@pytest.mark.parametrize(
    ("origin", "oac", "behavior"),
    [
        (s3() | OAC, None, {}),
        (s3() | OAC, control(behavior="never"), {"OriginRequestPolicyId": ALL_VIEWER}),
        (s3() | OAC, control(behavior="no-override"), {"CachePolicyId": WITH_AUTHORIZATION}),
        (FUNCTION, control("lambda"), {"OriginRequestPolicyId": ALL_BUT_HOST}),
        (FUNCTION, control("lambda", "always-amz-auth"), {}),
        ({"DomainName": WEBSITE}, None, {}),
        (
            {"DomainName": "a.data.mediastore.eu-west-1.amazonaws.com"} | OAC,
            control("mediastore"),
            {},
        ),
    ],
)
def test_what_works_has_no_finding(tmp_path: Path, origin: Any, oac: Any, behavior: Any) -> None:
    if behavior.get("CachePolicyId") == WITH_AUTHORIZATION:
        behavior = {"CachePolicyId": {"Ref": "Keyed"}}
    resources = {
        "Oac": oac or control(),
        "Site": site(behavior, origin=origin),
        "Keyed": {
            "Type": "AWS::CloudFront::CachePolicy",
            "Properties": {
                "CachePolicyConfig": {
                    "Name": "keyed", "MinTTL": 1, "DefaultTTL": 60, "MaxTTL": 60,
                    "ParametersInCacheKeyAndForwardedToOrigin": {
                        "EnableAcceptEncodingGzip": False,
                        "HeadersConfig": {
                            "HeaderBehavior": "whitelist", "Headers": ["Authorization"],
                        },
                        "CookiesConfig": {"CookieBehavior": "none"},
                        "QueryStringsConfig": {"QueryStringBehavior": "none"},
                    },
                }
            },
        },
    }  # fmt: skip
    assert load_resources(tmp_path, resources).findings == ()


def function_site(
    edge: Edge, folder: Path, auth_type: str = "AWS_IAM", policy: str = ALL_BUT_HOST
) -> Site:
    """A distribution in front of a function URL of the same template."""
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["ApiUrl", "FunctionUrl"]}]}]}
    url = {"TargetFunctionArn": {"Ref": "Api"}, "AuthType": auth_type}
    behavior = {
        "CachePolicyId": NO_CACHE,
        "OriginRequestPolicyId": policy or None,
        "AllowedMethods": ALL_METHODS,
    }
    resources = {
        "Api": lambda_function(folder),
        "ApiUrl": {"Type": "AWS::Lambda::Url", "Properties": url},
        "Oac": control("lambda"),
        "Site": site(behavior, origin={**FUNCTION, "DomainName": domain}),
    }
    return edge.serve(write_template(folder, resources))


def test_a_function_behind_a_signed_url_sees_the_signing_headers(
    edge: Edge, tmp_path: Path
) -> None:
    site_ = function_site(edge, tmp_path)
    event = json.loads(site_.get("/a%20b?x=1", headers={"Authorization": "Basic eDp5"}).body)
    headers = event["headers"]
    assert (event["rawPath"], headers["x-amz-content-sha256"][:8]) == ("/a%20b", "e3b0c442")
    assert headers["x-amz-date"]
    assert "authorization" not in headers


@pytest.mark.parametrize("policy", [ALL_BUT_HOST, ""])
@pytest.mark.rule("CDN-S3-15")
def test_a_body_without_its_hash_is_refused_by_the_function_url(
    edge: Edge, tmp_path: Path, policy: str
) -> None:
    site_ = function_site(edge, tmp_path, policy=policy)
    for method in ("PUT", "POST"):
        refused = site_.request(method, "/", body=b"body")
        assert refused.status == 403
        (exchange,) = site_.exchanges(1)
        (decision,) = [step.decision for step in exchange.steps if step.name == "origin"]
        assert decision is not None
        assert "CDN-S3-15" in decision.why
        sent = {"x-amz-content-sha256": sha256(b"body").hexdigest()}
        accepted = site_.request(method, "/", body=b"body", headers=sent)
        assert accepted.status == 200, accepted.text


@pytest.mark.rule("CDN-S3-16")
def test_a_forwarded_host_is_refused_by_the_function_url(edge: Edge, tmp_path: Path) -> None:
    site_ = function_site(edge, tmp_path, policy=ALL_VIEWER)
    refused = site_.get("/", headers={"Host": "www.example.com"})
    assert refused.status == 403


def of_bucket(control_id: str = "", identity: Any = "") -> dict[str, Any]:
    """A bucket's origin as CDK's constructs write it."""
    access = {"OriginAccessControlId": {"Fn::GetAtt": [control_id, "Id"]}} if control_id else {}
    return {
        "DomainName": {"Fn::GetAtt": ["Bucket", "RegionalDomainName"]},
        "S3OriginConfig": {"OriginAccessIdentity": identity},
        **access,
    }


BASIC = "Basic eDp5"
OWN_IDENTITY = {"Fn::Join": ["", ["origin-access-identity/cloudfront/", {"Ref": "Identity"}]]}


@pytest.mark.rule("CDN-CFG-307", "CDN-CFG-218", "CDN-CFG-222", "CDN-S3-10", "CDN-S3-11")
@pytest.mark.rule("CDN-HDR-32", "CDN-S3-04")
def test_what_a_bucket_gets_from_an_origin_in_cdk_s_form(
    edge: Edge, origin: Origin, tmp_path: Path
) -> None:
    origins = {
        "plain": of_bucket(),
        "always": of_bucket("Always"),
        "never": of_bucket("Never"),
        "no-override": of_bucket("NoOverride"),
        "identity": of_bucket(identity=OWN_IDENTITY),
    }
    patterns = {
        name: {
            "PathPattern": f"/{name}",
            "TargetOriginId": name,
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": NO_CACHE,
            "AllowedMethods": ALL_METHODS,
        }
        for name in origins
    }
    config = {
        "Origins": [{"Id": name, **each} for name, each in origins.items()],
        "CacheBehaviors": list(patterns.values()),
    }
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Always": control(),
        "Never": control(behavior="never"),
        "NoOverride": control(behavior="no-override"),
        "Identity": {
            "Type": "AWS::CloudFront::CloudFrontOriginAccessIdentity",
            "Properties": {"CloudFrontOriginAccessIdentityConfig": {"Comment": "mine"}},
        },
        "Site": site({"TargetOriginId": "plain"}, config),
    }
    template = write_template(tmp_path, resources)
    served = edge.serve(template, origins=dict.fromkeys(origins, origin.url))
    seen = {
        (method, name): _authorization(served, origin, method, f"/{name}")
        for method in ("GET", "POST")
        for name in origins
    }
    signature = "AWS4-HMAC-SHA256"
    assert seen == {
        ("GET", "plain"): None,
        ("GET", "always"): signature,
        ("GET", "never"): None,
        ("GET", "no-override"): signature,
        ("GET", "identity"): signature,
        # Methods that change something pass the viewer's header on (CDN-HDR-30).
        ("POST", "plain"): "Basic",
        ("POST", "always"): signature,
        ("POST", "never"): "Basic",
        ("POST", "no-override"): "Basic",
        ("POST", "identity"): signature,
    }


@pytest.mark.rule("CDN-S3-10")
def test_a_control_of_a_printed_configuration_signs(
    edge: Edge, origin: Origin, tmp_path: Path
) -> None:
    """``aws cloudfront get-distribution-config`` has the control's ID and no more."""
    template = site(origin=s3() | {"OriginAccessControlId": "E2QWRUHAPOMQZL"})
    config = {"CallerReference": "x", **template["Properties"]["DistributionConfig"]}
    file = tmp_path / "distribution.json"
    file.write_text(json.dumps({"ETag": "E1", "DistributionConfig": config}))
    served = edge.serve(file, origins={"web": origin.url})
    assert _authorization(served, origin, "GET", "/") == "AWS4-HMAC-SHA256"
    assert origin.got[0].header("Host") == BUCKET


def _authorization(served: Site, origin: Origin, method: str, path: str) -> str | None:
    """How ``Authorization`` begins at the origin, where the viewer sends one of its own."""
    body = b"x" if method == "POST" else b""
    assert served.request(method, path, headers={"Authorization": BASIC}, body=body).status == 200
    value = origin.got[-1].header("Authorization")
    return value and value.split()[0]
