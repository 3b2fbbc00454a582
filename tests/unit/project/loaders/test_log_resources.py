"""What definitions say of logs, and what AWS would refuse in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.logs import (
    DEFAULT_DELIVERY_FIELDS,
    LogDelivery,
    LogFormat,
    RealtimeLogConfig,
    StandardLogging,
)
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, load
from tests.unit.project.drafts import load_resources, only_distribution, site

ENDPOINT = {"StreamType": "Kinesis", "KinesisStreamConfig": {"RoleArn": "r", "StreamArn": "s"}}
ATTACHED = {"RealtimeLogConfigArn": {"Ref": "Config"}}


def realtime(**changes: Any) -> dict[str, Any]:
    properties = {
        "Name": "Sample",
        "SamplingRate": 5,
        "Fields": ["sc-status", "timestamp"],
        "EndPoints": [ENDPOINT],
        **changes,
    }
    return {"Config": {"Type": "AWS::CloudFront::RealtimeLogConfig", "Properties": properties}}


def deliveries(destination: dict[str, Any], **delivery: Any) -> dict[str, Any]:
    source = {
        "Name": "source",
        "LogType": delivery.pop("LogType", "ACCESS_LOGS"),
        "ResourceArn": {"Fn::Sub": "arn:aws:cloudfront::123456789012:distribution/${Site}"},
    }
    arn = {"Fn::GetAtt": ["There", "Arn"]}
    return {
        "Source": {"Type": "AWS::Logs::DeliverySource", "Properties": source},
        "There": {
            "Type": "AWS::Logs::DeliveryDestination",
            "Properties": {"Name": "there", **destination},
        },
        "Delivery": {
            "Type": "AWS::Logs::Delivery",
            "Properties": {
                "DeliverySourceName": "source",
                "DeliveryDestinationArn": arn,
                **delivery,
            },
        },
    }


def rules(loaded: Loaded) -> set[tuple[str, str]]:
    return {(finding.rule, finding.place.path) for finding in loaded.findings}


@pytest.mark.rule("CDN-CFG-029")
@pytest.mark.parametrize(
    ("bucket", "name"),
    [
        ("logs.s3.amazonaws.com", "logs"),
        ("my.logs.s3.eu-west-1.amazonaws.com", "my.logs"),
        ("logs", "logs"),
    ],
)
def test_logging(tmp_path: Path, bucket: str, name: str) -> None:
    logging = {"Bucket": bucket, "Prefix": "p/", "IncludeCookies": "true"}
    loaded = load_resources(tmp_path, {"Site": site(config={"Logging": logging})})
    assert only_distribution(loaded).logging == StandardLogging(name, "p/", True)


@pytest.mark.rule("CDN-CFG-029")
@pytest.mark.parametrize("enabled", [True, False])
def test_logging_of_the_api(tmp_path: Path, enabled: bool) -> None:
    config = site()["Properties"]["DistributionConfig"]
    config["Logging"] = {
        "Enabled": enabled, "IncludeCookies": True, "Bucket": "b.s3.amazonaws.com", "Prefix": "",
    }  # fmt: skip
    config["CallerReference"] = "1"
    config["DefaultCacheBehavior"]["RealtimeLogConfigArn"] = "arn:of:another"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    distribution = only_distribution(load(file))
    assert distribution.logging == StandardLogging("b" if enabled else "", "", True)
    assert distribution.default_behavior.realtime_log is None


@pytest.mark.rule("CDN-CFG-221")
def test_a_real_time_log_configuration(tmp_path: Path) -> None:
    resources = {"Site": site(behavior=ATTACHED), **realtime()}
    loaded = load_resources(tmp_path, resources)
    config = only_distribution(loaded).default_behavior.realtime_log
    assert config == RealtimeLogConfig("Sample", 5, ("timestamp", "sc-status"))
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-221")
@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"SamplingRate": 0}, ".SamplingRate"),
        ({"SamplingRate": 101}, ".SamplingRate"),
        ({"Fields": ["timestamp", "cs(Cookie)"]}, ".Fields"),
        ({"Fields": []}, ""),
        ({"EndPoints": []}, ""),
    ],
)
def test_a_configuration_that_is_refused(
    tmp_path: Path, changes: dict[str, Any], place: str
) -> None:
    loaded = load_resources(tmp_path, {"Site": site(behavior=ATTACHED), **realtime(**changes)})
    assert rules(loaded) == {("CDN-CFG-221", f"Resources.Config.Properties{place}")}


@pytest.mark.rule("CDN-CFG-221")
@pytest.mark.parametrize("rate", ["5.5", "much"])
def test_a_rate_that_is_no_whole_number(tmp_path: Path, rate: str) -> None:
    with pytest.raises(DefinitionError, match="expected a whole number"):
        load_resources(tmp_path, {"Site": site(), **realtime(SamplingRate=rate)})


@pytest.mark.rule("CDN-LOG-05", "CDN-LOG-06")
@pytest.mark.parametrize(
    ("destination", "delivery", "expected"),
    [
        (
            {"DestinationResourceArn": "arn:aws:s3:::bucket/in"},
            {},
            LogDelivery("bucket", LogFormat.W3C, path="in/"),
        ),
        (
            {"DestinationResourceArn": "arn:aws:s3:::bucket/in", "OutputFormat": "parquet"},
            {"RecordFields": ["date", "asn"], "S3SuffixPath": "{yyyy}"},
            LogDelivery("bucket", LogFormat.PARQUET, ("date", "asn"), path="in/{yyyy}"),
        ),
        (
            {"DestinationResourceArn": "arn:aws:logs:us-east-1:1:log-group:/cf:*"},
            {"FieldDelimiter": ","},
            LogDelivery("/cf", LogFormat.JSON, delimiter=","),
        ),
    ],
)
def test_deliveries(
    tmp_path: Path, destination: dict[str, Any], delivery: dict[str, Any], expected: LogDelivery
) -> None:
    resources = {"Site": site(), **deliveries(destination, **delivery)}
    loaded = load_resources(tmp_path, resources)
    (found,) = only_distribution(loaded).log_deliveries
    assert found.account == "123456789012"
    assert (found.resource, found.format, found.path) == (
        expected.resource, expected.format, expected.path,
    )  # fmt: skip
    assert (found.fields, found.delimiter) == (expected.fields, expected.delimiter)
    assert loaded.findings == ()


def test_all_of_a_delivery_is_understood(tmp_path: Path) -> None:
    there = {"DestinationResourceArn": "arn:aws:s3:::logs", "OutputFormat": "json"}
    loaded = load_resources(tmp_path, {"Site": site(), **deliveries(there)})
    assert "does not know" not in str(loaded.project.report.lines)


@pytest.mark.rule("CDN-LOG-05")
def test_a_delivery_that_is_refused(tmp_path: Path) -> None:
    destination = {"DestinationResourceArn": "arn:aws:s3:::bucket"}
    resources = deliveries(destination, RecordFields=["cs-host"], LogType="OTHER")
    loaded = load_resources(tmp_path, {"Site": site(), **resources})
    assert rules(loaded) == {
        ("CDN-LOG-05", "Resources.Delivery.Properties.RecordFields"),
        ("CDN-LOG-05", "Resources.Source.Properties.LogType"),
    }
    (delivery,) = only_distribution(loaded).log_deliveries
    assert delivery.fields == DEFAULT_DELIVERY_FIELDS


@pytest.mark.rule("CDN-LOG-05")
def test_an_output_format_that_aws_does_not_know(tmp_path: Path) -> None:
    destination = {"DestinationResourceArn": "arn:aws:s3:::bucket", "OutputFormat": "csv"}
    with pytest.raises(DefinitionError, match="'csv' is not a value that AWS knows"):
        load_resources(tmp_path, {"Site": site(), **deliveries(destination)})


def test_a_delivery_of_something_else(tmp_path: Path) -> None:
    resources = deliveries({"DestinationResourceArn": "arn:aws:s3:::bucket"})
    resources["Source"]["Properties"]["ResourceArn"] = "arn:aws:bedrock:us-east-1:1:thing/a"
    resources["Source"]["Properties"]["LogType"] = "APPLICATION_LOGS"
    loaded = load_resources(tmp_path, {"Site": site(), **resources})
    assert only_distribution(loaded).log_deliveries == ()
    notes = [line.why for line in loaded.project.report.lines if "Delivery" in line.place.path]
    assert "it delivers no log of a distribution that is declared here" in notes
    assert loaded.findings == ()
