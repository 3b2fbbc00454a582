"""Who is let in by function URLs, load balancers and the Lambda API, over real sockets."""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.doors import (
    ELB,
    forward,
    lambda_function,
    listener,
    target_group,
    write_template,
)
from tests.support.lambda_api import package
from tests.unit.project.drafts import load_resources

OWN, OTHER = "AKIAOWN", "AKIAOTHER"
SECRET = "a/secret+of=ours"
ANN = "arn:aws:iam::999988887777:user/ann"
TEMPORARY = "ASIATEMPORARY"
KEYS = (f"{OWN}={SECRET}", f"{OTHER}={SECRET}@{ANN}", f"{TEMPORARY}={SECRET}")
ENFORCE: dict[str, Any] = {"iam": "enforce", "access_key": KEYS}

LONG = (
    '{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
    'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
)
OPEN = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
VIA_URL = {"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True}
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)


def url_of(function: str, auth_type: str) -> dict[str, Any]:
    properties = {"TargetFunctionArn": {"Ref": function}, "AuthType": auth_type}
    return {"Type": "AWS::Lambda::Url", "Properties": properties}


def permission(function: str, **properties: Any) -> dict[str, Any]:
    properties = {"FunctionName": {"Ref": function}, **properties}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def for_ann(action: str, **properties: Any) -> dict[str, Any]:
    return permission("Shared", Action=action, Principal="999988887777", **properties)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Functions with all kinds of policies."""
    folder = tmp_path_factory.mktemp("permissions")
    names = ("Mute", "HalfOne", "HalfTwo", "Open", "Closed", "Shared", "Half", "Target", "Lost")
    group_arn = {"Ref": "TargetGroup"}
    return folder, {
        **{name: lambda_function(folder, FunctionName=name.lower()) for name in names},
        **{f"{name}Url": url_of(name, "NONE") for name in names[:4]},
        **{f"{name}Url": url_of(name, "AWS_IAM") for name in names[4:7]},
        "HalfOneUrlPermission": permission("HalfOne", **OPEN),
        "HalfTwoUrlPermission": permission("HalfTwo", **VIA_URL),
        "OpenUrlPermission": permission("Open", **OPEN),
        "OpenFunctionPermission": permission("Open", **VIA_URL),
        "AnnMayCall": for_ann("lambda:InvokeFunctionUrl", FunctionUrlAuthType="AWS_IAM"),
        "AnnMayInvoke": for_ann("lambda:InvokeFunction"),
        "AnnMayCallHalf": permission(
            "Half", Action="lambda:InvokeFunctionUrl", Principal="999988887777"
        ),
        "TargetPermission": permission(
            "Target",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=group_arn,
            SourceAccount={"Ref": "AWS::AccountId"},
        ),
        "LostPermission": permission(
            "Lost",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=group_arn,
        ),
        "TargetGroup": target_group("Target"),
        "LostGroup": target_group("Lost"),
        "Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {"Type": "application"}},
        "One": listener(80, forward(("TargetGroup", 1))),
        "Two": listener(81, forward(("LostGroup", 1))),
    }


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with Edge() as edge:
        yield edge


@pytest.fixture(scope="module")
def site(edge: Edge, resources: tuple[Path, dict[str, Any]]) -> Site:
    """Everything enforced."""
    return edge.serve(write_template(*resources), **ENFORCE)


def url(site: Site, name: str) -> str:
    return str(site.endpoints["function_urls"][f"{name}Url"]["url"])


Change = Callable[[AWSRequest], None]


def signed(
    site: Site,
    name: str = "Closed",
    path: str = "/a/b%20c?x=1&y=%2F",
    body: bytes = b"",
    *,
    key: str = OWN,
    secret: str = SECRET,
    token: str | None = None,
    service: str = "lambda",
    region: str = "us-east-1",
    presigned_s: int = 0,
    age: timedelta = timedelta(),
    change: Change = lambda request: None,
) -> SiteResponse:
    """The answer to a request that botocore has signed, and somebody may have changed since."""
    base = url(site, name).rstrip("/")
    method = "POST" if body else "GET"
    request = AWSRequest(method, base + path, data=body)
    request.headers["Host"] = base.removeprefix("http://")
    signer: Any = SigV4QueryAuth if presigned_s else SigV4Auth
    more = (presigned_s,) if presigned_s else ()
    auth = signer(Credentials(key, secret, token), service, region, *more)
    with pytest.MonkeyPatch.context() as patch:
        at = datetime.now(UTC) - age
        patch.setattr("botocore.auth.get_current_datetime", lambda: at, raising=True)
        auth.add_auth(request)
    change(request)
    target = request.url.removeprefix(base)
    headers = {name: str(value) for name, value in request.headers.items()}
    return site.request(method, target, url=base, headers=headers, body=request.data or b"")


def told(response: SiteResponse) -> tuple[int, str, Any]:
    return response.status, response.headers.get("x-amzn-errortype"), json.loads(response.body)


# function URLs that anybody may call


@pytest.mark.rule("FU-101", "FU-102", "LI-216")
@pytest.mark.parametrize("name", ["Mute", "HalfOne", "HalfTwo"])
def test_an_open_url_without_both_statements_is_forbidden(site: Site, name: str) -> None:
    response = site.get("/", url=url(site, name))
    assert (response.status, response.text) == (403, LONG)
    assert response.headers.get("x-amzn-errortype") == "AccessDeniedException"
    assert response.headers.get("content-type") == "application/json"


@pytest.mark.rule("FU-102")
def test_an_open_url_with_both_statements_answers_everybody(site: Site) -> None:
    response = site.get("/", url=url(site, "Open"))
    assert response.status == 200
    assert "authorizer" not in json.loads(response.body)["requestContext"]


@pytest.mark.rule("FU-103")
def test_sam_adds_the_statements_and_a_function_given_alone_has_them(
    edge: Edge, tmp_path: Path
) -> None:
    function = lambda_function(tmp_path)["Properties"]
    properties = {
        "CodeUri": function["Code"],
        "Handler": function["Handler"],
        "Runtime": function["Runtime"],
        "FunctionUrlConfig": {"AuthType": "NONE"},
    }
    template = write_template(
        tmp_path, {"Api": {"Type": "AWS::Serverless::Function", "Properties": properties}}
    )
    sam = edge.serve(template, **ENFORCE)
    assert sam.get("/", url=url(sam, "Api")).status == 200
    file = tmp_path / "python" / "app.py"
    alone = edge.serve("http://localhost:1", function_url=(str(file),), alb=(str(file),), **ENFORCE)
    (door,) = alone.endpoints["function_urls"].values()
    assert alone.get("/", url=door["url"]).status == 200
    (balancer,) = alone.endpoints["load_balancers"].values()
    assert alone.get("/", url=balancer["listeners"][0]["url"]).status == 200


# signatures


@pytest.mark.rule("FU-104", "FU-037", "FU-036", "FU-042", "LI-211")
def test_a_caller_of_the_same_account_needs_no_policy(site: Site) -> None:
    response = signed(site)
    assert response.status == 200, response.text
    event = json.loads(response.body)
    iam = event["requestContext"]["authorizer"]["iam"]
    assert iam.pop("callerId") == iam.pop("userId") != ""
    assert iam == {
        "accessKey": OWN,
        "accountId": "123456789012",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::123456789012:user/edgeproxy",
    }
    assert event["requestContext"]["accountId"] == "123456789012"
    assert "authorization" not in event["headers"]
    assert event["headers"]["x-amz-date"]


@pytest.mark.rule("FU-104")
def test_what_holds(site: Site) -> None:
    assert signed(site, body=b'{"a":1}').status == 200
    assert signed(site, presigned_s=60).status == 200
    assert signed(site, path="/%C3%A9//x/../y?b&a=1").status == 200
    assert signed(site, age=timedelta(minutes=4)).status == 200
    assert signed(site, age=timedelta(minutes=-4)).status == 200
    temporary = signed(site, key=TEMPORARY, token="token")
    assert temporary.status == 200
    assert json.loads(temporary.body)["headers"]["x-amz-security-token"] == "token"


@pytest.mark.rule("FU-104", "LI-211")
def test_a_caller_of_another_account_needs_a_policy_for_both_actions(site: Site) -> None:
    allowed = signed(site, "Shared", key=OTHER)
    assert allowed.status == 200, allowed.text
    iam = json.loads(allowed.body)["requestContext"]["authorizer"]["iam"]
    assert (iam["userArn"], iam["accountId"]) == (ANN, "999988887777")
    for name in ("Closed", "Half"):
        refused = signed(site, name, key=OTHER)
        assert (refused.status, refused.text) == (403, LONG)


@pytest.mark.rule("FU-105")
def test_a_request_without_signature_is_forbidden(site: Site) -> None:
    response = site.get("/", url=url(site, "Closed"))
    assert told(response) == (403, "AccessDeniedException", {"Message": "Forbidden"})


def _header(name: str, value: str) -> Change:
    def change(request: AWSRequest) -> None:
        request.headers.replace_header(name, value)

    return change


def _other_query(request: AWSRequest) -> None:
    request.url = request.url.replace("x=1", "x=2")


def _other_body(request: AWSRequest) -> None:
    request.data = request.data.replace(b"1", b"2")


INVALID = "InvalidSignatureException"
UNKNOWN = ("UnrecognizedClientException", "The security token included in the request is invalid.")


@pytest.mark.rule("FU-106")
@pytest.mark.parametrize(
    ("how", "name", "message"),
    [
        ({"secret": "other"}, INVALID, MISMATCH),
        ({"secret": "other", "presigned_s": 60}, INVALID, MISMATCH),
        ({"change": _other_query}, INVALID, MISMATCH),
        ({"change": _other_query, "presigned_s": 60}, INVALID, MISMATCH),
        ({"change": _other_body, "body": b"1"}, INVALID, MISMATCH),
        ({"path": "/a", "change": lambda r: setattr(r, "url", r.url + "b")}, INVALID, MISMATCH),
        ({"age": timedelta(minutes=6)}, INVALID, "Signature expired: "),
        ({"age": timedelta(minutes=2), "presigned_s": 60}, INVALID, "Signature expired: "),
        ({"age": timedelta(minutes=-6)}, INVALID, "Signature not yet current: "),
        ({"service": "s3"}, INVALID, "Credential should be scoped to correct service: 'lambda'."),
        ({"region": "eu-west-1"}, INVALID, "Credential should be scoped to a valid region"),
        ({"key": "AKIANOBODY"}, *UNKNOWN),
        ({"token": "token"}, *UNKNOWN),
        ({"key": TEMPORARY}, *UNKNOWN),
        (
            {"change": _header("Authorization", "Basic eDp5")},
            "IncompleteSignatureException",
            "Unsupported AWS 'algorithm'",
        ),
    ],
)
def test_signatures_that_do_not_hold(
    site: Site, how: dict[str, Any], name: str, message: str
) -> None:
    status, kind, document = told(signed(site, **how))
    assert (status, kind, list(document)) == (403, name, ["message"])
    assert document["message"].startswith(message)
    if message == MISMATCH:
        assert document["message"] == message


def test_the_record_says_what_should_have_been_signed(site: Site) -> None:
    assert signed(site, secret="other").status == 403
    exchange = site.exchanges(1)[-1]
    decision = exchange.steps[0].decision
    assert decision is not None
    assert "The Canonical String for this request should have been\n'GET\n/a/b" in decision.why
    assert SECRET not in decision.why


@pytest.mark.rule("FU-104")
def test_the_body_counts_with_its_own_hash_whatever_the_client_says(site: Site) -> None:
    body = b"body"
    base = url(site, "Closed").rstrip("/")
    request = AWSRequest("POST", f"{base}/", data=body)
    request.headers["Host"] = base.removeprefix("http://")
    request.headers["X-Amz-Content-SHA256"] = sha256(body).hexdigest()
    SigV4Auth(Credentials(OWN, SECRET), "lambda", "us-east-1").add_auth(request)
    headers = {name: str(value) for name, value in request.headers.items()}
    assert site.request("POST", "/", url=base, headers=headers, body=body).status == 200
    assert site.request("POST", "/", url=base, headers=headers, body=b"other").status == 403


@pytest.mark.rule("FU-108", "LI-216")
def test_without_enforcing_any_well_formed_signature_will_do(
    edge: Edge, resources: tuple[Path, dict[str, Any]]
) -> None:
    site = edge.serve(write_template(*resources))
    assert site.get("/", url=url(site, "Mute")).status == 200
    response = signed(site, key="AKIANOBODY", secret="other", age=timedelta(days=1))
    assert response.status == 200
    iam = json.loads(response.body)["requestContext"]["authorizer"]["iam"]
    assert iam["accessKey"] == "AKIANOBODY"
    unsigned = site.get("/", url=url(site, "Closed"))
    assert told(unsigned) == (403, "AccessDeniedException", {"Message": "Forbidden"})
    _, two = site.endpoints["load_balancers"]["Alb"]["listeners"]
    assert site.get("/", url=two["url"]).status == 200
    client(site, OTHER).invoke(FunctionName="closed", Payload=b"{}")


# load balancers


@pytest.mark.rule("AL-004", "LI-211", "LI-216")
def test_a_load_balancer_needs_a_statement_for_its_target_group(site: Site) -> None:
    one, two = site.endpoints["load_balancers"]["Alb"]["listeners"]
    assert site.get("/", url=one["url"]).status == 200
    assert site.get("/", url=two["url"]).status == 502
    exchange = site.exchanges(1)[-1]
    (decision,) = [step.decision for step in exchange.steps if step.name == "function"]
    assert decision is not None
    assert decision.facts == {"reason": "LambdaAccessDenied"}


# the Lambda API


def client(site: Site, key: str | None = OWN, secret: str = SECRET, **more: Any) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=site.endpoints["control"],
        region_name="us-east-1",
        aws_access_key_id=key or "x",
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, signature_version=None if key else UNSIGNED),
        **more,
    )


@pytest.mark.rule("LI-026")
def test_a_signed_invoke_is_let_in(site: Site) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:closed"
    for name in ("closed", arn):
        answer = client(site).invoke(FunctionName=name, Payload=b'{"a": 1}')
        assert answer["StatusCode"] == 200
        assert "FunctionError" not in answer


@pytest.mark.rule("LI-026")
@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"key": None}, "MissingAuthenticationTokenException"),
        ({"secret": "other"}, "InvalidSignatureException"),
        ({"key": "AKIANOBODY"}, "UnrecognizedClientException"),
    ],
)
def test_calls_that_are_not_let_in(site: Site, how: dict[str, Any], name: str) -> None:
    with pytest.raises(ClientError) as caught:
        client(site, **how).invoke(FunctionName="closed", Payload=b"{}")
    answer = caught.value.response
    assert answer["Error"]["Code"] == name
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["ResponseMetadata"]["RequestId"]
    if name == "InvalidSignatureException":
        assert (
            "The Canonical String for this request should have been" in answer["Error"]["Message"]
        )


@pytest.mark.rule("LI-211", "LI-213")
def test_another_account_invokes_what_a_policy_allows(site: Site) -> None:
    lambda_ = client(site, OTHER)
    assert lambda_.invoke(FunctionName="shared", Payload=b"{}")["StatusCode"] == 200
    with pytest.raises(ClientError) as caught:
        lambda_.invoke(FunctionName="closed", Payload=b"{}", InvocationType="DryRun")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert caught.value.response["Error"]["Message"] == (
        f"User: {ANN} is not authorized to perform: lambda:InvokeFunction on resource: "
        "arn:aws:lambda:us-east-1:123456789012:function:closed because no resource-based policy "
        "allows the lambda:InvokeFunction action"
    )


@pytest.mark.rule("LI-210", "LI-212")
def test_statements_made_over_the_api_count_at_once(site: Site) -> None:
    own, other = client(site), client(site, OTHER)
    own.add_permission(
        FunctionName="mute",
        StatementId="ann",
        Action="lambda:InvokeFunction",
        Principal=ANN,
    )
    assert other.invoke(FunctionName="mute", Payload=b"{}")["StatusCode"] == 200
    own.remove_permission(FunctionName="mute", StatementId="ann")
    with pytest.raises(ClientError, match="not authorized"):
        other.invoke(FunctionName="mute", Payload=b"{}")


@pytest.mark.rule("LI-213")
@pytest.mark.parametrize(
    ("operation", "parameters", "action", "resource"),
    [
        ("list_functions", {}, "ListFunctions", "*"),
        ("get_function", {"FunctionName": "closed"}, "GetFunction", "closed"),
        ("list_aliases", {"FunctionName": "closed:live"}, "ListAliases", "closed:live"),
        (
            "invoke",
            {"FunctionName": "closed", "InvocationType": "Event"},
            "InvokeFunction",
            "closed",
        ),
    ],
)
def test_the_refusal_names_what_was_to_be_done(
    site: Site, operation: str, parameters: dict[str, str], action: str, resource: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(site, OTHER), operation)(**parameters)
    function = "arn:aws:lambda:us-east-1:123456789012:function:"
    assert caught.value.response["Error"]["Message"] == (
        f"User: {ANN} is not authorized to perform: lambda:{action} on resource: "
        f"{'*' if resource == '*' else function + resource} because no resource-based policy "
        f"allows the lambda:{action} action"
    )


@pytest.mark.rule("LI-210")
def test_a_policy_may_allow_to_manage_and_a_package_is_had_without_signature(site: Site) -> None:
    own, other = client(site), client(site, OTHER)
    statement = {"FunctionName": "mute", "StatementId": "read"}
    own.add_permission(**statement, Action="lambda:GetFunction", Principal="999988887777")
    location = other.get_function(FunctionName="mute")["Code"]["Location"]
    assert urllib.request.urlopen(location).read().startswith(b"PK")
    with pytest.raises(ClientError, match="lambda:GetPolicy"):
        other.get_policy(FunctionName="mute")
    own.remove_permission(**statement)


@pytest.mark.rule("LI-212")
def test_the_policy_of_the_function_that_is_named_counts(site: Site) -> None:
    own, other = client(site), client(site, OTHER)
    for name in ("my-function", "live"):
        own.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::123456789012:role/door",
            Handler="app.handler",
            Code={"ZipFile": package(files={"app.py": "def handler(event, context): return 1"})},
            Publish=True,
        )
    own.create_alias(FunctionName="my-function", Name="live", FunctionVersion="1")
    allowed = {"StatementId": "ann", "Action": "lambda:InvokeFunction", "Principal": ANN}
    own.add_permission(FunctionName="live", **allowed)
    with pytest.raises(ClientError, match="not authorized"):
        other.invoke(FunctionName="my-function:live", Payload=b"{}")
    own.add_permission(FunctionName="my-function", Qualifier="live", **allowed)
    assert other.invoke(FunctionName="my-function:live")["Payload"].read() == b"1"
    assert other.invoke(FunctionName="my-function", Qualifier="live")["Payload"].read() == b"1"
    for qualifier in ("1", "$LATEST"):
        with pytest.raises(ClientError, match="not authorized"):
            other.invoke(FunctionName="my-function", Qualifier=qualifier)


CALLS_ANOTHER = """
import os
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

def handler(event, context):
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    lambda_ = boto3.client("lambda", endpoint_url=event["api"], region_name="us-east-1",
                           aws_access_key_id=event["key"], aws_secret_access_key=event["secret"],
                           config=Config(retries={"max_attempts": 0}))
    try:
        return lambda_.invoke(FunctionName=event["function"], InvocationType=event["type"],
                              Payload=b"{}")["StatusCode"]
    except ClientError as error:
        return error.response["Error"]["Code"]
"""


@pytest.mark.rule("LI-216")
def test_a_function_calls_another_as_whoever_the_user_says_it_is(site: Site) -> None:
    own = client(site)
    function = {
        "Runtime": f"python3.{sys.version_info.minor}",
        "Role": "arn:aws:iam::123456789012:role/door",
        "Handler": "app.handler",
        "Code": {"ZipFile": package(files={"app.py": CALLS_ANOTHER})},
        "Timeout": 20,
    }
    own.create_function(FunctionName="calling", **function)

    def called(name: str, kind: str = "RequestResponse", key: str = OTHER) -> Any:
        event = {
            "api": site.endpoints["lambda_api"],
            "function": name,
            "type": kind,
            "key": key,
            "secret": SECRET,
        }
        answer = own.invoke(FunctionName="calling", Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())

    assert called("shared") == 200
    assert called("shared", "Event") == 202
    assert called("closed") == called("closed", "Event") == "AccessDeniedException"
    assert called("closed", key=OWN) == 200


# what is found when the definition is read


@pytest.mark.rule("FU-102", "AL-004")
def test_doors_that_no_policy_opens_are_found(resources: tuple[Path, dict[str, Any]]) -> None:
    findings = load_resources(*resources).findings
    found = sorted((each.rule, each.place.path.split(".")[-1]) for each in findings)
    assert found == [
        ("AL-004", "LostGroup"),
        ("FU-102", "HalfOneUrl"),
        ("FU-102", "HalfTwoUrl"),
        ("FU-102", "MuteUrl"),
        ("FU-102", "MuteUrl"),
    ]


@pytest.mark.rule("LI-214")
def test_an_auth_type_is_for_function_urls_only(tmp_path: Path) -> None:
    wrong = {**VIA_URL, "FunctionUrlAuthType": "NONE"}
    resources = {"Api": lambda_function(tmp_path), "Wrong": permission("Api", **wrong)}
    (finding,) = load_resources(tmp_path, resources).findings
    assert (finding.rule, finding.place.path.split(".")[-1]) == ("LI-214", "FunctionUrlAuthType")
    assert "is only supported for lambda:InvokeFunctionUrl action" in finding.message


# CloudFront


def behind_cloudfront(folder: Path, source: Any) -> Path:
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["ApiUrl", "FunctionUrl"]}]}]}
    config = {"OriginProtocolPolicy": "https-only"}
    origin = {
        "Id": "api",
        "DomainName": domain,
        "CustomOriginConfig": config,
        "OriginAccessControlId": {"Ref": "Oac"},
    }
    behavior = {
        "TargetOriginId": "api",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
    }
    of_distribution = {"Principal": "cloudfront.amazonaws.com", "SourceArn": source}
    return write_template(
        folder,
        {
            "Api": lambda_function(folder),
            "ApiUrl": url_of("Api", "AWS_IAM"),
            "Oac": {
                "Type": "AWS::CloudFront::OriginAccessControl",
                "Properties": {
                    "OriginAccessControlConfig": {
                        "Name": "api",
                        "OriginAccessControlOriginType": "lambda",
                        "SigningBehavior": "always",
                        "SigningProtocol": "sigv4",
                    }
                },
            },
            "Site": {
                "Type": "AWS::CloudFront::Distribution",
                "Properties": {
                    "DistributionConfig": {
                        "Enabled": True,
                        "Origins": [origin],
                        "DefaultCacheBehavior": behavior,
                    }
                },
            },
            "One": permission("Api", Action="lambda:InvokeFunctionUrl", **of_distribution),
            "Two": permission("Api", Action="lambda:InvokeFunction", **of_distribution),
        },
    )


@pytest.mark.rule("FU-107")
def test_cloudfront_signs_and_needs_a_statement_for_its_distribution(
    edge: Edge, tmp_path: Path
) -> None:
    form = "arn:aws:cloudfront::${AWS::AccountId}:distribution/"
    site = edge.serve(behind_cloudfront(tmp_path, {"Fn::Sub": form + "${Site}"}), iam="enforce")
    answered = site.get("/a%20b?x=%2F", headers={"Authorization": "Basic eDp5"})
    assert answered.status == 200, answered.text
    iam = json.loads(answered.body)["requestContext"]["authorizer"]["iam"]
    assert ":assumed-role/OriginAccessControlRole/" in iam["userArn"]
    body = b"body"
    hashed = {"x-amz-content-sha256": sha256(body).hexdigest()}
    assert site.request("POST", "/", body=body, headers=hashed).status == 200
    assert site.request("POST", "/", body=b"other", headers=hashed).status == 403
    assert site.request("POST", "/", body=body).status == 403
    assert site.get("/", url=url(site, "Api")).status == 403
    edge.clock.advance(hours=2)
    assert site.get("/later").status == 200
    edge.clock.reset()
    other = edge.serve(behind_cloudfront(tmp_path, {"Fn::Sub": form + "EOTHER"}), iam="enforce")
    assert other.get("/").status == 403
