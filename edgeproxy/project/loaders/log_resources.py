"""Reads which logs distributions keep: ``Logging``, deliveries of standard logging version 2, and
real-time log configurations."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from edgeproxy.distribution.logs import (
    DEFAULT_DELIVERY_FIELDS,
    DELIVERY_FIELDS,
    REALTIME_FIELDS,
    LogDelivery,
    LogFormat,
    RealtimeLogConfig,
    StandardLogging,
)
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import Place
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.report import CheckFinding

__all__ = [
    "LOG_DELIVERIES",
    "read_log_deliveries",
    "read_logging",
    "read_realtime_log",
    "read_realtime_log_configs",
]

_LOGS: Final = "AWS::Logs::"
LOG_DELIVERIES: Final = tuple(
    f"{_LOGS}{kind}" for kind in ("Delivery", "DeliveryDestination", "DeliverySource")
)
_LOCALLY: Final = "written to the folder of --standard-logs, when it is given"
_BUCKET_HOST: Final = re.compile(r"\.s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?$")
_GROUP: Final = re.compile(r":log-group:([^:]+)")
_VARIABLES: Final = {
    "{yyyy}": "year",
    "{MM}": "month",
    "{dd}": "day",
    "{HH}": "hour",
    "{DistributionId}": "DistributionId",
    "{distributionid}": "distributionid",
    "{accountid}": "accountid",
    "{account-id}": "aws-account-id",
}
"""Of a suffix path: what its value is called in a path for Hive."""


def read_logging(config: Section) -> StandardLogging:
    """``Logging`` in either form: CloudFormation's has no ``Enabled`` (CDN-CFG-029)."""
    logging = config.section("Logging")
    if logging is None:
        return StandardLogging()
    bucket = _BUCKET_HOST.sub("", logging.text("Bucket", ""))
    prefix = logging.text("Prefix", "")
    include_cookies = logging.boolean("IncludeCookies", False)
    enabled = logging.boolean("Enabled", True)
    logging.finish()
    if bucket and enabled:
        config.approximate("Logging", _LOCALLY)
        return StandardLogging(bucket, prefix, include_cookies)
    return StandardLogging(include_cookies=include_cookies)


# real-time logs


def read_realtime_log_configs(template: Template, catalogue: Catalogue) -> None:
    """Fill ``catalogue`` from one template."""
    for resource in template.resources("AWS::CloudFront::RealtimeLogConfig"):
        arn = template.attribute(resource.logical_id, "Arn", resource.place)
        catalogue.realtime_logs[str(arn)] = _realtime_log_config(resource.properties)


def _realtime_log_config(properties: Section) -> RealtimeLogConfig:
    config = RealtimeLogConfig(
        properties.text("Name"), properties.integer("SamplingRate"), properties.texts("Fields")
    )
    properties.found(_check_realtime(config, properties))
    properties.ignore("no stream gets them: see --realtime-logs", "EndPoints")
    properties.finish()
    known = tuple(name for name in REALTIME_FIELDS if name in config.fields)
    return replace(config, fields=known)


def _check_realtime(config: RealtimeLogConfig, properties: Section) -> Iterator[CheckFinding]:
    """CDN-CFG-221."""
    if not 1 <= config.sampling_rate <= 100:
        yield CheckFinding(
            "CDN-CFG-221",
            properties.place("SamplingRate"),
            f"InvalidArgument: SamplingRate is {config.sampling_rate}; the range is 1 to 100.",
            "give the percentage of requests as a whole number",
        )
    yield from _unknown(config.fields, REALTIME_FIELDS, "CDN-CFG-221", properties.place("Fields"))
    if not (config.fields and properties.sections("EndPoints")):
        yield CheckFinding(
            "CDN-CFG-221",
            properties.place(),
            "InvalidArgument: Fields and EndPoints need at least one entry each.",
            "name the fields, and the Kinesis data stream",
        )


def read_realtime_log(section: Section, catalogue: Catalogue) -> RealtimeLogConfig | None:
    """What ``RealtimeLogConfigArn`` of a behavior refers to."""
    arn = section.text("RealtimeLogConfigArn", "")
    if arn and arn not in catalogue.realtime_logs:
        section.ignore("the configuration is not declared here", "RealtimeLogConfigArn")
    return catalogue.realtime_logs.get(arn)


# standard logging, version 2


def read_log_deliveries(
    templates: Iterable[Template], distributions: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    """``distributions`` with the deliveries that ``templates`` declare for them."""
    sources: dict[str, str] = {}
    destinations: dict[str, Section] = {}
    resources: list[Resource] = []
    for template in templates:
        for each in template.resources(f"{_LOGS}DeliverySource"):
            name = each.properties.text("Name")
            sources[name] = _source(each.properties)
        for each in template.resources(f"{_LOGS}DeliveryDestination"):
            arn = template.attribute(each.logical_id, "Arn", each.place)
            destinations[str(arn)] = each.properties
        resources += template.resources(f"{_LOGS}Delivery")
    found = dict(distributions)
    for resource in resources:
        properties = resource.properties
        name, arn = properties.text("DeliverySourceName"), properties.text("DeliveryDestinationArn")
        # Other services deliver logs in the same way.
        source, destination = sources.get(name, ""), destinations.get(arn)
        distribution_id = source.rpartition(":distribution/")[2]
        for logical_id, distribution in found.items():
            if distribution.id == distribution_id and destination is not None:
                delivery = _delivery(properties, destination, source.split(":")[4])
                deliveries = (*distribution.log_deliveries, delivery)
                found[logical_id] = replace(distribution, log_deliveries=deliveries)
                break
        else:
            properties.source.notes.ignored(
                properties.place(), "it delivers no log of a distribution that is declared here"
            )
    return found


def _source(properties: Section) -> str:
    """The ARN of whose logs they are."""
    properties.ignore(NOT_TRAFFIC, "Tags")
    arn = properties.text("ResourceArn", "")
    kind = properties.text("LogType", "")
    if ":distribution/" in arn and kind != "ACCESS_LOGS":
        properties.found(
            [
                CheckFinding(
                    "CDN-LOG-05",
                    properties.place("LogType"),
                    f"ValidationException: the log type of a distribution is not {kind!r}.",
                    "set LogType to ACCESS_LOGS",
                )
            ]
        )
    properties.finish()
    return arn


def _delivery(properties: Section, destination: Section, account: str) -> LogDelivery:
    resource_arn = destination.text("DestinationResourceArn")
    resource, prefix = _resource(resource_arn)
    in_bucket = resource_arn.split(":")[2] == "s3"
    # AWS does not say what it takes when nobody says; its examples show these.
    default = LogFormat.W3C if in_bucket else LogFormat.JSON
    output_format = LogFormat(destination.choice("OutputFormat", list(LogFormat), default))
    destination.ignore(NOT_TRAFFIC, "Tags", "DeliveryDestinationPolicy", "Name")
    destination.text("DeliveryDestinationType", "")
    destination.approximate("DestinationResourceArn", _LOCALLY)
    destination.finish()
    fields = properties.texts("RecordFields")
    place = properties.place("RecordFields")
    properties.found(_unknown(fields, DELIVERY_FIELDS, "CDN-LOG-05", place))
    delivery = LogDelivery(
        resource,
        output_format,
        tuple(name for name in fields if name in DELIVERY_FIELDS) or DEFAULT_DELIVERY_FIELDS,
        properties.text("FieldDelimiter", "") or "\t",
        _path(properties, prefix) if in_bucket else "",
        account,
    )
    properties.ignore(NOT_TRAFFIC, "Tags")
    properties.finish()
    return delivery


def _resource(arn: str) -> tuple[str, str]:
    """The name of a bucket, log group or stream, and the prefix that the ARN of a bucket has."""
    if group := _GROUP.search(arn):
        return group[1], ""
    name = arn.split(":", 5)[-1]
    if ":s3:" not in arn:
        return name.rpartition("/")[2], ""
    bucket, _, prefix = name.partition("/")
    return bucket, prefix


def _path(properties: Section, prefix: str) -> str:
    """The folder in the bucket, with variables in it."""
    suffix = properties.text("S3SuffixPath", "")
    hive = properties.boolean("S3EnableHiveCompatiblePath", False)
    if not prefix and "{account-id}" not in suffix:
        suffix = f"AWSLogs/{{account-id}}/CloudFront/{suffix}"
    for variable, name in _VARIABLES.items() if hive else ():
        suffix = re.sub(f"(?<!=){re.escape(variable)}", f"{name}={variable}", suffix)
    return f"{prefix}/{suffix}"


def _unknown(
    fields: Iterable[str], known: Iterable[str], rule: str, place: Place
) -> Iterator[CheckFinding]:
    for name in fields:
        if name not in known:
            yield CheckFinding(
                rule,
                place,
                f"InvalidArgument: there is no field {name}.",
                "remove it, or spell it as AWS's guide does",
            )
