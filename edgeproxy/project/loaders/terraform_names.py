"""Terraform's words for CloudFormation's: types of resources, attributes, blocks and links.

A name that is not here is CloudFormation's in snake case: ``path_pattern`` is ``PathPattern``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "COMPUTED",
    "HOSTS",
    "KINDS",
    "LINKS",
    "MANY",
    "NOT_SET",
    "NOT_TRANSLATED",
    "ONLY_CANDIDATES",
    "OWN",
    "READ_WITH_OTHERS",
    "Kind",
    "property_of",
]

_CF: Final = "AWS::CloudFront::"
_ELB: Final = "AWS::ElasticLoadBalancingV2::"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of CloudFormation, and the property that holds all its settings, if there is one."""

    type: str
    within: str = ""
    only: frozenset[str] = frozenset()
    """The attributes that are read; empty for all of them."""


def _config(name: str) -> Kind:
    return Kind(f"{_CF}{name}", f"{name}Config")


def _kind(name: str, only: str = "") -> Kind:
    return Kind(name, only=frozenset(only.split()))


_LOAD_BALANCER: Final = _kind(f"{_ELB}LoadBalancer", "name load_balancer_type")
_LISTENER: Final = _kind(
    f"{_ELB}Listener", "load_balancer_arn port protocol ssl_policy certificate_arn default_action"
)
_RULE: Final = _kind(f"{_ELB}ListenerRule", "listener_arn priority action condition")
_TARGET_GROUP: Final = _kind(
    f"{_ELB}TargetGroup", "name port protocol target_type lambda_multi_value_headers_enabled"
)
_LAMBDA: Final = _kind(
    "AWS::Lambda::Function",
    "function_name handler runtime timeout memory_size environment role layers architectures "
    "vpc_config dead_letter_config tracing_config ephemeral_storage package_type filename "
    "image_uri s3_bucket s3_key s3_object_version reserved_concurrent_executions kms_key_arn "
    "publish logging_config description snap_start file_system_config image_config",
)

KINDS: Final[Mapping[str, Kind]] = {
    "aws_cloudfront_distribution": _config("Distribution"),
    "aws_cloudfront_cache_policy": _config("CachePolicy"),
    "aws_cloudfront_origin_request_policy": _config("OriginRequestPolicy"),
    "aws_cloudfront_response_headers_policy": _config("ResponseHeadersPolicy"),
    "aws_cloudfront_public_key": _config("PublicKey"),
    "aws_cloudfront_key_group": _config("KeyGroup"),
    "aws_cloudfront_origin_access_control": _config("OriginAccessControl"),
    "aws_cloudfront_origin_access_identity": _config("CloudFrontOriginAccessIdentity"),
    "aws_cloudfront_continuous_deployment_policy": _config("ContinuousDeploymentPolicy"),
    "aws_cloudfront_realtime_log_config": Kind(f"{_CF}RealtimeLogConfig"),
    "aws_cloudfront_key_value_store": Kind(f"{_CF}KeyValueStore"),
    "aws_cloudfront_function": Kind(f"{_CF}Function"),
    "aws_lambda_function": _LAMBDA,
    "aws_lambda_alias": Kind("AWS::Lambda::Alias"),
    "aws_lambda_provisioned_concurrency_config": Kind("AWS::Lambda::ProvisionedConcurrencyConfig"),
    "aws_lambda_layer_version": _kind(
        "AWS::Lambda::LayerVersion",
        "layer_name filename s3_bucket s3_key s3_object_version compatible_runtimes "
        "compatible_architectures description license_info",
    ),
    "aws_lambda_function_url": Kind("AWS::Lambda::Url"),
    "aws_lambda_permission": Kind("AWS::Lambda::Permission"),
    "aws_lb": _LOAD_BALANCER,
    "aws_alb": _LOAD_BALANCER,
    "aws_lb_listener": _LISTENER,
    "aws_alb_listener": _LISTENER,
    "aws_lb_listener_rule": _RULE,
    "aws_alb_listener_rule": _RULE,
    "aws_lb_target_group": _TARGET_GROUP,
    "aws_alb_target_group": _TARGET_GROUP,
    "aws_lambda_event_source_mapping": _kind(
        "AWS::Lambda::EventSourceMapping",
        "event_source_arn function_name enabled batch_size maximum_batching_window_in_seconds "
        "parallelization_factor starting_position starting_position_timestamp "
        "maximum_retry_attempts maximum_record_age_in_seconds bisect_batch_on_function_error "
        "tumbling_window_in_seconds function_response_types destination_config filter_criteria "
        "scaling_config",
    ),
    "aws_lambda_function_event_invoke_config": _kind(
        "AWS::Lambda::EventInvokeConfig",
        "function_name qualifier maximum_retry_attempts maximum_event_age_in_seconds "
        "destination_config",
    ),
    "aws_sqs_queue": _kind("AWS::SQS::Queue", "name"),
    "aws_sns_topic": _kind("AWS::SNS::Topic", "name"),
    "aws_kinesis_stream": _kind("AWS::Kinesis::Stream", "name"),
    "aws_dynamodb_table": _kind("AWS::DynamoDB::Table", "name"),
    "aws_s3_bucket": _kind("AWS::S3::Bucket", "bucket"),
    "aws_iam_role": _kind("AWS::IAM::Role", "assume_role_policy"),
}

NOT_TRANSLATED: Final[Mapping[str, str]] = {
    "aws_api_gateway_rest_api": "AWS::ApiGateway::RestApi",
    "aws_apigatewayv2_api": "AWS::ApiGatewayV2::Api",
    "aws_wafv2_web_acl": "AWS::WAFv2::WebACL",
    "aws_cloudfront_monitoring_subscription": f"{_CF}MonitoringSubscription",
}
"""Known by name, so that the report says why they are not read."""

READ_WITH_OTHERS: Final = frozenset(
    {
        "aws_lb_target_group_attachment",
        "aws_alb_target_group_attachment",
        "aws_cloudfrontkeyvaluestore_key",
        "aws_cloudfrontkeyvaluestore_keys_exclusive",
        "aws_s3_bucket_website_configuration",
        "archive_file",
    }
)
"""Resources that say something of another one."""

MANY: Final = frozenset(
    {
        "origin", "origin_group", "member", "custom_header", "ordered_cache_behavior",
        "custom_error_response", "lambda_function_association", "function_association", "endpoint",
        "filter", "items", "default_action", "action", "condition", "target_group", "query_string",
    }
)  # fmt: skip
"""Blocks that become lists; each other block has one instance (CDN-CFG-332)."""

_NAMES: Final[Mapping[str, str]] = {
    "origin": "Origins",
    "origin_group": "OriginGroups",
    "member": "Members",
    "custom_header": "OriginCustomHeaders",
    "ordered_cache_behavior": "CacheBehaviors",
    "custom_error_response": "CustomErrorResponses",
    "lambda_function_association": "LambdaFunctionAssociations",
    "function_association": "FunctionAssociations",
    "endpoint": "EndPoints",
    "filter": "Filters",
    "target_group": "TargetGroups",
    "logging_config": "Logging",
    "is_ipv6_enabled": "IPV6Enabled",
    "web_acl_id": "WebACLId",
    "http_port": "HTTPPort",
    "https_port": "HTTPSPort",
    "min_ttl": "MinTTL",
    "default_ttl": "DefaultTTL",
    "max_ttl": "MaxTTL",
    "idle_ttl": "IdleTTL",
    "maximum_ttl": "MaximumTTL",
    "error_caching_min_ttl": "ErrorCachingMinTTL",
    "lambda_arn": "LambdaFunctionARN",
    "function_arn": "FunctionARN",
    "cloudfront_default_certificate": "CloudFrontDefaultCertificate",
    "xss_protection": "XSSProtection",
    "load_balancer_type": "Type",
    "default_action": "DefaultActions",
    "action": "Actions",
    "condition": "Conditions",
    "certificate_arn": "Certificates",
    "authorization_type": "AuthType",
    "principal_org_id": "PrincipalOrgID",
    "assume_role_policy": "AssumeRolePolicyDocument",
    "file_system_config": "FileSystemConfigs",
}
"""Names that are not CloudFormation's in snake case."""

_ACTION: Final = {
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
    "fixed_response": "FixedResponseConfig",
}
_NAMES_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "origin": {"origin_id": "Id"},
    "origin_group": {"origin_id": "Id"},
    "custom_header": {"name": "HeaderName", "value": "HeaderValue"},
    "aws_lambda_function": {"logging_config": "LoggingConfig"},
    "aws_cloudfront_function": {"code": "FunctionCode", "publish": "AutoPublish"},
    "aws_lambda_function_url": {"function_name": "TargetFunctionArn"},
    "aws_s3_bucket": {"bucket": "BucketName"},
    "aws_sqs_queue": {"name": "QueueName"},
    "aws_sns_topic": {"name": "TopicName"},
    "aws_dynamodb_table": {"name": "TableName"},
    "on_failure": {"destination_arn": "Destination"},
    "action": _ACTION,
    "default_action": _ACTION,
    "forward": {"stickiness": "TargetGroupStickinessConfig"},
    "target_group": {"arn": "TargetGroupArn"},
    "stickiness": {"duration": "DurationSeconds"},
}  # fmt: skip
"""Names that depend on the block or the type of resource they stand in."""


def property_of(attribute: str, block: str) -> str:
    """CloudFormation's name of an attribute in a block."""
    found = _NAMES_IN.get(block, {}).get(attribute) or _NAMES.get(attribute)
    return found or "".join(word.capitalize() for word in attribute.split("_"))


COMPUTED: Final = frozenset(
    {
        "arn", "caller_reference", "domain_name", "etag", "hosted_zone_id", "id", "last_modified",
        "last_modified_time", "in_progress_validation_batches", "status", "live_stage_etag",
        "tags_all", "trusted_key_groups", "trusted_signers", "region", "arn_suffix", "dns_name",
        "zone_id", "vpc_id", "invoke_arn", "qualified_arn", "qualified_invoke_arn", "version",
        "code_sha256", "source_code_size", "signing_job_arn", "signing_profile_version_arn",
        "response_streaming_invoke_arn", "function_arn", "function_url", "url_id",
        "logging_config_arn", "load_balancer_arns",
    }
)  # fmt: skip
"""Attributes at the top of a resource that AWS gives, not the user."""

OWN: Final = frozenset({"retain_on_delete", "wait_for_deployment", "timeouts", "skip_destroy"})
"""Attributes that say what Terraform does, not what AWS has."""

NOT_SET: Final[Mapping[str, int]] = {
    "response_code": 0,
    "response_completion_timeout": 0,
    "access_control_max_age_sec": 0,
    "reserved_concurrent_executions": -1,
    "order": 0,
}
"""Numbers that Terraform keeps for what nobody set."""

LINKS: Final[Mapping[str, Mapping[str, str]]] = {
    "aws_cloudfront_distribution": {"id": "", "domain_name": "DomainName"},
    "aws_cloudfront_cache_policy": {"id": ""},
    "aws_cloudfront_origin_request_policy": {"id": ""},
    "aws_cloudfront_response_headers_policy": {"id": ""},
    "aws_cloudfront_public_key": {"id": ""},
    "aws_cloudfront_key_group": {"id": ""},
    "aws_cloudfront_origin_access_control": {"id": ""},
    "aws_cloudfront_continuous_deployment_policy": {"id": ""},
    "aws_cloudfront_realtime_log_config": {"arn": "Arn"},
    "aws_cloudfront_key_value_store": {"arn": "Arn"},
    "aws_cloudfront_function": {"arn": "FunctionARN"},
    "aws_lambda_function": {"arn": "Arn", "function_name": ""},
    "aws_lambda_alias": {"arn": ""},
    "aws_lambda_layer_version": {"arn": ""},
    "aws_sqs_queue": {"arn": "Arn", "url": "", "id": "", "name": "QueueName"},
    "aws_sns_topic": {"arn": "", "id": ""},
    "aws_kinesis_stream": {"arn": "Arn"},
    "aws_dynamodb_table": {"stream_arn": "StreamArn", "arn": "Arn"},
    "aws_lb": {"arn": "", "dns_name": "DNSName"},
    "aws_alb": {"arn": "", "dns_name": "DNSName"},
    "aws_lb_listener": {"arn": ""},
    "aws_alb_listener": {"arn": ""},
    "aws_lb_target_group": {"arn": ""},
    "aws_alb_target_group": {"arn": ""},
    "aws_s3_bucket": {
        "bucket_regional_domain_name": "RegionalDomainName",
        "bucket_domain_name": "DomainName",
        "id": "",
        "bucket": "",
    },
    "aws_iam_role": {"arn": "Arn"},
}
"""Attributes that others refer to, and the attribute of CloudFormation; empty stands for ``Ref``.

The first one is meant where the plan does not say which.
"""

HOSTS: Final[Mapping[str, str]] = {
    "aws_s3_bucket": "bucket_regional_domain_name",
    "aws_lb": "dns_name",
    "aws_alb": "dns_name",
    "aws_cloudfront_distribution": "domain_name",
}
"""Which attribute the domain name of an origin means."""

ONLY_CANDIDATES: Final[Mapping[str, str]] = {
    "cache_policy_id": "aws_cloudfront_cache_policy",
    "origin_request_policy_id": "aws_cloudfront_origin_request_policy",
    "response_headers_policy_id": "aws_cloudfront_response_headers_policy",
    "origin_access_control_id": "aws_cloudfront_origin_access_control",
    "origin_access_identity": "aws_cloudfront_origin_access_identity",
    "realtime_log_config_arn": "aws_cloudfront_realtime_log_config",
    "trusted_key_groups": "aws_cloudfront_key_group",
    "lambda_arn": "aws_lambda_function",
    "function_arn": "aws_cloudfront_function",
    "key_value_store_associations": "aws_cloudfront_key_value_store",
}
"""What a link is to where the plan does not show it: the only resource of that type."""
