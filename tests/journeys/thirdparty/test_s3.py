"""A bucket of moto's server, which checks signatures, behind origin access control."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.journeys.thirdparty.packages import python_packages
from tests.support.ports import free_port

BIG = bytes(range(256)) * 40_000
KEYS = (
    "index.html",
    "a b+c.txt",
    "grüße/ä&ö=1.txt",
    "100%.txt",
    "x(1)!*'~,;:@$.txt",
    "a//b",
    "dir/",
)
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
_START_S = 30


@dataclass
class Bucket:
    """The server with a bucket ``files``, and the one user who may do anything with it."""

    url: str
    access_key: str
    secret: str

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret,
            config=Config(s3={"addressing_style": "path"}),
        )


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    environment = {**os.environ, "PYTHONPATH": str(python_packages("requirements-moto.txt"))}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(url, server)
        yield _filled(url)
    finally:
        server.terminate()
        server.wait()


def _await(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/moto-api/data.json").close()
        except urllib.error.URLError:
            assert server.poll() is None, "moto's server ended"
            assert time.monotonic() < deadline, "moto's server does not answer"
            time.sleep(0.05)
        else:
            return


def _filled(url: str) -> Bucket:
    anybody = Bucket(url, "anybody", "anything")
    iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1",
                       aws_access_key_id="anybody", aws_secret_access_key="anything")  # fmt: skip
    iam.create_user(UserName="cloudfront")
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": everything})
    iam.put_user_policy(UserName="cloudfront", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="cloudfront")["AccessKey"]
    s3 = anybody.client()
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for name in KEYS:
        s3.put_object(Bucket="files", Key=name, Body=name.encode(), ContentType="text/plain")
    s3.put_object(Bucket="files", Key="big.bin", Body=BIG)
    plain = {"Content-Type": "text/plain"}
    enforce = urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", plain)
    urllib.request.urlopen(enforce).close()
    return Bucket(url, key["AccessKeyId"], key["SecretAccessKey"])


def _template(folder: Path, behavior: str) -> Path:
    resources = {
        "Oac": {
            "Type": "AWS::CloudFront::OriginAccessControl",
            "Properties": {
                "OriginAccessControlConfig": {
                    "Name": "oac",
                    "OriginAccessControlOriginType": "s3",
                    "SigningBehavior": behavior,
                    "SigningProtocol": "sigv4",
                }
            },
        },
        "Site": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {
                "DistributionConfig": {
                    "Enabled": True,
                    "Origins": [
                        {
                            "Id": "files",
                            "DomainName": "files.s3.eu-west-1.amazonaws.com",
                            "S3OriginConfig": {"OriginAccessIdentity": ""},
                            "OriginAccessControlId": {"Fn::GetAtt": ["Oac", "Id"]},
                            "OriginCustomHeaders": [
                                {"HeaderName": "X-From", "HeaderValue": "edge, twice  spaced"}
                            ],
                        }
                    ],
                    "DefaultCacheBehavior": {
                        "TargetOriginId": "files",
                        "ViewerProtocolPolicy": "allow-all",
                        "AllowedMethods": ALL_METHODS,
                        "CachePolicyId": NO_CACHE,
                        "OriginRequestPolicyId": ALL_BUT_HOST,
                    },
                }
            },
        },
    }
    template = folder / "template.yaml"
    template.write_text(yaml.safe_dump({"Resources": resources}))
    return template


Serve = Callable[..., Site]


@pytest.fixture
def serve(edge: Edge, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    def start(behavior: str = "always", secret: str = bucket.secret, **options: Any) -> Site:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        template = _template(tmp_path, behavior)
        return edge.serve(template, **(options or {"aws_endpoint": (f"S3={bucket.url}",)}))

    return start


def _code(response: SiteResponse) -> str:
    return response.text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.rule("CDN-S3-12")
@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/index.html", "index.html"),
        ("/a%20b+c.txt", "a b+c.txt"),
        ("/a%20b%2Bc.txt", "a b+c.txt"),
        ("/gr%C3%BC%c3%9fe/%c3%a4&%C3%B6=1.txt", "grüße/ä&ö=1.txt"),
        ("/100%25.txt", "100%.txt"),
        ("/x(1)!*'~,;:@$.txt", "x(1)!*'~,;:@$.txt"),
        ("/a//b", "a//b"),
        ("/dir/", "dir/"),
    ],
)
def test_every_spelling_of_a_key(serve: Serve, path: str, key: str) -> None:
    response = serve().get(path)
    assert (response.status, response.body) == (200, key.encode())


@pytest.mark.rule("CDN-S3-10")
def test_the_server_refuses_what_is_not_signed_by_the_right_key(serve: Serve) -> None:
    wrong = serve(secret="another").get("/index.html")
    assert (wrong.status, _code(wrong)) == (403, "SignatureDoesNotMatch")
    unsigned = serve("never").get("/index.html")
    assert unsigned.status == 403


@pytest.mark.rule("CDN-S3-02")
def test_methods_ranges_and_conditions(serve: Serve) -> None:
    site = serve()
    whole = site.get("/index.html")
    etag = whole.headers.get("ETag")
    head = site.request("HEAD", "/index.html")
    assert (head.status, head.body, head.headers.get("ETag")) == (200, b"", etag)
    part = site.get("/index.html", headers={"Range": "bytes=2-5"})
    assert (part.status, part.body) == (206, b"dex.")
    assert site.get("/index.html", headers={"If-None-Match": etag}).status == 304
    assert site.get("/index.html", headers={"If-Match": '"other"'}).status == 412
    missing = site.get("/missing")
    assert (missing.status, _code(missing)) == (404, "NoSuchKey")


@pytest.mark.rule("CDN-S3-06")
def test_read_parameters_reach_the_bucket(serve: Serve) -> None:
    response = serve().get("/index.html?response-content-type=text%2Fx%2By&x=a+b&y")
    assert (response.status, response.headers.get("Content-Type")) == (200, "text/x+y")


def test_a_big_object_passes_in_parts(serve: Serve) -> None:
    assert serve().get("/big.bin").body == BIG


@pytest.mark.rule("CDN-S3-10")
def test_put_and_delete(serve: Serve, bucket: Bucket) -> None:
    site = serve()
    put = site.request("PUT", "/new%20file", body=b"sent", headers={"Content-Type": "text/x"})
    assert put.status == 200
    stored = bucket.client().get_object(Bucket="files", Key="new file")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"sent", "text/x")
    assert site.request("DELETE", "/new%20file").status == 204
    assert site.get("/new%20file").status == 404


@pytest.mark.rule("CDN-S3-10", "CDN-HDR-32")
def test_who_signs_when_the_viewer_has_signed(serve: Serve, bucket: Bucket) -> None:
    of_the_viewer = AWSRequest("PUT", f"{bucket.url}/files/own", data=b"own")
    credentials = Credentials(bucket.access_key, bucket.secret)
    S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(of_the_viewer)
    headers = dict(of_the_viewer.headers.items())
    # The edge has a wrong key, so what passes has the signature of the viewer, and the other way.
    site = serve("no-override", secret="another")
    passed = site.request("PUT", "/own", body=b"own", headers=headers)
    assert passed.status == 200, passed.text
    site = serve("always", secret="another")
    replaced = site.request("PUT", "/own", body=b"own", headers=headers)
    assert (replaced.status, _code(replaced)) == (403, "SignatureDoesNotMatch")
    headers["Authorization"] = headers["Authorization"][:-1] + "x"
    assert serve("always").request("PUT", "/own", body=b"own", headers=headers).status == 200


def test_a_bucket_that_is_mapped_keeps_its_host(serve: Serve, bucket: Bucket) -> None:
    site = serve(origin=(f"files={bucket.url}",))
    response = site.get("/index.html")
    assert (response.status, response.body) == (200, b"index.html")
