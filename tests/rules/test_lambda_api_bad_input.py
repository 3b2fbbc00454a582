"""Calls of Lambda's API that are wrong, or come at the wrong time."""

import io
import json
import stat
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import (
    ROLE,
    RUNTIME,
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

FUNCTIONS = "/2015-03-31/functions"
WRONG_SHAPES = [
    pytest.param({"Timeout": "3"}, "Timeout: STRING_VALUE", id="text for a number"),
    pytest.param({"Timeout": True}, "Timeout: BOOLEAN_VALUE", id="Boolean for a number"),
    pytest.param({"MemorySize": 128.5}, "MemorySize: NUMBER_VALUE", id="fraction"),
    pytest.param({"Handler": 3}, "Handler: NUMBER_VALUE", id="number for a text"),
    pytest.param({"Environment": []}, "Environment: START_ARRAY", id="list for an object"),
    pytest.param(
        {"Environment": {"Variables": {"A": 1}}},
        "Environment.Variables.A: NUMBER_VALUE",
        id="number for a variable",
    ),
    pytest.param({"Layers": {}}, "Layers: START_OBJECT", id="object for a list"),
    pytest.param({"Layers": [None]}, "Layers: NULL_VALUE", id="null in a list"),
    pytest.param({"TracingConfig": "Active"}, "TracingConfig: STRING_VALUE", id="text for object"),
]


WRONG_MAPPINGS = [
    pytest.param({"BatchSize": True}, "BatchSize: BOOLEAN_VALUE", id="Boolean for a number"),
    pytest.param({"Enabled": "no"}, "Enabled: STRING_VALUE", id="text for a Boolean"),
    pytest.param({"FilterCriteria": "{}"}, "FilterCriteria: STRING_VALUE", id="text for filters"),
    pytest.param(
        {"FilterCriteria": {"Filters": ["{}"]}},
        "FilterCriteria.Filters: STRING_VALUE",
        id="text for a filter",
    ),
    pytest.param({"ScalingConfig": []}, "ScalingConfig: START_ARRAY", id="list for an object"),
    pytest.param(
        {"FunctionResponseTypes": "ReportBatchItemFailures"},
        "FunctionResponseTypes: STRING_VALUE",
        id="text for a list",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Edge() as edge:
        folder = tmp_path_factory.mktemp("bad")
        yield edge.serve(template(folder, "declared"), state_dir=folder / "state")


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


@pytest.mark.rule("LI-080")
@pytest.mark.parametrize(("members", "told"), WRONG_SHAPES)
def test_a_member_of_another_shape(site: Site, members: dict[str, Any], told: str) -> None:
    path, body = f"{FUNCTIONS}/declared/configuration", json.dumps(members).encode()
    status, kind, document = fails(call(site, path, body, "PUT"))
    assert (status, kind) == (400, "SerializationException")
    assert document["message"].startswith(f"{told} can not be converted to a")
    assert document["Type"] == "User"


@pytest.mark.rule("LI-080")
@pytest.mark.parametrize(("members", "told"), WRONG_MAPPINGS)
def test_a_member_of_a_mapping_of_another_shape(
    site: Site, members: dict[str, Any], told: str
) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:orders"
    body = json.dumps({"FunctionName": "declared", "EventSourceArn": queue, **members}).encode()
    status, kind, document = fails(call(site, "/2015-03-31/event-source-mappings", body, "POST"))
    assert (status, kind) == (400, "SerializationException")
    assert document["message"].startswith(f"{told} can not be converted to a")


def test_members_that_are_null_or_unknown_change_nothing(site: Site, client: Any) -> None:
    before = client.get_function_configuration(FunctionName="declared")
    body = (
        b'{"Timeout": null, "Environment": null, "Layers": null, "Unheard": [1], "VpcConfig": null}'
    )
    answer = call(site, f"{FUNCTIONS}/declared/configuration", body, "PUT")
    assert answer.status == 200
    after = client.get_function_configuration(FunctionName="declared")
    changing = ("RevisionId", "LastModified", "ResponseMetadata")
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }


@pytest.mark.rule("LI-022", "LI-080")
@pytest.mark.parametrize("body", [b"{", b"\xff{}", b"[]", b'"text"', b"null"])
def test_a_body_that_is_no_object(site: Site, body: bytes) -> None:
    status, kind, document = fails(call(site, FUNCTIONS, body))
    assert (status, kind) == (400, "InvalidRequestContentException")
    assert document["message"].startswith("Could not parse request body into json: ")


@pytest.mark.rule("LI-023")
@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "no type at all"])
def test_content_types_do_not_matter(site: Site, kind: str) -> None:
    headers = {"Content_Type": kind} if kind else {}
    answer = call(site, f"{FUNCTIONS}/declared/invocations", b'{"a": 1}', **headers)
    assert (answer.status, json.loads(answer.body)["event"]) == (200, {"a": 1})


@pytest.mark.rule("LI-340")
@pytest.mark.parametrize(
    ("path", "largest"),
    [
        (FUNCTIONS, 10_000),
        (f"{FUNCTIONS}/declared/versions", 10_000),
        (f"{FUNCTIONS}/declared/aliases", 10_000),
        ("/2021-10-31/functions/declared/urls", 50),
        ("/2019-09-30/functions/declared/provisioned-concurrency", 50),
    ],
)
def test_sizes_of_pages(site: Site, path: str, largest: int) -> None:
    def asked(most: object) -> Any:
        return call(site, f"{path}?List=ALL&MaxItems={most}", method="GET")

    assert asked(largest).status == 200
    for most, which, bound in (
        (0, "greater", 1),
        (-1, "greater", 1),
        (largest + 1, "less", largest),
    ):
        status, kind, document = fails(asked(most))
        assert (status, kind) == (400, "ValidationException")
        assert document == {
            "message": f"1 validation error detected: Value '{most}' at 'maxItems' failed to "
            f"satisfy constraint: Member must have value {which} than or equal to {bound}"
        }
    for text in ("many", "9" * 5000):
        assert fails(asked(text))[:2] == (400, "SerializationException")


@pytest.mark.rule("LI-340")
def test_what_has_been_listed_may_be_deleted_before_the_next_page(client: Any) -> None:
    create(client, "pages")
    names = [f"alias-{number}" for number in range(5)]
    for name in names:
        client.create_alias(FunctionName="pages", Name=name, FunctionVersion="$LATEST")
    seen = []
    pages = client.get_paginator("list_aliases")
    for page in pages.paginate(FunctionName="pages", PaginationConfig={"PageSize": 2}):
        for alias in page["Aliases"]:
            seen.append(alias["Name"])
            client.delete_alias(FunctionName="pages", Name=alias["Name"])
    assert seen == names
    assert refused(client.list_aliases, FunctionName="pages", Marker="alias-0") == (
        400, "InvalidParameterValueException", "Invalid pagination token."
    )  # fmt: skip


@pytest.mark.rule("LI-312")
def test_one_update_at_a_time(client: Any) -> None:
    create(client, "busy")
    large = {f"file{number}.txt": "x" for number in range(6_000)}
    files = {"index.py": "def handler(event, context):\n    return 'new'\n", **large}
    data, answers = package(files=files), []

    def update() -> None:
        answers.append(client.update_function_code(FunctionName="busy", ZipFile=data))

    thread = threading.Thread(target=update)
    thread.start()
    told = set()
    while thread.is_alive():
        for operation in (client.update_function_configuration, client.publish_version):
            try:
                operation(FunctionName="busy")
            except ClientError as error:
                told.add((error.response["Error"]["Code"], error.response["Error"]["Message"]))
    thread.join()
    text = (
        "The operation cannot be performed at this time. An update is in progress for "
        f"resource: {arn('busy')}"
    )
    assert told == {("ResourceConflictException", text)}
    assert answers[0]["LastUpdateStatus"] == "InProgress"
    assert invoke(client, "busy") == "new"
    client.update_function_configuration(FunctionName="busy", Timeout=4)


def zipped(*members: tuple[str, bytes, int]) -> bytes:
    """A zip file with these names, contents and modes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


_LINK = stat.S_IFLNK | 0o777
_FILE = stat.S_IFREG | 0o644


@pytest.mark.rule("LI-337")
def test_links_in_a_package(client: Any) -> None:
    code = b"import real\ndef handler(event, context):\n    return real.name\n"
    data = zipped(
        ("index.py", b"code.py", _LINK), ("code.py", code, _FILE),
        ("real.py", b"lib/inner.py", _LINK), ("lib/inner.py", b"name = __name__\n", _FILE),
    )  # fmt: skip
    create(client, "linked", Code={"ZipFile": data})
    assert invoke(client, "linked") == "real"


def damaged() -> bytes:
    """A zip file whose first member's compressed bytes are wrong."""
    data = bytearray(zipped(("index.py", b"x = 1\n" * 500, _FILE)))
    name_length = struct.unpack_from("<H", data, 26)[0]
    for at in range(30 + name_length, 38 + name_length):
        data[at] ^= 0xFF
    return bytes(data)


@pytest.mark.rule("LI-337")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no zip file", id="no zip file"),
        pytest.param(package()[:-30], id="cut off"),
        pytest.param(damaged(), id="damaged"),
        pytest.param(
            zipped(("a", b"/tmp", _LINK), ("a/b", b"outside", _FILE)), id="a file below a link"
        ),
        pytest.param(zipped(("a", b"file", _FILE), ("a/b", b"file", _FILE)), id="below a file"),
        pytest.param(zipped(("a" * 300, b"file", _FILE)), id="a name that is too long"),
        pytest.param(zipped(("a", b"", _LINK)), id="a link to nothing"),
    ],
)
def test_packages_that_cannot_be_unpacked(client: Any, data: bytes) -> None:
    text = "Could not unzip uploaded file. Please check your file, then try to upload again."
    expected = (400, "InvalidParameterValueException", text)
    assert refused(create, client=client, name="broken", Code={"ZipFile": data}) == expected
    names = {each["FunctionName"] for each in client.list_functions()["Functions"]}
    assert "broken" not in names


def test_code_that_cannot_be_kept_is_not_the_packages_fault(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    with Edge() as edge:
        site = edge.serve(tmp_path / "template.yaml", state_dir=tmp_path / "state")
        status, kind, told = refused(create, client=lambda_client(site), name="f")
    assert (status, kind) == (500, "ServiceException")
    assert "state/code: the code cannot be kept there" in told
    assert "--state-dir" in told


def test_code_that_is_not_base64(site: Site) -> None:
    members = {
        "FunctionName": "f", "Runtime": RUNTIME, "Role": ROLE, "Handler": "index.handler",
        "Code": {"ZipFile": "***"},
    }  # fmt: skip
    status, kind, document = fails(call(site, FUNCTIONS, json.dumps(members).encode()))
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert "ZipFile is not base64" in document["message"]
