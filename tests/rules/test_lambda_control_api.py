"""Functions made and changed over Lambda's API, in the order in which tools do it."""

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.asynchronous import until
from tests.support.lambda_api import (
    arn,
    call,
    create,
    fails,
    invoke,
    lambda_client,
    package,
    refused,
    template,
)

SETTLED = {"State": "Active", "LastUpdateStatus": "Successful"}
ALWAYS = {
    "FunctionName", "FunctionArn", "Runtime", "Role", "Handler", "CodeSize", "Description",
    "Timeout", "MemorySize", "LastModified", "CodeSha256", "Version", "TracingConfig",
    "RevisionId", "PackageType", "Architectures", "EphemeralStorage", "SnapStart",
    "LoggingConfig", "RuntimeVersionConfig",
}  # fmt: skip
"""Members that every configuration has."""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, state_dir: Path) -> Iterator[Site]:
    with Edge() as edge:
        file = template(tmp_path_factory.mktemp("control"), "declared")
        yield edge.serve(file, state_dir=state_dir)


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


@pytest.fixture
def name(client: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A function of its own for the test."""
    name = request.node.originalname[:60]
    create(client, name)
    yield name
    client.delete_function(FunctionName=name)


def of(document: dict[str, Any], *names: str) -> list[Any]:
    return [document.get(name) for name in names]


def status_of(answer: dict[str, Any]) -> int:
    code: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return code


@pytest.mark.rule("LI-310", "LI-311", "LI-313", "LI-314")
def test_states(client: Any) -> None:
    made = create(client, "states")
    assert of(made, "State", "StateReason", "StateReasonCode", "LastUpdateStatus") == [
        "Pending", "The function is being created.", "Creating", None
    ]  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="states")
    updated = client.update_function_configuration(FunctionName="states", Timeout=5)
    assert of(updated, "State", "LastUpdateStatus", "LastUpdateStatusReason",
              "LastUpdateStatusReasonCode") == [
        "Active", "InProgress", "The function is being created.", "Creating"
    ]  # fmt: skip
    client.get_waiter("function_updated_v2").wait(FunctionName="states")
    found = client.get_function_configuration(FunctionName="states")
    assert {key: found[key] for key in SETTLED} == SETTLED
    listed = [
        *client.list_functions()["Functions"],
        *client.list_versions_by_function(FunctionName="states")["Versions"],
    ]
    assert not {key for each in listed for key in each if key.startswith(("State", "LastUp"))}


@pytest.mark.rule("LI-332", "LI-333")
def test_a_configuration_by_default(client: Any, name: str) -> None:
    found = client.get_function_configuration(FunctionName=name)
    assert set(found) >= ALWAYS
    assert "Environment" not in found
    defaults = {
        "Timeout": 3,
        "MemorySize": 128,
        "EphemeralStorage": {"Size": 512},
        "Architectures": ["x86_64"],
        "PackageType": "Zip",
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "Description": "",
        "Version": "$LATEST",
    }
    assert {key: found[key] for key in defaults} == defaults
    raw = json.loads(call_get(client, f"/2015-03-31/functions/{name}/configuration"))
    assert raw["LastModified"][10:11] + raw["LastModified"][-5:] == "T+0000"


def call_get(client: Any, path: str) -> bytes:
    with urllib.request.urlopen(client.meta.endpoint_url + path) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.rule("LI-332")
def test_each_update_has_a_revision_of_its_own(client: Any, name: str) -> None:
    revisions = [client.get_function_configuration(FunctionName=name)["RevisionId"]]
    revisions += [
        client.update_function_configuration(FunctionName=name, Timeout=4)["RevisionId"],
        client.update_function_code(FunctionName=name, ZipFile=package("b"))["RevisionId"],
    ]
    assert len(set(revisions)) == 3
    stale = refused(
        client.update_function_configuration, FunctionName=name, RevisionId=revisions[0]
    )
    assert stale[:2] == (412, "PreconditionFailedException")


@pytest.mark.rule("LI-334")
@pytest.mark.parametrize("qualifier", ["", "$LATEST", "1", "live"])
def test_the_arn_is_as_it_was_asked_for(client: Any, name: str, qualifier: str) -> None:
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    more = {"Qualifier": qualifier} if qualifier else {}
    found = client.get_function(FunctionName=name, **more)["Configuration"]
    assert found["FunctionArn"] == arn(f"{name}:{qualifier}" if qualifier else name)
    assert found["Version"] == ("1" if qualifier in ("1", "live") else "$LATEST")


@pytest.mark.rule("LI-335")
def test_get_function(client: Any, name: str) -> None:
    found = client.get_function(FunctionName=name)
    assert found["Code"]["RepositoryType"] == "S3"
    assert urllib.request.urlopen(found["Code"]["Location"]).read() == package()
    assert "Tags" not in found
    assert "Concurrency" not in found
    client.tag_resource(Resource=arn(name), Tags={"a": "b"})
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    found = client.get_function(FunctionName=name)
    assert found["Tags"] == {"a": "b"}
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 3}
    assert client.delete_function_concurrency(FunctionName=name)["ResponseMetadata"]
    location = client.get_function(FunctionName="declared")["Code"]["Location"]
    with zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(location).read())) as archive:
        assert archive.namelist() == ["index.py"]


@pytest.mark.rule("LI-336")
def test_published_at_once(client: Any) -> None:
    made = create(client, "published", Publish=True)
    assert of(made, "Version", "FunctionArn") == ["1", arn("published")]
    changed = client.update_function_code(
        FunctionName="published", ZipFile=package("b"), Publish=True
    )
    assert of(changed, "Version", "FunctionArn") == ["2", arn("published:2")]
    assert invoke(client, "published:1")["mark"] == "a"
    assert invoke(client, "published:2")["mark"] == "b"


def test_a_dry_run_changes_nothing(client: Any, name: str) -> None:
    would = client.update_function_code(FunctionName=name, ZipFile=package("b"), DryRun=True)
    found = client.get_function_configuration(FunctionName=name)
    assert would["CodeSha256"] != found["CodeSha256"]
    assert invoke(client, name)["mark"] == "a"


@pytest.mark.rule("LI-337", "LR-324")
def test_packages(client: Any, name: str, state_dir: Path) -> None:
    bucket = state_dir / "buckets" / "my-code" / "deploy"
    bucket.mkdir(parents=True)
    (bucket / "f.zip").write_bytes(package("from a bucket"))
    client.update_function_code(FunctionName=name, S3Bucket="my-code", S3Key="deploy/f.zip")
    assert invoke(client, name)["mark"] == "from a bucket"
    assert refused(
        client.update_function_code, FunctionName=name, S3Bucket="my-code", S3Key="none.zip"
    )[:2] == (400, "InvalidParameterValueException")
    outside = refused(
        client.update_function_code, FunctionName=name, S3Bucket="my-code", S3Key="../../x"
    )
    assert outside[0] == 400
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:b"
    status, _, text = refused(client.update_function_code, FunctionName=name, ImageUri=image)
    assert status == 400
    assert "Image do not run here" in text
    assert refused(client.update_function_code, FunctionName=name, ZipFile=b"no zip") == (
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(262_144_001))
    assert refused(client.update_function_code, FunctionName=name, ZipFile=stream.getvalue()) == (
        400,
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    )
    assert refused(client.update_function_code, FunctionName=name, ZipFile=bytes(52_428_801)) == (
        413,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    )


@pytest.mark.rule("LI-337")
def test_a_request_beyond_all_bounds(site: Site) -> None:
    body = bytes(70_167_212)
    assert call(site, "/2015-03-31/functions", body).status == 413


@pytest.mark.rule("LI-338")
@pytest.mark.parametrize("taken", ["declared", "test_a_name_that_is_taken"])
def test_a_name_that_is_taken(client: Any, name: str, taken: str) -> None:
    assert refused(create, client=client, name=taken) == (
        409,
        "ResourceConflictException",
        f"Function already exist: {taken}",
    )


@pytest.mark.rule("LI-339")
@pytest.mark.parametrize(
    ("bad", "told"),
    [("with.dot", "regular expression"), ("a" * 65, "length less than or equal to 64")],
)
def test_names_of_new_functions(client: Any, bad: str, told: str) -> None:
    status, kind, text = refused(create, client=client, name=bad)
    assert (status, kind) == (400, "ValidationException")
    assert told in text


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Timeout": 901}, "ValidationException"),
        ({"MemorySize": 127}, "ValidationException"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException"),
        pytest.param(
            {"Runtime": "Python3.12"},
            "InvalidParameterValueException",
            marks=pytest.mark.rule("LR-341"),
        ),
        pytest.param(
            {"Environment": {"Variables": {"AA": "x" * 4096}}},
            "InvalidParameterValueException",
            marks=pytest.mark.rule("LR-169"),
        ),
        pytest.param(
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            marks=pytest.mark.rule("LR-160", "LR-168"),
        ),
        *(
            pytest.param(
                {"Environment": {"Variables": {name: "x"}}},
                "ValidationException",
                marks=pytest.mark.rule("LR-168"),
            )
            for name in ("A", "1A", "_A", "A-B", "A.B", "AÄ", "")
        ),
        ({"LoggingConfig": {"ApplicationLogLevel": "INFO"}}, "InvalidParameterValueException"),
    ],
)
def test_configurations_that_are_refused(
    client: Any, parameters: dict[str, Any], code: str
) -> None:
    assert refused(create, client=client, name="bad", **parameters)[:2] == (400, code)
    assert refused(client.get_function, FunctionName="bad")[0] == 404


@pytest.mark.rule("LI-340")
def test_pages(client: Any) -> None:
    names = [f"page-{number:02}" for number in range(55)]
    for name in names:
        create(client, name)
    first = client.list_functions(MaxItems=1000)
    assert len(first["Functions"]) == 50
    rest = client.list_functions(Marker=first["NextMarker"])
    assert "NextMarker" not in rest
    found = [each["FunctionName"] for each in first["Functions"] + rest["Functions"]]
    assert [name for name in found if name.startswith("page-")] == names
    client.publish_version(FunctionName="page-00")
    pages = client.get_paginator("list_functions").paginate(
        FunctionVersion="ALL", PaginationConfig={"PageSize": 7}
    )
    arns = [each["FunctionArn"] for page in pages for each in page["Functions"]]
    assert {arn("page-00:$LATEST"), arn("page-00:1"), arn("page-54:$LATEST")} <= set(arns)
    assert len(arns) == len(set(arns))
    for name in names:
        client.delete_function(FunctionName=name)
    client.publish_version(FunctionName="declared")
    versions = client.list_versions_by_function(FunctionName="declared", MaxItems=1)
    assert [each["Version"] for each in versions["Versions"]] == ["$LATEST"]
    assert versions["NextMarker"]
    assert refused(client.list_functions, MaxItems=10_001)[0] == 400


@pytest.mark.rule("LI-341", "LI-198")
def test_configurations_of_asynchronous_invocation(client: Any, name: str) -> None:
    function = {"FunctionName": name}
    missing = f"The function {arn(name)}:$LATEST doesn't have an EventInvokeConfig"
    assert refused(client.get_function_event_invoke_config, **function) == (
        404, "ResourceNotFoundException", missing
    )  # fmt: skip
    client.put_function_event_invoke_config(
        **function, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60
    )
    client.update_function_event_invoke_config(**function, MaximumRetryAttempts=0)
    found = client.get_function_event_invoke_config(**function)
    assert of(found, "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "FunctionArn") == [
        0, 60, arn(f"{name}:$LATEST")
    ]  # fmt: skip
    assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    put = client.put_function_event_invoke_config(**function, MaximumRetryAttempts=2)
    assert "MaximumEventAgeInSeconds" not in put
    path = f"/2019-09-25/functions/{name}/event-invoke-config"
    assert isinstance(json.loads(call_get(client, path))["LastModified"], float)
    listed = client.list_function_event_invoke_configs(**function)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1

    def to(target: str) -> dict[str, Any]:
        return {"DestinationConfig": {"OnFailure": {"Destination": target}}}

    put_config = client.put_function_event_invoke_config
    assert put_config(**function, **to(arn("declared")))["DestinationConfig"]["OnFailure"]
    for parameters, told in (
        ({}, "You must specify at least one of error handling or destination setting."),
        (to(arn(name)), "You can't specify the function as a destination for itself."),
        (to(arn("nope")), f"The destination ARN {arn('nope')} is invalid."),
    ):
        assert refused(put_config, **function, **parameters) == (
            400, "InvalidParameterValueException", told
        )  # fmt: skip
    assert refused(put_config, FunctionName="nope", MaximumRetryAttempts=0) == (
        404, "ResourceNotFoundException", "The function doesn't exist."
    )  # fmt: skip
    assert status_of(client.delete_function_event_invoke_config(**function)) == 204


def too_many(name: str, count: int) -> tuple[dict[str, Any], str]:
    values = [f"v{number}" for number in range(count + 1)]
    member = f"{name[0].lower()}{name[1:]}"
    told = f"Value '[{', '.join(values)}]' at 'cors.{member}' failed to satisfy constraint: "
    return {name: values}, f"{told}Member must have length less than or equal to {count}"


def of_each(shown: str, longest: int, shortest: int = 0) -> str:
    return (
        f"Value {shown} failed to satisfy constraint: Member must satisfy constraint: [Member must "
        f"have length less than or equal to {longest}, Member must have length greater than or "
        f"equal to {shortest}, Member must satisfy regular expression pattern: .*]"
    )


@pytest.mark.rule("FU-100")
@pytest.mark.parametrize(
    ("cors", "told"),
    [
        too_many("AllowOrigins", 100),
        too_many("AllowMethods", 6),
        too_many("AllowHeaders", 100),
        too_many("ExposeHeaders", 100),
        pytest.param(
            {"AllowMethods": ["GET", "OPTIONS"]},
            of_each("'[GET, OPTIONS]' at 'cors.allowMethods'", 6),
            marks=pytest.mark.rule("FU-100a"),
        ),
        ({"AllowOrigins": [""]}, of_each("'[]' at 'cors.allowOrigins'", 253, 1)),
        (
            {"MaxAge": 86_401},
            (
                "Value '86401' at 'cors.maxAge' failed to satisfy constraint: "
                "Member must have value less than or equal to 86400"
            ),
        ),
        (
            {"MaxAge": -1},
            (
                "Value '-1' at 'cors.maxAge' failed to satisfy constraint: "
                "Member must have value greater than or equal to 0"
            ),
        ),
    ],
)
def test_cors_settings_that_lambda_refuses(
    client: Any, name: str, cors: dict[str, Any], told: str
) -> None:
    function = {"FunctionName": name}
    expected = (400, "ValidationException", f"1 validation error detected: {told}")
    create_url = client.create_function_url_config
    assert refused(create_url, **function, AuthType="NONE", Cors=cors) == expected
    create_url(**function, AuthType="NONE")
    assert refused(client.update_function_url_config, **function, Cors=cors) == expected
    assert "Cors" not in client.get_function_url_config(**function)


@pytest.mark.rule("FU-100")
def test_cors_settings_that_are_shown_again(client: Any, name: str) -> None:
    cors = {
        "AllowCredentials": True,
        "AllowHeaders": ["x-a"],
        "AllowMethods": ["*"],
        "AllowOrigins": [f"https://{number}.example" for number in range(100)],
        "ExposeHeaders": ["x-b"],
        "MaxAge": 86_400,
    }
    function = {"FunctionName": name}
    client.create_function_url_config(**function, AuthType="NONE", Cors=cors)
    assert client.get_function_url_config(**function)["Cors"] == cors


@pytest.mark.rule("LI-342")
def test_function_urls(site: Site, client: Any, name: str) -> None:
    function = {"FunctionName": name}
    missing = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert refused(client.get_function_url_config, **function) == missing
    made = client.create_function_url_config(**function, AuthType="NONE")
    assert of(made, "FunctionArn", "AuthType", "Cors", "InvokeMode") == [
        arn(name), "NONE", None, None
    ]  # fmt: skip
    told = json.loads(urllib.request.urlopen(made["FunctionUrl"]).read())
    assert told["event"]["rawPath"] == "/"
    assert site.endpoints["function_urls"][name]["url"] == made["FunctionUrl"]
    assert refused(client.create_function_url_config, **function, AuthType="NONE") == (
        409,
        "ResourceConflictException",
        (
            f"Failed to create function url config for [functionArn = {arn(name)}]. "
            "Error message:  FunctionUrlConfig exists for this Lambda function"
        ),
    )
    found = client.get_function_url_config(**function)
    assert found["InvokeMode"] == "BUFFERED"
    assert found["LastModifiedTime"]
    client.update_function_url_config(**function, Cors={"AllowOrigins": ["https://a.example"]})
    answer = site.request("GET", "/", url=made["FunctionUrl"],
                          headers={"Origin": "https://a.example"})  # fmt: skip
    assert answer.headers.get("access-control-allow-origin") == "https://a.example"
    listed = client.list_function_url_configs(**function)["FunctionUrlConfigs"]
    assert [each["FunctionUrl"] for each in listed] == [made["FunctionUrl"]]
    for qualifier in ("1", "$LATEST"):
        assert refused(
            client.create_function_url_config, **function, AuthType="NONE", Qualifier=qualifier
        )[:2] == (400, "ValidationException")
    assert status_of(client.delete_function_url_config(**function)) == 204
    assert refused(client.get_function_url_config, **function) == missing
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(made["FunctionUrl"])


@pytest.mark.rule("LI-343")
def test_account_settings(client: Any, name: str) -> None:
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=40)
    found = client.get_account_settings()
    client.delete_function_concurrency(FunctionName=name)
    assert found["AccountLimit"] == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 960,
    }
    assert found["AccountUsage"]["FunctionCount"] >= 2
    assert found["AccountUsage"]["TotalCodeSize"] > len(package())


@pytest.mark.rule("LI-344")
def test_reserved_concurrency(client: Any, name: str) -> None:
    function = {"FunctionName": name}
    assert set(client.get_function_concurrency(**function)) == {"ResponseMetadata"}
    put = client.put_function_concurrency
    assert put(**function, ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
    status, kind, text = refused(client.invoke, **function)
    assert (status, kind, text) == (429, "TooManyRequestsException", "Rate Exceeded.")
    assert status_of(client.delete_function_concurrency(**function)) == 204
    assert invoke(client, name)["mark"] == "a"


@pytest.mark.rule("LI-122", "LI-123")
def test_reservations_that_are_refused(client: Any, name: str) -> None:
    put = client.put_function_concurrency
    assert refused(put, FunctionName=name, ReservedConcurrentExecutions=901) == (
        400,
        "InvalidParameterValueException",
        (
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100]."
        ),
    )
    client.publish_version(FunctionName=name)
    status, _, text = refused(put, FunctionName=f"{name}:1", ReservedConcurrentExecutions=1)
    assert status == 400
    assert text.startswith("This operation is permitted on Lambda functions only.")


@pytest.mark.rule("LI-131", "LI-132", "LI-133")
def test_provisioned_configurations_that_are_refused(client: Any, name: str) -> None:
    function = {"FunctionName": name}
    client.publish_version(**function)
    client.create_alias(**function, Name="live", FunctionVersion="1")
    put, get = client.put_provisioned_concurrency_config, client.get_provisioned_concurrency_config
    two = {"ProvisionedConcurrentExecutions": 2}
    assert refused(put, **function, Qualifier="$LATEST", **two)[2] == (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    assert refused(get, **function, Qualifier="live") == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    client.put_function_concurrency(**function, ReservedConcurrentExecutions=1)
    assert refused(put, **function, Qualifier="live", **two)[2] == (
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function"
    )
    client.delete_function_concurrency(**function)
    assert refused(put, **function, Qualifier="live", ProvisionedConcurrentExecutions=901)[2] == (
        "Specified ConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    made = put(**function, Qualifier="live", **two)
    assert (status_of(made), made["Status"]) == (202, "IN_PROGRESS")
    assert refused(put, **function, Qualifier="1", **two)[1:] == (
        "ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias"
    )  # fmt: skip
    assert refused(client.put_function_concurrency, **function, ReservedConcurrentExecutions=1)[
        2
    ] == (
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2]."
    )
    listed = client.list_provisioned_concurrency_configs(**function)
    (config,) = listed["ProvisionedConcurrencyConfigs"]
    assert config["FunctionArn"] == arn(f"{name}:live")
    client.delete_provisioned_concurrency_config(**function, Qualifier="live")
    put(**function, Qualifier="1", **two)
    assert refused(put, **function, Qualifier="live", **two)[1:] == (
        "ResourceConflictException",
        (
            "Alias can't be used for Provisioned Concurrency configuration "
            "on an already Provisioned version"
        ),
    )


def provisioned(client: Any, name: str, state: str, qualifier: str = "1") -> dict[str, Any]:
    """The configuration, once it has come to that state."""

    def found() -> dict[str, Any] | None:
        config: dict[str, Any] = client.get_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier
        )
        return config if config["Status"] == state else None

    config: dict[str, Any] = until(found)
    return config


AMOUNTS = tuple(
    f"{each}ProvisionedConcurrentExecutions" for each in ("Requested", "Allocated", "Available")
)


@pytest.mark.rule("LI-129")
def test_provisioned_environments_become_ready(client: Any, name: str) -> None:
    code = "import os\ndef handler(event, context):\n    return os.environ['%s']\n"
    files = {"index.py": code % "AWS_LAMBDA_INITIALIZATION_TYPE"}
    client.update_function_code(FunctionName=name, ZipFile=package(files=files))
    function = {
        "FunctionName": name,
        "Qualifier": client.publish_version(FunctionName=name)["Version"],
    }
    put = client.put_provisioned_concurrency_config
    made = put(**function, ProvisionedConcurrentExecutions=2)
    assert status_of(made) == 202
    assert [made["Status"], *of(made, *AMOUNTS)] == ["IN_PROGRESS", 2, 0, 0]
    ready = provisioned(client, name, "READY")
    assert of(ready, *AMOUNTS) == [2, 2, 2]
    assert "StatusReason" not in ready
    assert invoke(client, name, Qualifier="1") == "provisioned-concurrency"
    assert invoke(client, name) == "on-demand"
    # What does not concern them leaves them as they are.
    client.tag_resource(Resource=arn(name), Tags={"a": "b"})
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert provisioned(client, name, "READY")["AvailableProvisionedConcurrentExecutions"] == 2
    assert invoke(client, name, Qualifier="live") == "provisioned-concurrency"
    client.delete_provisioned_concurrency_config(**function)
    assert invoke(client, name, Qualifier="1") == "on-demand"


@pytest.mark.rule("LI-129")
def test_provisioned_environments_of_broken_code(client: Any, name: str, tmp_path: Path) -> None:
    switch = tmp_path / "mended"
    code = f"import os\nif not os.path.exists({str(switch)!r}): raise ValueError('broken')\n"
    files = {"index.py": f"{code}def handler(event, context): return 'ran'\n"}
    client.update_function_code(FunctionName=name, ZipFile=package(files=files))
    client.publish_version(FunctionName=name)
    function = {"FunctionName": name, "Qualifier": "1"}
    put = client.put_provisioned_concurrency_config
    put(**function, ProvisionedConcurrentExecutions=2)
    failed = provisioned(client, name, "FAILED")
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert of(failed, *AMOUNTS) == [2, 0, 0]
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)
    assert [each["Status"] for each in listed["ProvisionedConcurrencyConfigs"]] == ["FAILED"]
    switch.touch()
    put(**function, ProvisionedConcurrentExecutions=2)  # asking again tries again
    assert of(provisioned(client, name, "READY"), *AMOUNTS) == [2, 2, 2]


def layer(client: Any, name: str, text: str = "x = 42") -> str:
    content = {"ZipFile": package(files={"python/from_layer.py": text})}
    made = client.publish_layer_version(LayerName=name, Content=content)
    version_arn: str = made["LayerVersionArn"]
    return version_arn


@pytest.mark.rule("LI-330")
def test_layers(client: Any, name: str) -> None:
    one, two = layer(client, "words", "x = 1"), layer(client, "words", "x = 2")
    assert [one[-2:], two[-2:]] == [":1", ":2"]
    code = "import from_layer\ndef handler(event, context):\n    return from_layer.x\n"
    client.update_function_code(FunctionName=name, ZipFile=package(files={"index.py": code}))
    changed = client.update_function_configuration(FunctionName=name, Layers=[two])
    assert [each["Arn"] for each in changed["Layers"]] == [two]
    assert changed["Layers"][0]["CodeSize"] > 0
    assert invoke(client, name) == 2
    found = client.get_layer_version_by_arn(Arn=one)
    assert urllib.request.urlopen(found["Content"]["Location"]).read() == package(
        files={"python/from_layer.py": "x = 1"}
    )
    (listed,) = [e for e in client.list_layers()["Layers"] if e["LayerName"] == "words"]
    assert listed["LatestMatchingVersion"]["LayerVersionArn"] == two
    versions = client.list_layer_versions(LayerName="words")["LayerVersions"]
    assert [each["Version"] for each in versions] == [2, 1]
    client.delete_layer_version(LayerName="words", VersionNumber=2)
    assert refused(client.get_layer_version, LayerName="words", VersionNumber=2)[0] == 404
    assert invoke(client, name) == 2, "who has it keeps it"
    assert layer(client, "words", "x = 3").endswith(":3"), "no number is given twice"


@pytest.mark.rule("LI-345")
def test_layers_that_are_refused(client: Any, name: str) -> None:
    def told(*layers: str) -> str:
        return refused(
            client.update_function_configuration, FunctionName=name, Layers=list(layers)
        )[2]

    made = [layer(client, f"l{number}") for number in range(6)]
    again = layer(client, "l0", "y = 0")
    assert told(*made) == "Cannot reference more than 5 layers."
    assert told(made[0], again).startswith("Two different versions of the same layer are not ")
    assert told(f"{made[0][:-1]}9") == f"Layer version {made[0][:-1]}9 does not exist."
    assert told(made[0].replace("us-east-1", "eu-west-1")) == (
        "Layers are not in the same region as the function. Layers are expected to be in region "
        "us-east-1."
    )


@pytest.mark.rule("LI-346")
def test_tags(client: Any, name: str) -> None:
    tagged = {"Resource": arn(name)}
    assert status_of(client.tag_resource(**tagged, Tags={"a": "1", "b": "2"})) == 204
    assert status_of(client.untag_resource(**tagged, TagKeys=["a"])) == 204
    assert client.list_tags(**tagged)["Tags"] == {"b": "2"}
    assert refused(client.list_tags, Resource=arn(f"{name}:live")) == (
        400,
        "InvalidParameterValueException",
        "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )
    many = {f"t{number}": "" for number in range(50)}
    status, _, text = refused(client.tag_resource, **tagged, Tags=many)
    assert (status, text) == (400, "Number of tags exceeds resource tag limit.")


@pytest.mark.rule("LI-347")
def test_deleting(client: Any, name: str) -> None:
    delete = client.delete_function
    assert refused(delete, FunctionName=name, Qualifier="$LATEST") == (
        400,
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    assert refused(delete, FunctionName=name, Qualifier="live")[2] == (
        "Deletion of aliases is not currently supported."
    )
    assert refused(delete, FunctionName="nope") == (
        404, "ResourceNotFoundException", f"Function not found: {arn('nope')}"
    )  # fmt: skip


@pytest.mark.rule("LI-214", "LI-215")
def test_policies(client: Any, name: str) -> None:
    missing = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert refused(client.get_policy, FunctionName=name) == missing
    permission = {
        "FunctionName": name,
        "StatementId": "alb",
        "Action": "lambda:InvokeFunction",
        "Principal": "elasticloadbalancing.amazonaws.com",
        "SourceArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b",
    }
    added = client.add_permission(**permission)
    statement = json.loads(added["Statement"])
    assert (status_of(added), statement) == (
        201,
        {
            "Sid": "alb",
            "Effect": "Allow",
            "Principal": {"Service": "elasticloadbalancing.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn(name),
            "Condition": {"ArnLike": {"AWS:SourceArn": permission["SourceArn"]}},
        },
    )
    assert refused(client.add_permission, **permission) == (
        409,
        "ResourceConflictException",
        (
            "The statement id (alb) provided already exists. Please provide a new statement id, or "
            "remove the existing statement."
        ),
    )
    policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    remove = client.remove_permission
    assert refused(remove, FunctionName=name, StatementId="x")[2] == (
        "Statement x is not found in resource policy."
    )
    assert status_of(remove(FunctionName=name, StatementId="alb")) == 204
    assert refused(client.get_policy, FunctionName=name) == missing


@pytest.mark.rule("LI-214")
@pytest.mark.parametrize(
    ("members", "code", "told"),
    [
        (
            {"FunctionUrlAuthType": "NONE"},
            "InvalidParameterValueException",
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ),
        (
            {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "SOME"},
            "ValidationException",
            (
                "1 validation error detected: Value 'SOME' at 'functionUrlAuthType' failed to "
                "satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]"
            ),
        ),
        (
            {"SourceAccount": "1"},
            "ValidationException",
            (
                "1 validation error detected: Value '1' at 'sourceAccount' failed to satisfy "
                r"constraint: Member must satisfy regular expression pattern: \d{12}"
            ),
        ),
        (
            {"Principal": "nobody"},
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
    ],
)
def test_permissions_that_lambda_refuses(
    client: Any, name: str, members: dict[str, str], code: str, told: str
) -> None:
    permission = {
        "FunctionName": name,
        "StatementId": "a",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        **members,
    }
    assert refused(client.add_permission, **permission) == (400, code, told)


@pytest.mark.rule("LI-214", "FU-040")
def test_as_the_service_was_recorded(site: Site, client: Any, name: str) -> None:
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    added = client.add_permission(
        FunctionName=name,
        StatementId="urlPermission",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert json.loads(added["Statement"]) == {
        "Action": "lambda:InvokeFunctionUrl",
        "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        "Effect": "Allow",
        "Principal": "*",
        "Resource": arn(name),
        "Sid": "urlPermission",
    }
    answer = site.get("/", url=url)
    request_id = answer.headers.get("x-amzn-RequestId")
    assert json.loads(answer.body)["id"] == request_id
    lines = site.get(f"/api/functions/{name}/logs", url=site.endpoints["control"])
    ends = [each["message"] for each in json.loads(lines.body)["lines"]
            if each["message"].startswith("END")]  # fmt: skip
    assert ends == [f"END RequestId: {request_id}"]


@pytest.mark.rule("LI-331")
@pytest.mark.parametrize("function", ["declared", "made"])
def test_what_terraform_reads(client: Any, function: str) -> None:
    if function == "made":
        create(client, "made")
    asked = {"FunctionName": function}
    for operation in (
        client.get_function,
        client.list_versions_by_function,
        client.get_function_code_signing_config,
        client.get_function_concurrency,
    ):
        assert status_of(operation(**asked)) == 200
    assert status_of(client.list_tags(Resource=arn(function))) == 200
    assert refused(client.get_policy, **asked)[:2] == (404, "ResourceNotFoundException")


@pytest.mark.rule("LI-330")
def test_settings_beside_the_configuration(client: Any, name: str) -> None:
    function = {"FunctionName": name}
    assert client.get_function_recursion_config(**function)["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(**function, RecursiveLoop="Allow")
    assert client.get_function_recursion_config(**function)["RecursiveLoop"] == "Allow"
    found = client.get_runtime_management_config(**function)
    assert of(found, "UpdateRuntimeOn", "FunctionArn") == ["Auto", arn(name)]
    client.put_runtime_management_config(**function, UpdateRuntimeOn="FunctionUpdate")
    found = client.get_runtime_management_config(**function)
    assert found["UpdateRuntimeOn"] == "FunctionUpdate"


@pytest.mark.rule("LI-330")
def test_success_has_the_status_of_the_model(client: Any) -> None:
    seen: dict[str, int] = {}

    def note(http_response: Any, model: Any, **more: Any) -> None:
        seen[model.name] = http_response.status_code
        if http_response.status_code != model.http["responseCode"]:
            assert model.name == "DeleteFunction", "recorded with 204"

    client.meta.events.register("after-call.lambda", note)
    try:
        create(client, "statuses")
        client.get_function(FunctionName="statuses")
        client.update_function_code(FunctionName="statuses", ZipFile=package("b"))
        client.publish_version(FunctionName="statuses")
        client.create_alias(FunctionName="statuses", Name="a", FunctionVersion="1")
        client.get_alias(FunctionName="statuses", Name="a")
        client.delete_alias(FunctionName="statuses", Name="a")
        client.delete_function(FunctionName="statuses")
    finally:
        client.meta.events.unregister("after-call.lambda", note)
    assert seen["DeleteFunction"] == 204
    assert seen["CreateFunction"] == 201


@pytest.mark.rule("LI-084", "LI-083")
def test_a_function_that_is_pending(site: Site) -> None:
    fault = b'{"error": "ResourceConflictException"}'
    path = "/api/functions/declared/fault"
    call(site, path, fault, "PUT", Content_Type="application/json")
    status, kind, document = fails(call(site, "/2015-03-31/functions/declared/invocations"))
    call(site, path, b"", "DELETE")
    assert (status, kind) == (409, "ResourceConflictException")
    assert document["message"] == (
        "The operation cannot be performed at this time. The function is currently in the "
        "following state: Pending"
    )
