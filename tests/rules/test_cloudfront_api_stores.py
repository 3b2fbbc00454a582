"""Key-value stores over their two APIs, and what running functions read of them."""

from collections.abc import Callable
from typing import Any

import pytest

from edgeproxy.testing import Site
from tests.support.aws import cloudfront, key_values, refused
from tests.support.origin import Origin

READ = """
import cf from 'cloudfront';
async function handler(event) {
  const kvs = cf.kvs();
  const value = await kvs.exists('k') ? await kvs.get('k') : 'none';
  event.request.headers['x-value'] = {value: value};
  return event.request;
}
"""


@pytest.fixture
def site(serve_cff: Callable[..., Site]) -> Site:
    return serve_cff({"viewer-request": READ}, store="words")


@pytest.fixture
def client(site: Site) -> Any:
    return cloudfront(site.endpoints["cloudfront_api"])


@pytest.fixture
def keys(site: Site) -> Any:
    return key_values(site)


@pytest.fixture
def arn(client: Any) -> str:
    text: str = client.describe_key_value_store(Name="words")["KeyValueStore"]["ARN"]
    return text


def etag(keys: Any, arn: str) -> str:
    text: str = keys.describe_key_value_store(KvsARN=arn)["ETag"]
    return text


def test_the_next_request_sees_an_edit(site: Site, keys: Any, arn: str, origin: Origin) -> None:
    def read() -> str | None:
        site.get(f"/{len(origin.got)}")
        return origin.got[-1].header("x-value")

    assert read() == "none"
    put = keys.put_key(KvsARN=arn, Key="k", Value="one", IfMatch=etag(keys, arn))
    assert read() == "one"
    update = {"Puts": [{"Key": "k", "Value": "two"}, {"Key": "l", "Value": ""}]}
    version = keys.update_keys(KvsARN=arn, IfMatch=put["ETag"], **update)["ETag"]
    assert read() == "two"
    deleted = keys.delete_key(KvsARN=arn, Key="k", IfMatch=version)
    assert (deleted["ItemCount"], deleted["TotalSizeInBytes"]) == (1, 1)
    assert read() == "none"


@pytest.mark.parametrize("key", ["plain", "a/b", "a b.c%", "é:日本", "arn:aws:x", "keys/x"])
def test_keys_of_any_text(keys: Any, arn: str, key: str) -> None:
    keys.put_key(KvsARN=arn, Key=key, Value="ü", IfMatch=etag(keys, arn))
    got = keys.get_key(KvsARN=arn, Key=key)
    assert (got["Key"], got["Value"], got["ItemCount"]) == (key, "ü", 1)
    assert got["TotalSizeInBytes"] == len(key.encode()) + 2
    keys.delete_key(KvsARN=arn, Key=key, IfMatch=etag(keys, arn))
    assert refused(keys.get_key, KvsARN=arn, Key=key) == (404, "ResourceNotFoundException")


def test_a_description_of_the_contents(keys: Any, arn: str) -> None:
    described = keys.describe_key_value_store(KvsARN=arn)
    assert described["KvsARN"] == arn
    assert described["Status"] == "READY"
    assert (described["ItemCount"], described["TotalSizeInBytes"]) == (0, 0)
    assert described["Created"] <= described["LastModified"]


def test_lists_have_pages(site: Site, client: Any, keys: Any, arn: str) -> None:
    puts = [{"Key": f"k{number:02}", "Value": str(number)} for number in range(25)]
    keys.update_keys(KvsARN=arn, IfMatch=etag(keys, arn), Puts=puts)
    pages = list(keys.get_paginator("list_keys").paginate(KvsARN=arn))
    assert [len(page["Items"]) for page in pages] == [10, 10, 5]
    assert [item for page in pages for item in page["Items"]] == puts
    assert len(keys.list_keys(KvsARN=arn, MaxResults=50)["Items"]) == 25
    assert refused(keys.list_keys, KvsARN=arn, MaxResults=51) == (400, "ValidationException")
    for number in ("0", "many", "9" * 5000):
        assert refused(client.list_functions, MaxItems=number) == (400, "InvalidArgument")
        path = f"/key-value-stores/{arn}/keys?MaxResults={number}"
        assert site.get(path, url=site.endpoints["control"]).status == 400
    for token in ("?", "é"):
        assert refused(keys.list_keys, KvsARN=arn, NextToken=token)[0] == 400


def test_a_change_needs_the_current_version_of_the_contents(
    client: Any, keys: Any, arn: str
) -> None:
    old = etag(keys, arn)
    put = {"KvsARN": arn, "Key": "k", "Value": "v"}
    assert keys.put_key(IfMatch=old, **put)["ETag"] != old
    of_the_resource = client.describe_key_value_store(Name="words")["ETag"]
    for wrong in (old, of_the_resource):
        assert refused(keys.put_key, IfMatch=wrong, **put) == (409, "ConflictException")
        delete = {"KvsARN": arn, "Key": "k", "IfMatch": wrong}
        assert refused(keys.delete_key, **delete) == (409, "ConflictException")
        update = {"KvsARN": arn, "IfMatch": wrong, "Deletes": [{"Key": "k"}]}
        assert refused(keys.update_keys, **update) == (409, "ConflictException")
    assert keys.get_key(KvsARN=arn, Key="k")["Value"] == "v"


@pytest.mark.rule("CFF-KVS-09")
@pytest.mark.parametrize(
    ("update", "is_taken"),
    [
        ({"Puts": [{"Key": "k" * 512, "Value": "v" * 1024}]}, True),
        ({"Puts": [{"Key": "k" * 513, "Value": "v"}]}, False),
        ({"Puts": [{"Key": "é" * 257, "Value": "v"}]}, False),
        ({"Puts": [{"Key": "k", "Value": "v" * 1025}]}, False),
        ({"Puts": [{"Key": f"{n}", "Value": "v"} for n in range(50)]}, True),
        ({"Puts": [{"Key": f"{n}", "Value": "v"} for n in range(51)]}, False),
        ({"Puts": [{"Key": "a", "Value": "v"}], "Deletes": [{"Key": "a"}]}, False),
        ({"Puts": []}, False),
    ],
)
def test_limits_of_one_change(keys: Any, arn: str, update: dict[str, Any], is_taken: bool) -> None:
    parameters = {"KvsARN": arn, "IfMatch": etag(keys, arn), **update}
    if is_taken:
        assert keys.update_keys(**parameters)["ItemCount"] == len(update["Puts"])
    else:
        assert refused(keys.update_keys, **parameters) == (400, "ValidationException")


@pytest.mark.rule("CFF-KVS-09")
def test_a_store_has_five_megabytes(site: Site, keys: Any, arn: str) -> None:
    version, pairs = etag(keys, arn), 5 * 1024 * 1024 // (1024 + 5)
    names = [f"{number:05}" for number in range(pairs)]
    for first in range(0, pairs, 50):
        puts = [{"Key": name, "Value": "v" * 1024} for name in names[first : first + 50]]
        version = keys.update_keys(KvsARN=arn, IfMatch=version, Puts=puts)["ETag"]
    put = {"KvsARN": arn, "IfMatch": version, "Value": "v" * 1024}
    assert refused(keys.put_key, Key="more", **put) == (402, "ServiceQuotaExceededException")
    assert keys.put_key(Key=names[0], **put)["ItemCount"] == pairs


def test_an_update_is_all_or_nothing(keys: Any, arn: str) -> None:
    update = {"Puts": [{"Key": "k", "Value": "v"}], "Deletes": [{"Key": "nobody"}]}
    answer = refused(keys.update_keys, KvsARN=arn, IfMatch=etag(keys, arn), **update)
    assert answer == (404, "ResourceNotFoundException")
    assert "Items" not in keys.list_keys(KvsARN=arn) or keys.list_keys(KvsARN=arn)["Items"] == []


def test_a_store_of_ones_own(client: Any, keys: Any) -> None:
    made = client.create_key_value_store(Name="mine", Comment="first")
    store = made["KeyValueStore"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert store["ARN"] == f"arn:aws:cloudfront::123456789012:key-value-store/{store['Id']}"
    assert made["Location"].endswith(f"/key-value-store/{store['Id']}")
    assert client.describe_key_value_store(Name="mine")["KeyValueStore"] == store
    listed = client.list_key_value_stores(Status="READY")["KeyValueStoreList"]
    assert [each["Name"] for each in listed["Items"]] == ["words", "mine"]
    keys.put_key(KvsARN=store["ARN"], Key="k", Value="v", IfMatch=etag(keys, store["ARN"]))
    changed = client.update_key_value_store(Name="mine", Comment="second", IfMatch=made["ETag"])
    assert changed["KeyValueStore"]["Comment"] == "second"
    assert keys.get_key(KvsARN=store["ARN"], Key="k")["Value"] == "v"
    stale = {"Name": "mine", "IfMatch": made["ETag"]}
    answer = refused(client.update_key_value_store, Comment="third", **stale)
    assert answer == (412, "PreconditionFailed")
    assert refused(client.delete_key_value_store, **stale) == (412, "PreconditionFailed")
    client.delete_key_value_store(Name="mine", IfMatch=changed["ETag"])
    assert refused(client.describe_key_value_store, Name="mine") == (404, "EntityNotFound")
    gone = refused(keys.list_keys, KvsARN=store["ARN"])
    assert gone == (404, "ResourceNotFoundException")


def test_stores_that_are_refused(client: Any) -> None:
    create = client.create_key_value_store
    assert refused(create, Name="words") == (409, "EntityAlreadyExists")
    assert refused(create, Name="with.dot") == (400, "InvalidArgument")
    assert refused(create, Name="long", Comment="x" * 129) == (400, "InvalidArgument")
    source = {"SourceType": "S3", "SourceARN": "arn:aws:s3:::bucket/words.json"}
    assert refused(create, Name="s3", ImportSource=source) == (400, "InvalidArgument")
    for number in range(49):
        create(Name=f"store-{number}")
    assert refused(create, Name="one-more") == (400, "EntityLimitExceeded")
