"""Origin access control: which requests to origins are signed, and that the signature holds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.clock import Clock
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    Origin,
    OriginAccessControl,
    S3Origin,
    SigningBehavior,
)
from edgeproxy.edge.origin_choice import choose
from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import Destinations
from edgeproxy.origins.signing import Credentials, credentials_from
from edgeproxy.runtimes.cloudfront_js.origin import AccessControl, UpdateOrigin
from edgeproxy.testing import Edge
from tests.support.signatures import Signed, signed
from tests.unit.origins.raw_origin import OK, answers_all, client, raw_origin, says

BUCKET = "files.s3.eu-west-1.amazonaws.com"
EMPTY = sha256(b"").hexdigest()
BASIC = "Basic dmlld2Vy"


def bucket(behavior: str = "always", **changes: Any) -> Origin:
    control = OriginAccessControl("E1", signing_behavior=SigningBehavior(behavior))
    return replace(Origin("web", BUCKET, S3Origin(), access_control=control), **changes)


def asked(method: str = "GET", path: str = "/a", query: str | None = None, **more: str) -> Request:
    headers = [("Host", BUCKET), *((name.replace("_", "-"), more[name]) for name in more)]
    return Request(method, path, query, headers=Headers(headers))


async def sent(request: Request, origin: Origin) -> Signed:
    """What a server in the origin's place gets."""
    async with raw_origin(says(OK)) as server, client({"web": server.url}) as sender:
        await sender.fetch(request, origin)
    return signed(server.requests[0])


@pytest.mark.rule("CDN-S3-12")
async def test_the_signature_is_version_4_over_what_goes_out() -> None:
    request = asked(X_Amz_Cf_Id="id==", Content_Type="text/plain", User_Agent="x", Range="bytes=0-")
    custom = Headers([("X-Amz-Meta-Key", "k")])
    got = await sent(request, bucket(origin_path="/prod", custom_headers=custom))
    assert got.holds
    assert (got.target, got.headers["host"]) == ("/prod/a", BUCKET)
    assert (got.service, got.region, got.access_key) == ("s3", "eu-west-1", "test")
    assert got.headers["x-amz-content-sha256"] == EMPTY
    assert got.names == [
        "content-type", "host", "x-amz-cf-id", "x-amz-content-sha256", "x-amz-date",
        "x-amz-meta-key",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("behavior", "viewers", "expected"),
    [
        pytest.param("always", "", "signature"),
        pytest.param("always", BASIC, "signature", marks=pytest.mark.rule("CDN-HDR-32")),
        pytest.param("never", "", ""),
        pytest.param("never", BASIC, BASIC),
        pytest.param("no-override", "", "signature", marks=pytest.mark.rule("CDN-S3-11")),
        pytest.param("no-override", BASIC, BASIC),
        pytest.param("always-amz-auth", "", "signature", marks=pytest.mark.rule("CDN-CFG-218")),
        pytest.param("always-amz-auth", BASIC, BASIC, marks=pytest.mark.rule("CDN-CFG-218")),
    ],
)
@pytest.mark.rule("CDN-S3-10")
async def test_who_signs(behavior: str, viewers: str, expected: str) -> None:
    request = asked(Authorization=viewers) if viewers else asked()
    got = await sent(request, bucket(behavior))
    if expected == "signature":
        assert got.holds
    else:
        assert got.headers.get("authorization", "") == expected
        assert "x-amz-date" not in got.headers


async def test_nothing_is_signed_without_an_access_control() -> None:
    got = await sent(asked(), Origin("web", BUCKET, S3Origin()))
    assert "authorization" not in got.headers
    assert "x-amz-content-sha256" not in got.headers


@pytest.mark.rule("CDN-S3-13")
async def test_an_origin_access_identity_signs_too() -> None:
    config = S3Origin(origin_access_identity="origin-access-identity/cloudfront/E2")
    got = await sent(asked(), Origin("web", BUCKET, config))
    assert got.holds
    assert got.service == "s3"


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/a%20b", None, "/a%20b"),
        ("/a b+c%2Bd", None, "/a%20b%2Bc%2Bd"),
        ("/é%C3%A9.txt", None, "/%C3%A9%C3%A9.txt"),
        ("/100%25/a%2Fb", None, "/100%25/a/b"),
        ("//a/../b/./c//", None, "//a/../b/./c//"),
        ("/(a)!*'~$&,;=:@", None, "/%28a%29%21%2A%27~%24%26%2C%3B%3D%3A%40"),
        ("/a", "z=1&a=2&a=1&B=", "/a?z=1&a=2&a=1&B="),
        ("/a", "versionId=1&response-content-type=text%2fx", None),
        ("/a", "q=a+b&r=a%2Bb&s=é", "/a?q=a%20b&r=a%2Bb&s=%C3%A9"),
        ("/a", "acl", "/a?acl"),
        ("/a", "", "/a?"),
    ],
)
@pytest.mark.rule("CDN-S3-12")
async def test_every_key_and_query_string(path: str, query: str | None, target: str | None) -> None:
    got = await sent(asked("GET", path, query), bucket())
    assert got.holds
    assert target is None or got.target == target


DOMAINS = [
    ("lambda", "abc123.lambda-url.us-west-2.on.aws", "us-west-2"),
    ("mediastore", "abc.data.mediastore.eu-north-1.amazonaws.com", "eu-north-1"),
    ("mediapackagev2", "abc.egress.x1.mediapackagev2.ap-south-1.amazonaws.com", "ap-south-1"),
    ("s3", "files.s3.amazonaws.com", "us-east-1"),
    ("s3", "files.s3.dualstack.us-east-2.amazonaws.com", "us-east-2"),
    ("s3", "files.s3-us-west-1.amazonaws.com", "us-west-1"),
    ("s3", "files.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
]


@pytest.mark.parametrize(("kind", "domain", "region"), DOMAINS)
@pytest.mark.rule("CDN-S3-14", "CDN-CFG-218")
async def test_service_and_region_are_the_origins(kind: str, domain: str, region: str) -> None:
    config = S3Origin() if kind == "s3" else CustomOrigin()
    origin = Origin("web", domain, config, access_control=OriginAccessControl("E1", kind))
    headers = Headers([("Host", domain)])
    got = await sent(Request("GET", "/a%20b/é/../c", "x=1", headers=headers), origin)
    assert got.holds
    assert (got.service, got.region, got.headers["host"]) == (kind, region, domain)


@pytest.mark.parametrize("kind", ["s3", "lambda"])
async def test_bytes_that_are_no_text(kind: str) -> None:
    origin = bucket(access_control=OriginAccessControl("E1", kind))
    got = await sent(asked("GET", "/\udce9", "q=\udce9&\xe9", X_Amz_Meta_Name="\xe9"), origin)
    assert got.holds
    assert got.target == "/%E9?q=%E9&%C3%A9"
    assert "x-amz-meta-name" not in got.names


@pytest.mark.rule("CDN-CFG-218")
async def test_sigv4a_holds_in_every_region() -> None:
    control = OriginAccessControl("E1", signing_protocol="sigv4a")
    got = await sent(asked(), bucket(access_control=control))
    assert got.headers["authorization"].startswith("AWS4-ECDSA-P256-SHA256 Credential=test/")
    assert got.headers["x-amz-region-set"] == "*"


HASH = sha256(b"body").hexdigest()


@pytest.mark.parametrize("kind", ["s3", "lambda"])
@pytest.mark.parametrize(
    ("of_the_viewer", "expected"),
    [(HASH, HASH), ("", "UNSIGNED-PAYLOAD"), ("STREAMING-AWS4-HMAC-SHA256", "UNSIGNED-PAYLOAD")],
)
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.rule("CDN-S3-15")
async def test_a_body_counts_by_the_viewers_hash(
    kind: str, of_the_viewer: str, expected: str, is_stream: bool
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"body"

    more = {"X_Amz_Content_SHA256": of_the_viewer} if of_the_viewer else {}
    body = StreamBody(parts(), 4) if is_stream else BytesBody(b"body")
    request = replace(asked("PUT", **more), body=body)
    got = await sent(request, bucket(access_control=OriginAccessControl("E1", kind)))
    assert got.holds
    assert got.headers["x-amz-content-sha256"] == expected


async def test_the_viewer_s_own_signing_headers_do_not_stay() -> None:
    request = asked(X_Amz_Date="19990101T000000Z", X_Amz_Security_Token="t")
    got = await sent(request, bucket())
    assert got.holds
    assert not got.headers["x-amz-date"].startswith("1999")
    assert "x-amz-security-token" not in got.headers


@pytest.mark.parametrize("kind", ["s3", "lambda"])
async def test_a_presigned_url_reaches_the_server_which_has_to_refuse_it(kind: str) -> None:
    control = OriginAccessControl("E1", kind)
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&v=1&X%2DAmz-Signature=0"
    got = await sent(asked(query=query), bucket(access_control=control))
    assert got.target == f"/a?{query.replace('%2D', '-') if kind == 's3' else query}"
    assert "authorization" in got.headers


async def test_the_real_time_is_signed_whatever_the_edge_s_clock_says() -> None:
    clock = Clock()
    clock.advance(86_400 * 365)
    async with raw_origin(says(OK)) as server:
        sender = OriginClient(Destinations({"web": server.url}, handlers={}), clock)
        await sender.fetch(asked(), bucket())
        await sender.close()
    now = Clock().utc()
    assert signed(server.requests[0]).headers["x-amz-date"][:6] == now.strftime("%Y%m")


async def test_credentials_of_the_environment() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "sa-east-1",
    }
    credentials = credentials_from(environment)
    assert credentials == Credentials("AKIDEXAMPLE", "secret", "token", "sa-east-1")
    async with raw_origin(says(OK)) as server:
        destinations = Destinations({"web": server.url}, handlers={})
        sender = OriginClient(destinations, Clock(), credentials=credentials)
        await sender.fetch(asked(), bucket(domain_name="files.s3.amazonaws.com"))
        await sender.close()
    got = signed(server.requests[0], "secret")
    assert got.holds
    assert not signed(server.requests[0], "another").holds
    assert (got.access_key, got.region) == ("AKIDEXAMPLE", "sa-east-1")
    assert got.headers["x-amz-security-token"] == "token"
    assert "x-amz-security-token" in got.names


def test_without_credentials_there_are_placeholders() -> None:
    half = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_DEFAULT_REGION": "eu-west-3"}
    assert credentials_from(half) == Credentials("test", "test", region="eu-west-3")
    assert credentials_from({}) == Credentials("test", "test")


async def test_a_bucket_lies_at_the_s3_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        raw_origin(answers_all) as server,
        client(s3_endpoint=f"{server.url}/base/") as sender,
    ):
        origin = bucket(id="files", origin_path="/prod")
        await sender.fetch(asked(path="/a b"), origin)
        await sender.fetch(asked(), replace(origin, access_control=None))
    got, plain = map(signed, server.requests)
    assert got.holds
    assert got.target == "/base/files/prod/a%20b"
    assert got.headers["host"] == f"127.0.0.1:{server.port}"
    assert (plain.target, plain.service) == ("/base/files/prod/a", "")


@pytest.mark.rule("CFF-ORG-10")
def test_a_function_says_who_signs() -> None:
    origin = bucket()
    behavior = Behavior("*", "web", CachePolicy("p", 0, 0, 0))
    distribution = Distribution("Site", "E1", "d.cloudfront.net", {"web": origin}, behavior)

    def chosen(control: AccessControl | None) -> OriginAccessControl | None:
        change = UpdateOrigin(access_control=control)
        return choose(distribution, behavior, change).primary.origin.access_control

    assert chosen(None) == origin.access_control
    assert chosen(AccessControl(enabled=False)) is None
    told = AccessControl(True, "no-override", "sigv4", "mediastore")
    assert chosen(told) == OriginAccessControl("", "mediastore", SigningBehavior.NO_OVERRIDE)


@pytest.mark.rule("CDN-S3-17")
@pytest.mark.parametrize(("options", "status"), [({}, 403), ({"list_folders": True}, 404)])
def test_folders_answer_to_missing_keys_as_told(
    edge: Edge, tmp_path: Path, options: dict[str, Any], status: int
) -> None:
    (tmp_path / "index.html").write_text("home")
    assert edge.serve(tmp_path, **options).get("/missing").status == status
