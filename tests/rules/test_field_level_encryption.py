"""Forms whose fields are encrypted on their way to the origin, and opened again with AWS's SDK."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.report import Severity
from edgeproxy.testing import Edge, Site
from tests.support.delivery import ALL_METHODS, ALL_VIEWER, CACHING_DISABLED
from tests.support.origin import Origin
from tests.unit.project.drafts import load_resources, load_site
from tests.unit.project.drafts import site as drafted

FORM = "application/x-www-form-urlencoded"
KEY = rsa.generate_private_key(65537, 2048)
PEM = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def decrypted(text: str, provider: str = "Bank") -> str:
    """What the owner of the private key reads: base64, then the SDK with the names it was told."""
    private = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = RawMasterKey(
        provider_id=provider,
        key_id="card-key",
        wrapping_key=WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.RSA_OAEP_SHA256_MGF1,
            wrapping_key=private,
            wrapping_key_type=EncryptionKeyType.PRIVATE,
        ),
    )
    client = EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    plain: bytes = client.decrypt(source=base64.b64decode(text, validate=True), key_provider=key)[0]
    return plain.decode()


def profile(profile_id: str, *patterns: str, provider: str = "Bank") -> dict[str, Any]:
    entity = {
        "PublicKeyId": "K1",
        "ProviderId": provider,
        "FieldPatterns": {"Quantity": len(patterns), "Items": list(patterns)},
    }
    config = {
        "Name": profile_id.lower(),
        "CallerReference": "1",
        "EncryptionEntities": {"Quantity": 1, "Items": [entity]},
    }
    return {"Id": profile_id, "FieldLevelEncryptionProfileConfig": config}


def configuration(
    default: str | None = "Cards",
    *,
    known_type: bool = True,
    forward_type: bool = False,
    forward_argument: bool | None = False,
    pem: str = PEM,
) -> dict[str, Any]:
    """The file: a configuration with its profiles and keys as the AWS CLI prints them."""
    of_form = {"Format": "URLEncoded", "ContentType": FORM}
    if default:
        of_form["ProfileId"] = default
    types = [of_form] if known_type else []
    config: dict[str, Any] = {
        "CallerReference": "1",
        "ContentTypeProfileConfig": {
            "ForwardWhenContentTypeIsUnknown": forward_type,
            "ContentTypeProfiles": {"Quantity": len(types), "Items": types},
        },
    }
    if forward_argument is not None:
        config["QueryArgProfileConfig"] = {
            "ForwardWhenQueryArgProfileIsUnknown": forward_argument,
            "QueryArgProfiles": {
                "Quantity": 1,
                "Items": [{"QueryArg": "other", "ProfileId": "Others"}],
            },
        }
    return {
        "FieldLevelEncryption": {"Id": "C1", "FieldLevelEncryptionConfig": config},
        "FieldLevelEncryptionProfiles": [
            profile("Cards", "card", "Secret*"),
            profile("Others", "other", provider="Shop"),
        ],
        "PublicKeys": [{"Id": "K1", "PublicKeyConfig": {"Name": "card-key", "EncodedKey": pem}}],
    }


ENCRYPTING = {
    "FieldLevelEncryptionId": "C1",
    "ViewerProtocolPolicy": "allow-all",
    "AllowedMethods": ALL_METHODS,
    "CachePolicyId": CACHING_DISABLED,
    "OriginRequestPolicyId": ALL_VIEWER,
}
Serve = Callable[..., Site]


@pytest.fixture
def serve(shared: Edge, origin: Origin, tmp_path: Path) -> Serve:
    def start(
        behavior: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        given: bool = True,
        **config: Any,
    ) -> Site:
        template = tmp_path / "template.json"
        parts = {"Site": drafted({**ENCRYPTING, **(behavior or {})}), **(resources or {})}
        template.write_text(json.dumps({"Resources": parts}))
        file = tmp_path / "encryption.json"
        file.write_text(json.dumps(configuration(**config)))
        options: dict[str, Any] = {"access_log": tmp_path / "access.log"}
        if given:
            options["field_level_encryption"] = [f"C1={file}"]
        return shared.serve(template, origins={"web": origin.url}, **options)

    return start


def post(site: Site, body: bytes | str, path: str = "/", content_type: str = FORM) -> Any:
    raw = body.encode() if isinstance(body, str) else body
    return site.post(path, raw, headers={"Content-Type": content_type})


def status_of(site: Site) -> tuple[str, int]:
    exchange = site.exchanges(1)[0]
    return exchange.fle_status, exchange.fle_encrypted_fields


@pytest.mark.rule("CDN-FLE-01", "CDN-FLE-03", "CDN-CFG-124")
def test_chosen_fields_are_encrypted_and_the_sdk_opens_them(serve: Serve, origin: Origin) -> None:
    site = serve()
    form = [("name", "a b&c"), ("card", "4111 1111+é"), ("SecretOne", ""), ("cards", "no")]
    assert post(site, urlencode(form), content_type=f"{FORM}; charset=utf-8").status == 200
    [got] = origin.got
    assert dict(got.headers)["Transfer-Encoding"] == "chunked"
    sent = parse_qsl(got.body.decode("ascii"), keep_blank_values=True)
    assert [name for name, _ in sent] == ["name", "card", "SecretOne", "cards"]
    values = dict(sent)
    assert (values["name"], values["cards"]) == ("a b&c", "no")
    assert (decrypted(values["card"]), decrypted(values["SecretOne"])) == ("4111 1111+é", "")
    assert status_of(site) == ("Processed", 2)


def test_what_the_access_log_says(serve: Serve, tmp_path: Path) -> None:
    site = serve()
    for request in (("card=1", "/"), ("card=1", "/?fle-profile=none")):
        post(site, *request)
    site.get("/")
    site.exchanges(3)
    _, fields, *lines = (tmp_path / "access.log").read_text().splitlines()
    names = fields.split()[1:]
    rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines]
    assert [(row["fle-status"], row["fle-encrypted-fields"]) for row in rows] == [
        ("Processed", "1"),
        ("RejectedByQueryArgs", "0"),
        ("-", "-"),
    ]


@pytest.mark.rule("CDN-FLE-01")
def test_other_methods_and_names_stay_as_they_are(serve: Serve, origin: Origin) -> None:
    site = serve()
    body = b"card=1&x=%20+"
    assert site.request("PUT", "/", headers={"Content-Type": FORM}, body=body).status == 200
    assert origin.got[0].body == body
    assert status_of(site) == ("", 0)
    assert post(site, "Card=1&xcard=2&secret=3&card").status == 200
    assert origin.got[1].body == b"Card=1&xcard=2&secret=3&card"


@pytest.mark.rule("CDN-FLE-04", "CDN-FLE-05")
def test_the_query_chooses_the_profile(serve: Serve, origin: Origin) -> None:
    site = serve()
    assert post(site, "card=1&other=2", "/?fle-profile=other").status == 200
    values = dict(parse_qsl(origin.got[0].body.decode("ascii")))
    assert (values["card"], decrypted(values["other"], "Shop")) == ("1", "2")


UNKNOWN_TYPE = ("card=1", "/", "text/plain")
UNKNOWN_ARGUMENT = ("card=1", "/?fle-profile=none", FORM)


@pytest.mark.parametrize(
    ("config", "request_parts", "expected"),
    [
        pytest.param({}, UNKNOWN_TYPE, "RejectedByContentType",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({"forward_type": True}, UNKNOWN_TYPE, "ForwardedByContentType",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({"known_type": False}, ("card=1", "/", FORM), "RejectedByContentType",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({}, ("card=1", "/", "nonsense"), "MalformedContentTypeClientError",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({"default": None}, ("card=1", "/", FORM), "ForwardedDueToNoProfile",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({}, UNKNOWN_ARGUMENT, "RejectedByQueryArgs",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({"forward_argument": True}, UNKNOWN_ARGUMENT, "ForwardedByQueryArgs",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({}, ("card=1", "/?fle-profile=", FORM), "MalformedQueryArgsClientError",
                     marks=pytest.mark.rule("CDN-FLE-05")),
        pytest.param({}, ("card=%zz", "/", FORM), "MalformedInputClientError"),
        pytest.param({}, ("&".join(f"f{n}=1" for n in range(11)), "/", FORM),
                     "FieldNumberLimitClientError",
                     marks=pytest.mark.rule("CDN-FLE-04", "CDN-QUO-18")),
        pytest.param({}, ("card=" + "1" * 16385, "/", FORM), "FieldLengthLimitClientError",
                     marks=pytest.mark.rule("CDN-FLE-04", "CDN-QUO-18")),
        pytest.param({}, ("x=" + "1" * (2**20 - 1), "/", FORM), "RequestLengthLimitClientError",
                     marks=pytest.mark.rule("CDN-FLE-04", "CDN-QUO-18")),
    ],
)  # fmt: skip
def test_what_is_not_encrypted(
    config: dict[str, Any],
    request_parts: tuple[str, str, str],
    expected: str,
    serve: Serve,
    origin: Origin,
) -> None:
    site = serve(**config)
    response = post(site, *request_parts)
    assert status_of(site) == (expected, 0)
    if expected.startswith("Forwarded"):
        assert response.status == 200
        assert [got.body.decode() for got in origin.got] == [request_parts[0]]
    else:
        assert (response.status, response.x_cache) == (400, "Error from cloudfront")
        assert origin.got == []


@pytest.mark.rule("CDN-FLE-04", "CDN-QUO-18")
def test_at_the_limits(serve: Serve, origin: Origin) -> None:
    site = serve()
    assert (
        post(site, "&".join(["card=" + "1" * 16384, *(f"f{n}=1" for n in range(9))])).status == 200
    )
    assert status_of(site) == ("Processed", 1)
    assert post(site, "x=" + "1" * (2**20 - 2)).status == 200
    assert [len(got.body) for got in origin.got][1] == 2**20


def test_without_a_say_the_query_argument_is_one_like_any_other(
    serve: Serve, origin: Origin
) -> None:
    site = serve(forward_argument=None)
    assert post(site, "card=1", "/?fle-profile=none").status == 200
    assert status_of(site) == ("Processed", 1)


READER = """
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    seen = request["body"]["data"]
    request["headers"]["x-seen"] = [{"key": "X-Seen", "value": seen[:200]}]
    return request
"""


@pytest.mark.rule("CDN-FLE-01")
def test_an_origin_request_function_sees_no_secret(serve: Serve, origin: Origin) -> None:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Role": "arn:aws:iam::123456789012:role/edge",
            "Code": {"ZipFile": READER},
        },
    }
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}}
    association = {
        "EventType": "origin-request",
        "LambdaFunctionARN": {"Ref": "FnVersion"},
        "IncludeBody": True,
    }
    site = serve(
        {"LambdaFunctionAssociations": [association]}, {"Fn": function, "FnVersion": version}
    )
    assert post(site, "name=me&card=4111").status == 200
    seen = base64.b64decode(dict(origin.got[0].headers)["X-Seen"] + "==").decode()
    assert seen.startswith("name=me&card=")
    assert "4111" not in seen


@pytest.mark.rule("CDN-FLE-06", "CDN-CFG-124")
def test_without_its_configuration_bodies_pass_and_check_warns(
    serve: Serve, origin: Origin, tmp_path: Path
) -> None:
    site = serve(given=False)
    assert post(site, "card=1").status == 200
    assert origin.got[0].body == b"card=1"
    [finding] = load_site(tmp_path, ENCRYPTING).findings
    assert (finding.rule, finding.severity) == ("CDN-FLE-06", Severity.WARNING)
    assert "give --field-level-encryption C1=FILE" in finding.remedy


@pytest.mark.rule("CDN-FLE-02")
@pytest.mark.parametrize(
    ("behavior", "protocol", "places"),
    [
        ({"ViewerProtocolPolicy": "https-only"}, "https-only", []),
        ({"ViewerProtocolPolicy": "redirect-to-https"}, "match-viewer", []),
        ({"ViewerProtocolPolicy": "allow-all"}, "https-only", ["ViewerProtocolPolicy"]),
        ({"ViewerProtocolPolicy": "https-only"}, "http-only", ["Origins"]),
        ({"ViewerProtocolPolicy": "https-only", "AllowedMethods": ["GET", "HEAD"]}, "https-only",
         ["AllowedMethods"]),
    ],
)  # fmt: skip
def test_https_and_all_methods_are_needed(
    behavior: dict[str, Any], protocol: str, places: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "encryption.json"
    file.write_text(json.dumps(configuration()))
    resources = {
        "Site": drafted(
            {**ENCRYPTING, **behavior},
            origin={"CustomOriginConfig": {"OriginProtocolPolicy": protocol}},
        )
    }
    loaded = load_resources(tmp_path, resources, field_level_encryption={"C1": file})
    found = [(each.rule, each.place.path.split(".")[-1]) for each in loaded.findings]
    assert found == [("CDN-FLE-02", place) for place in places]


def test_what_is_not_understood_of_the_file_is_told(tmp_path: Path) -> None:
    document = configuration()
    document["FieldLevelEncryption"]["FieldLevelEncryptionConfig"]["Typo"] = 1
    document["PublicKeys"][0]["PublicKeyConfig"]["Typo"] = 1
    file = tmp_path / "encryption.json"
    file.write_text(json.dumps(document))
    loaded = load_resources(
        tmp_path, {"Site": drafted(ENCRYPTING)}, field_level_encryption={"C1": file}
    )
    unknown = [
        each.place.path.rpartition(".")[0]
        for each in loaded.project.report.lines
        if each.place.file == file and "does not know" in each.why
    ]
    assert sorted(unknown) == [
        "FieldLevelEncryption.FieldLevelEncryptionConfig",
        "PublicKeys[0].PublicKeyConfig",
    ]


def test_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "encryption.json"

    def load_it(**given: Any) -> None:
        resources = {"Site": drafted(ENCRYPTING)}
        load_resources(tmp_path, resources, field_level_encryption=given or {"C1": file})

    with pytest.raises(DefinitionError, match=r"cannot be read: No such file or directory \(check"):
        load_it()
    file.write_text("[]")
    with pytest.raises(DefinitionError, match="is no JSON object"):
        load_it()
    file.write_text(json.dumps(configuration(default="Gone")))
    with pytest.raises(DefinitionError, match="no Profile with the ID 'Gone'"):
        load_it()
    file.write_text(json.dumps(configuration(pem="nonsense")))
    with pytest.raises(DefinitionError, match="no RSA key of 2048 bits") as caught:
        load_it()
    assert caught.value.place.path == "PublicKeys[0].PublicKeyConfig.EncodedKey"
    file.write_text(json.dumps(configuration()))
    with pytest.raises(UsageError, match="no behavior has the FieldLevelEncryptionId 'C2'"):
        load_it(C2=file)
    monkeypatch.setitem(sys.modules, "aws_encryption_sdk", None)
    with pytest.raises(UsageError, match="needs the AWS Encryption SDK") as missing:
        load_it()
    assert missing.value.remedy == "pip install 'edgeproxy[field-encryption]'"
