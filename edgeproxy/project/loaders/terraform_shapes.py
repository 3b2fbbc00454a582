"""Where Terraform's resources are cut otherwise than CloudFormation's.

Each function takes what :class:`Blocks` made of a resource and gives its properties.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.terraform_document import Declared, as_items, as_table
from edgeproxy.project.loaders.terraform_links import items_of, slug, table_of
from edgeproxy.project.loaders.yaml_source import Items, Table, Value, parse_json

__all__ = ["SHAPES", "moved"]

_CONDITIONS: Final = {
    "HostHeader": "host-header",
    "HttpHeader": "http-header",
    "HttpRequestMethod": "http-request-method",
    "PathPattern": "path-pattern",
    "QueryString": "query-string",
    "SourceIp": "source-ip",
}


def moved(table: Table, names: Iterable[str], *, within: str = "") -> Table:
    """Take ``names`` out of ``table``, into a mapping of their own with the same places."""
    made = Table(table.line)
    made.path = within
    for name in names:
        if name in table:
            made.put(name, table.pop(name), table.lines.get(name))
            made.words[name] = table.words.get(name, name)
    return made


def put_own(table: Table, name: str, value: Value) -> None:
    """Add a property that has no word of its own in the source."""
    table.put(name, value, table.line)
    table.words[name] = ""


def _function(resource: Declared, table: Table) -> Table:
    """``code`` is the text; where it came from, the plan does not say (CDN-CFG-339)."""
    config = moved(table, ("Runtime", "Comment", "KeyValueStoreAssociations"))
    stores = config.get("KeyValueStoreAssociations")
    if isinstance(stores, Items):
        config["KeyValueStoreAssociations"] = items_of(
            [table_of(KeyValueStoreARN=each) for each in stores], stores.line
        )
    if "Comment" not in config:  # Terraform gives an empty one.
        put_own(config, "Comment", "")
    put_own(table, "FunctionConfig", config)
    return table


def _lambda(resource: Declared, table: Table) -> Table:
    table.pop("Publish", None)
    code = moved(table, ("S3Bucket", "S3Key", "S3ObjectVersion"))
    if code:
        put_own(table, "Code", code)
    elif table.get("PackageType") == "Image" and "ImageUri" in table:
        put_own(table, "Code", moved(table, ("ImageUri",)))
    return table


def _layer(resource: Declared, table: Table) -> Table:
    content = moved(table, ("S3Bucket", "S3Key", "S3ObjectVersion"))
    if content:
        put_own(table, "Content", content)
    return table


def _role(resource: Declared, table: Table) -> Table:
    """The policy is JSON in a text."""
    text = table.get("AssumeRolePolicyDocument")
    if isinstance(text, str):
        try:
            table["AssumeRolePolicyDocument"] = parse_json(text)
        except DefinitionError:
            del table["AssumeRolePolicyDocument"]
    return table


def _named(resource: Declared, table: Table) -> Table:
    """A load balancer or target group whose name AWS or Terraform makes up."""
    if "Name" not in table:
        put_own(table, "Name", slug(resource.address))
    return table


def _bucket(resource: Declared, table: Table) -> Table:
    if "BucketName" not in table:
        put_own(table, "BucketName", slug(resource.address))
    return table


def _target_group(resource: Declared, table: Table) -> Table:
    multi_value = table.pop("LambdaMultiValueHeadersEnabled", None)
    if multi_value is not None:
        attribute = table_of(Key="lambda.multi_value_headers.enabled", Value=multi_value)
        table.put("TargetGroupAttributes", items_of([attribute]), table.line)
        table.words["TargetGroupAttributes"] = "lambda_multi_value_headers_enabled"
    return _named(resource, table)


def _rule(resource: Declared, table: Table) -> Table:
    """A block for each condition, each of which may have several fields."""
    conditions = Items(table.line)
    for block in map(as_table, as_items(table.get("Conditions"))):
        for name, field in _CONDITIONS.items():
            if name not in block:
                continue
            values: Value = block[name]
            if isinstance(values, Items):
                pairs = Table(block.line)
                pairs.put("Values", values, block.line)
                values = pairs
            condition = Table(block.line)
            condition.put("Field", field, None)
            condition.put(f"{name}Config", values, block.lines.get(name))
            condition.words[f"{name}Config"] = block.words.get(name, "")
            conditions.put(condition, block.line)
    if "Conditions" in table:
        table["Conditions"] = conditions
    return table


SHAPES: Final[Mapping[str, Callable[[Declared, Table], Table]]] = {
    "aws_cloudfront_function": _function,
    "aws_lambda_function": _lambda,
    "aws_lambda_layer_version": _layer,
    "aws_iam_role": _role,
    "aws_lb": _named,
    "aws_alb": _named,
    "aws_lb_target_group": _target_group,
    "aws_alb_target_group": _target_group,
    "aws_lb_listener_rule": _rule,
    "aws_alb_listener_rule": _rule,
    "aws_s3_bucket": _bucket,
}
