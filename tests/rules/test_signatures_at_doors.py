"""Signatures of botocore and awscrt at the doors of Lambda, as bytes on real sockets."""

import base64
import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import boto3
import pytest
from awscrt import auth
from awscrt import http as crt_http
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from edgeproxy.testing import Edge, Site
from tests.support.doors import lambda_function, write_template

KEY, SECRET = "AKIAOWN", "a/secret+of=ours"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
SHA256 = "(Hashed with SHA-256 and encoded with Base64) Authorization="
Lines = list[tuple[str, str]]


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with Edge() as edge:
        yield edge


@pytest.fixture(scope="module")
def site(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("signed")
    url = {"TargetFunctionArn": {"Ref": "Echo"}, "AuthType": "AWS_IAM"}
    resources = {
        "Echo": lambda_function(folder, FunctionName="echo"),
        "EchoUrl": {"Type": "AWS::Lambda::Url", "Properties": url},
    }
    template = write_template(folder, resources)
    return edge.serve(template, iam="enforce", access_key=(f"{KEY}={SECRET}",))


@pytest.fixture
def moved(edge: Edge) -> Iterator[Any]:
    """The edge's clock, put back afterwards."""
    yield edge.clock
    edge.clock.reset()


def host(site: Site) -> str:
    url: str = site.endpoints["function_urls"]["EchoUrl"]["url"]
    return url.removeprefix("http://").rstrip("/")


def send(
    site: Site, target: str, lines: Lines, body: bytes = b"", method: str = "GET"
) -> tuple[int, str, Any]:
    """Status, error type and document of the answer to exactly these lines."""
    connection = http.client.HTTPConnection(host(site), timeout=10)
    connection._encode_request = lambda text: text.encode()  # type: ignore[attr-defined]
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in lines:
        connection.putheader(name, value)
    is_chunked = ("Transfer-Encoding", "chunked") in lines
    if body and not is_chunked:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None, encode_chunked=is_chunked)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.getheader("x-amzn-errortype") or "", json.loads(text)


def signed(
    site: Site,
    target: str,
    lines: Lines = [],  # noqa: B006
    body: bytes = b"",
    method: str = "GET",
    presigned_s: int = 0,
) -> tuple[str, Lines]:
    """Target and header lines after botocore has signed."""
    base = f"http://{host(site)}"
    request = AWSRequest(method, base + target, headers=dict(lines), data=body)
    request.headers["Host"] = host(site)
    credentials = Credentials(KEY, SECRET)
    if presigned_s:
        SigV4QueryAuth(credentials, "lambda", "us-east-1", presigned_s).add_auth(request)
    else:
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    return request.url.removeprefix(base), [(k, str(v)) for k, v in request.headers.items()]


def crt_signed(
    site: Site, target: str, *, query: bool = False, double: bool = True, **more: Any
) -> tuple[str, Lines]:
    """The same with awscrt."""
    request = crt_http.HttpRequest("GET", target, crt_http.HttpHeaders([("Host", host(site))]))
    kind = auth.AwsSignatureType
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4,
        signature_type=kind.HTTP_REQUEST_QUERY_PARAMS if query else kind.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static(KEY, SECRET),
        region="us-east-1",
        service="lambda",
        date=datetime.now(UTC),
        use_double_uri_encode=double,
        expiration_in_seconds=60 if query else None,
        **more,
    )
    auth.aws_sign_request(request, config).result()
    return request.path, list(request.headers)


TARGETS = [
    "/",
    "/a%20b/%E2%82%AC/c%2Fd",
    "/a//b/./c/../d/",
    "/x?b=2&a=1&a=0&a",
    "/x?k=%2F%20y&k=%2B&~=%2A",
]


@pytest.mark.rule("FU-104")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("query", [False, True])
def test_both_signers_are_understood(site: Site, target: str, query: bool) -> None:
    assert send(site, *signed(site, target, presigned_s=60 * query))[0] == 200
    status, _, event = send(site, *crt_signed(site, target, query=query))
    assert status == 200
    assert event["rawPath"] == target.partition("?")[0]


@pytest.mark.rule("FU-104", "FU-106")
def test_a_path_is_encoded_twice_and_its_dots_taken_out(site: Site) -> None:
    once = crt_signed(site, "/a%20b", double=False)
    assert send(site, *once) == (403, "InvalidSignatureException", {"message": MISMATCH})
    as_it_is = crt_signed(site, "/a/../b", should_normalize_uri_path=False)
    assert send(site, *as_it_is) == (403, "InvalidSignatureException", {"message": MISMATCH})


@pytest.mark.rule("FU-104")
def test_bytes_that_are_not_escaped_are_signed_as_if_they_were(site: Site) -> None:
    _, lines = signed(site, "/?%E1%88%B4=bar")
    assert send(site, "/?\u1234=bar", lines)[0] == 200


@pytest.mark.rule("FU-104")
def test_header_lines_are_trimmed_and_joined(site: Site) -> None:
    target, lines = signed(site, "/", [("X-Both", "one two,three")])
    lines = [line for line in lines if line[0] != "X-Both"]
    more = [("X-Both", "  one   two "), ("X-Both", "three"), ("X-Unsigned", "added")]
    status, _, event = send(site, target, [*lines, *more])
    assert status == 200
    assert event["headers"]["x-unsigned"] == "added"


@pytest.mark.rule("FU-104", "FU-106")
@pytest.mark.parametrize("presigned_s", [0, 60])
def test_what_is_signed_cannot_be_changed(site: Site, presigned_s: int) -> None:
    body = b"" if presigned_s else b'{"a":1}'
    given = [("Content-Type", "application/json"), ("X-Amz-Meta", "1")]
    target, lines = signed(site, "/p?q=1", given, body, "POST", presigned_s)
    assert send(site, target, lines, body, "POST")[0] == 200
    refused = (403, "InvalidSignatureException", {"message": MISMATCH})
    assert send(site, target, lines, b'{"a":2}', "POST") == refused
    assert send(site, target, lines, b" ", "POST") == refused
    assert send(site, target, lines, body, "PUT") == refused
    assert send(site, target.replace("/p", "/P"), lines, body, "POST") == refused
    assert send(site, target.replace("q=1", "q=1&q=1"), lines, body, "POST") == refused
    without = [line for line in lines if line[0] != "X-Amz-Meta"]
    assert send(site, target, [*without, ("X-Amz-Meta", "2")], body, "POST") == refused
    assert send(site, target, without, body, "POST") == refused


@pytest.mark.rule("FU-104")
def test_a_body_in_chunks_counts_as_a_whole(site: Site) -> None:
    target, lines = signed(site, "/", [], b"all of it", "POST")
    chunked = [*lines, ("Transfer-Encoding", "chunked")]
    status, _, event = send(site, target, chunked, b"all of it", "POST")
    assert (status, base64.b64decode(event["body"])) == (200, b"all of it")
    assert send(site, target, chunked, b"all of  it", "POST")[0] == 403


@pytest.mark.rule("FU-104", "FU-107")
@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_no_body_is_unsigned(site: Site, said: str) -> None:
    target, lines = signed(site, "/", [("X-Amz-Content-SHA256", said)], b"body", "POST")
    refused = (403, "InvalidSignatureException", {"message": MISMATCH})
    assert send(site, target, lines, b"body", "POST") == refused


@pytest.mark.rule("FU-106")
def test_signatures_age_with_the_clock_of_the_edge(site: Site, moved: Any) -> None:
    now = datetime.now(UTC)
    in_header, in_query = signed(site, "/"), signed(site, "/", presigned_s=900)
    moved.advance(minutes=4)
    assert send(site, *in_header)[0] == send(site, *in_query)[0] == 200
    moved.advance(minutes=2)
    status, name, document = send(site, *in_header)
    assert (status, name) == (403, "InvalidSignatureException")
    made, _, rest = document["message"].removeprefix("Signature expired: ").partition(" ")
    earliest, _, shown = rest.removeprefix("is now earlier than ").partition(" ")
    assert shown.endswith(" - 5 min.)")
    form = "%Y%m%dT%H%M%SZ"
    told = datetime.strptime(shown[1:17], form).replace(tzinfo=UTC)
    assert (
        timedelta(0)
        <= told - now - timedelta(minutes=6) + timedelta(seconds=1)
        < timedelta(seconds=10)
    )
    assert told - datetime.strptime(earliest, form).replace(tzinfo=UTC) == timedelta(minutes=5)
    assert dict(in_header[1])["X-Amz-Date"] == made
    assert send(site, *in_query)[0] == 200
    moved.advance(minutes=10)
    message = send(site, *in_query)[2]["message"]
    assert message.startswith("Signature expired: ")
    assert message.endswith(" - 15 min.)")


AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature=" + "0" * 64
)
DAY, TIME = "20260102", "20260102T030405Z"
SCOPE = f"{KEY}/{DAY}/us-east-1/lambda/aws4_request"


def malformed(**members: str) -> str:
    return AUTHORIZATION.format(**{"credential": SCOPE, "headers": "host", **members})


@pytest.mark.rule("FU-106")
@pytest.mark.parametrize(
    ("authorization", "date", "name", "message"),
    [
        (
            f"AWS4-HMAC-SHA256 Credential={SCOPE}",
            TIME,
            "IncompleteSignatureException",
            (
                "Authorization header requires 'Signature' parameter. "
                f"Authorization header requires 'SignedHeaders' parameter. {SHA256}"
            ),
        ),
        (
            malformed(),
            "",
            "IncompleteSignatureException",
            (
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                f"header. {SHA256}"
            ),
        ),
        (
            malformed(credential="AKIAOWN/20260102/lambda/aws4_request"),
            TIME,
            "IncompleteSignatureException",
            (
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                "keyid/date/region/service/term, got 'AKIAOWN/20260102/lambda/aws4_request'"
            ),
        ),
        (
            malformed(),
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "IncompleteSignatureException",
            (
                "Date must be in ISO-8601 'basic format'. Got 'Fri, 02 Jan 2026 03:04:05 GMT'. "
                "See http://en.wikipedia.org/wiki/ISO_8601"
            ),
        ),
        (
            malformed(credential=f"{KEY}/20260101/eu-west-1/s3/aws4"),
            TIME,
            "InvalidSignatureException",
            (
                "Credential should be scoped to a valid region. "
                "Credential should be scoped to correct service: 'lambda'. "
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'. "
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                "from HTTP: '20260101' != '20260102', from '20260102T030405Z'. "
            ),
        ),
        (
            malformed(headers="x-amz-date"),
            TIME,
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization. ",
        ),
    ],
)
def test_signatures_that_say_too_little(
    site: Site, authorization: str, date: str, name: str, message: str
) -> None:
    lines = [("Host", host(site)), ("Authorization", authorization)]
    if date:
        lines.append(("X-Amz-Date", date))
    status, kind, document = send(site, "/", lines)
    if message.endswith(SHA256):
        message += base64.b64encode(sha256(authorization.encode()).digest()).decode()
    assert (status, kind, document) == (403, name, {"message": message})


@pytest.mark.rule("FU-106")
@pytest.mark.parametrize(
    "left_out",
    ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Algorithm"],
)
def test_presigned_urls_that_say_too_little(site: Site, left_out: str) -> None:
    target, lines = signed(site, "/?a=1", presigned_s=60)
    path, _, query = target.partition("?")
    kept = [each for each in query.split("&") if not each.startswith(f"{left_out}=")]
    status, name, document = send(site, f"{path}?{'&'.join(kept)}", lines)
    assert (status, name) == (403, "IncompleteSignatureException")
    assert document == {"message": f"AWS query-string parameters must include '{left_out}'."}


@pytest.mark.rule("LI-026")
def test_calls_of_the_api_age_with_the_clock_of_the_edge(site: Site, moved: Any) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=site.endpoints["lambda_api"],
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"max_attempts": 0}),
    )
    client.invoke(FunctionName="echo", Payload=b"{}")
    moved.advance(minutes=6)
    with pytest.raises(ClientError, match="Signature expired: ") as caught:
        client.invoke(FunctionName="echo", Payload=b"{}")
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
