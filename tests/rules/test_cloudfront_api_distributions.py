"""Distributions and invalidations over the API."""

import http.client
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.project.loaders import LoadOptions, load
from edgeproxy.testing import Site
from tests.support.aws import UNSIGNED, cloudfront, refused
from tests.support.origin import Answer, Origin

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


@pytest.fixture
def site(deliver: Callable[..., Site], origin: Origin) -> Site:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"})
    return deliver(DefaultRootObject="index.html")


@pytest.fixture
def client(site: Site) -> Any:
    return cloudfront(site.endpoints["cloudfront_api"])


@pytest.fixture
def distribution_id(site: Site) -> str:
    (distribution,) = site.endpoints["distributions"].values()
    text: str = distribution["id"]
    return text


def batch(*paths: str, reference: str = "one") -> dict[str, Any]:
    return {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}


def test_a_distribution_as_it_is_deployed(site: Site, client: Any, distribution_id: str) -> None:
    answer = client.get_distribution(Id=distribution_id)
    distribution = answer["Distribution"]
    (declared,) = site.endpoints["distributions"].values()
    assert distribution["DomainName"] == declared["domain_name"]
    assert distribution["Status"] == "Deployed"
    arn = f"arn:aws:cloudfront::123456789012:distribution/{distribution_id}"
    assert distribution["ARN"] == arn
    config = client.get_distribution_config(Id=distribution_id)
    assert config["DistributionConfig"] == distribution["DistributionConfig"]
    assert config["ETag"] == answer["ETag"]
    listed = client.list_distributions()["DistributionList"]
    (summary,) = listed["Items"]
    assert (listed["Quantity"], listed["IsTruncated"]) == (1, False)
    assert summary["ETag"] == answer["ETag"]
    assert summary["DefaultCacheBehavior"] == config["DistributionConfig"]["DefaultCacheBehavior"]
    assert refused(client.get_distribution, Id="EUNKNOWN") == (404, "NoSuchDistribution")


def test_every_part_of_a_configuration_and_its_way_back(
    deliver: Callable[..., Site], tmp_path: Path
) -> None:
    legacy = {
        "PathPattern": "/old/*",
        "TargetOriginId": "both",
        "ViewerProtocolPolicy": "https-only",
        "ForwardedValues": {
            "QueryString": True,
            "QueryStringCacheKeys": ["a"],
            "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["c"]},
            "Headers": ["Accept"],
        },
        "MinTTL": 1,
        "DefaultTTL": 2,
        "MaxTTL": 3,
    }
    files = {
        "Id": "files",
        "DomainName": "bucket.s3.us-east-1.amazonaws.com",
        "OriginPath": "/www",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
        "OriginCustomHeaders": [{"HeaderName": "X-A", "HeaderValue": "1"}],
        "OriginShield": {"Enabled": True, "OriginShieldRegion": "us-east-1"},
    }
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {
            "OriginProtocolPolicy": "https-only",
            "OriginSSLProtocols": ["TLSv1.2"],
        },
    }
    group = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [503, 500]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "files"}, {"OriginId": "web"}]},
    }
    site = deliver(
        at={"files": "http://127.0.0.1:9"},
        CacheBehaviors=[legacy],
        Origins=[files, web],
        OriginGroups={"Quantity": 1, "Items": [group]},
        Aliases=["www.example.com"],
        CustomErrorResponses=[
            {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/e.html"},
            {"ErrorCode": 500, "ErrorCachingMinTTL": 7},
        ],
        Restrictions={
            "GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["DE", "AT"]}
        },
        HttpVersion="http2and3",
    )
    client = cloudfront(site.endpoints["cloudfront_api"])
    (declared,) = site.endpoints["distributions"].values()
    config = client.get_distribution_config(Id=declared["id"])["DistributionConfig"]
    assert config["Aliases"] == {"Quantity": 1, "Items": ["www.example.com"]}
    assert config["HttpVersion"] == "http2and3"
    assert config["Restrictions"]["GeoRestriction"]["Items"] == ["AT", "DE"]
    first, second = config["Origins"]["Items"]
    assert first["OriginPath"] == "/www"
    assert first["CustomHeaders"]["Items"] == [{"HeaderName": "X-A", "HeaderValue": "1"}]
    assert first["OriginShield"] == files["OriginShield"]
    assert first["S3OriginConfig"]["OriginAccessIdentity"] == ""
    assert second["CustomOriginConfig"]["OriginSslProtocols"]["Items"] == ["TLSv1.2"]
    (failover,) = config["OriginGroups"]["Items"]
    assert failover["FailoverCriteria"]["StatusCodes"]["Items"] == [500, 503]
    assert [each["OriginId"] for each in failover["Members"]["Items"]] == ["files", "web"]
    (behavior,) = config["CacheBehaviors"]["Items"]
    assert behavior["PathPattern"] == "/old/*"
    assert behavior["ForwardedValues"] == {
        "QueryString": True,
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": {"Quantity": 1, "Items": ["c"]}},
        "Headers": {"Quantity": 1, "Items": ["Accept"]},
        "QueryStringCacheKeys": {"Quantity": 1, "Items": ["a"]},
    }
    assert [behavior[f"{name}TTL"] for name in ("Min", "Default", "Max")] == [1, 2, 3]
    assert config["CustomErrorResponses"]["Items"] == [
        {
            "ErrorCode": 404,
            "ResponsePagePath": "/e.html",
            "ResponseCode": "200",
            "ErrorCachingMinTTL": 10,
        },
        {"ErrorCode": 500, "ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": 7},
    ]
    file = tmp_path / "distribution.json"
    file.write_text(json.dumps(config))
    (again,) = load(str(file), LoadOptions(state_dir=tmp_path)).project.distributions.values()
    (served,) = site.running.program.project.distributions.values()
    same = {name: getattr(served, name) for name in ("logical_id", "id", "domain_name", "source")}
    assert replace(again, **same) == served


@pytest.mark.rule("CDN-INV-11", "CDN-INV-14", "CDN-INV-15")
def test_an_invalidation_is_carried_out(site: Site, client: Any, distribution_id: str) -> None:
    for path in ("/a", "/b", "/", "/"):
        site.get(path)
    assert site.get("/a").x_cache == "Hit from cloudfront"
    made = client.create_invalidation(
        DistributionId=distribution_id, InvalidationBatch=batch("/a", "/index.html")
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    invalidation = made["Invalidation"]
    assert made["Location"].endswith(f"/{distribution_id}/invalidation/{invalidation['Id']}")
    assert invalidation["Status"] == "InProgress"
    assert invalidation["InvalidationBatch"] == batch("/a", "/index.html")
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert site.get("/").x_cache == "Miss from cloudfront"
    assert site.get("/b").x_cache == "Hit from cloudfront"
    named = {"DistributionId": distribution_id, "Id": invalidation["Id"]}
    got = client.get_invalidation(**named)["Invalidation"]
    assert got == invalidation | {"Status": "Completed"}
    client.get_waiter("invalidation_completed").wait(**named)
    unknown = {"DistributionId": distribution_id, "Id": "INONE"}
    assert refused(client.get_invalidation, **unknown) == (404, "NoSuchInvalidation")


@pytest.mark.rule("CDN-INV-13")
def test_a_caller_reference_stands_for_one_invalidation(
    site: Site, client: Any, distribution_id: str
) -> None:
    create = client.create_invalidation
    first = create(DistributionId=distribution_id, InvalidationBatch=batch("/a", "/b"))
    site.get("/a")
    again = create(DistributionId=distribution_id, InvalidationBatch=batch("/b", "/a"))
    assert again["Invalidation"]["Id"] == first["Invalidation"]["Id"]
    assert site.get("/a").x_cache == "Hit from cloudfront"
    other = {"DistributionId": distribution_id, "InvalidationBatch": batch("/c")}
    assert refused(create, **other) == (400, "InvalidationBatchAlreadyExists")


def test_invalidations_are_listed_newest_first(client: Any, distribution_id: str) -> None:
    made = [
        client.create_invalidation(
            DistributionId=distribution_id, InvalidationBatch=batch("/a", reference=str(number))
        )["Invalidation"]["Id"]
        for number in range(5)
    ]
    pages = client.get_paginator("list_invalidations").paginate(
        DistributionId=distribution_id, PaginationConfig={"PageSize": 2}
    )
    found = [each["Id"] for page in pages for each in page["InvalidationList"]["Items"]]
    assert found == made[::-1]


@pytest.mark.rule("CDN-INV-01", "CDN-INV-08", "CDN-INV-09", "CDN-INV-12", "CDN-QUO-12")
@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a"], (400, "InvalidArgument")),
        (["/é"], (400, "InvalidArgument")),
        (["/a b"], (400, "InvalidArgument")),
        (["/" + "x" * 4_000], (400, "InvalidArgument")),
        ([], (400, "InvalidArgument")),
        ([f"/{number}/*" for number in range(16)], (400, "TooManyInvalidationsInProgress")),
        ([f"/{number}" for number in range(3_001)], (413, "BatchTooLarge")),
    ],
)
def test_batches_that_are_refused(
    client: Any, distribution_id: str, paths: list[str], expected: tuple[int, str]
) -> None:
    named = {"DistributionId": distribution_id, "InvalidationBatch": batch(*paths)}
    assert refused(client.create_invalidation, **named) == expected
    assert client.list_invalidations(DistributionId=distribution_id)["InvalidationList"][
        "Quantity"
    ] == 0  # fmt: skip


@pytest.mark.rule("CDN-INV-08", "CDN-INV-09", "CDN-INV-12", "CDN-QUO-12")
def test_a_batch_at_the_limits(client: Any, distribution_id: str) -> None:
    longest = "/" + "x" * 3_999
    paths = [f"/{number}" for number in range(2_983)] + [f"/{n}/*" for n in range(15)]
    named = {"DistributionId": distribution_id, "InvalidationBatch": batch(longest, "/%C3", *paths)}
    assert client.create_invalidation(**named)["Invalidation"]["Id"]


def test_a_quantity_must_be_that_of_the_items(client: Any, distribution_id: str) -> None:
    wrong = {"Paths": {"Quantity": 2, "Items": ["/a"]}, "CallerReference": "one"}
    named = {"DistributionId": distribution_id, "InvalidationBatch": wrong}
    assert refused(client.create_invalidation, **named) == (400, "InconsistentQuantities")


def test_requests_need_no_signature(site: Site) -> None:
    client = cloudfront(site.endpoints["cloudfront_api"], signature_version=UNSIGNED)
    assert client.list_distributions()["DistributionList"]["Quantity"] == 1


def test_an_operation_that_is_not_there_is_named(site: Site, client: Any) -> None:
    assert refused(client.list_cache_policies) == (400, "UnsupportedOperation")
    control = urlsplit(site.endpoints["cloudfront_api"])
    for method, path in (("PATCH", "/2020-05-31/function"), ("GET", "/2020-05-31/")):
        connection = http.client.HTTPConnection(control.hostname or "", control.port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.getheader("Content-Type") == "text/xml"
        assert "<Code>UnsupportedOperation</Code>" in text
        assert f"{method} {path}" in text


def test_a_document_type_is_refused_before_anything_is_expanded(
    site: Site, distribution_id: str
) -> None:
    body = (
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        "<InvalidationBatch><CallerReference>&b;</CallerReference></InvalidationBatch>"
    )
    path = f"/2020-05-31/distribution/{distribution_id}/invalidation"
    for text in (body, "<InvalidationBatch>", "<Other/>"):
        answer = site.post(path, text.encode(), url=site.endpoints["cloudfront_api"])
        assert answer.status == 400
        assert "<Code>MalformedInput</Code>" in answer.text
    answer = site.post(path, b"", url=site.endpoints["cloudfront_api"])
    assert "<Code>MissingBody</Code>" in answer.text
