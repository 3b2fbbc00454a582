"""What ``Ref`` and ``Fn::GetAtt`` give for a resource that exists only here (CDN-CFG-007, 280).

IDs, names, ARNs and host names are made up, in AWS's forms and stable from run to run. Resource
types that edgeproxy does not run get the general forms: their name for ``Ref``, an ARN for
``…Arn``, and a host name for any other attribute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edgeproxy.project import identifiers
from edgeproxy.project.identifiers import Identity, hex_id

__all__ = ["APIS", "ATTRIBUTES", "REFERENCES", "Named", "foreign_attribute", "physical_name"]


@dataclass(frozen=True, slots=True)
class Named:
    """A resource as far as its identifiers depend on it.

    ``text_of`` reads a text property, empty when it is not there; ``function_arn`` gives the ARN
    of the function that the named property refers to, without its qualifier.
    """

    logical_id: str
    type: str
    identity: Identity
    text_of: Callable[[str], str]
    function_arn: Callable[[str], str]
    version: Callable[[], str]

    @property
    def name(self) -> str:
        return physical_name(self)

    @property
    def uuid(self) -> str:
        return identifiers.policy_id(self.logical_id)


Value = Callable[[Named], str]

_NAME_PROPERTIES = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Serverless::LayerVersion": "LayerName",
    "AWS::CloudFront::Function": "Name",
    "AWS::CloudFront::KeyValueStore": "Name",
    "AWS::CloudFront::ConnectionFunction": "Name",
    "AWS::CloudFront::TrustStore": "Name",
    "AWS::CloudFront::DistributionTenant": "Name",
    "AWS::CloudFront::ConnectionGroup": "Name",
    "AWS::CloudFront::RealtimeLogConfig": "Name",
    "AWS::Lambda::Alias": "Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Logs::DeliveryDestination": "Name",
    "AWS::Logs::DeliverySource": "Name",
    "AWS::SSM::Parameter": "Name",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
}


def physical_name(resource: Named) -> str:
    """The name the template gives, else the logical ID; in lower case for buckets, as S3 asks."""
    kind = resource.type.rsplit("::", 1)[-1]
    name = resource.text_of(_NAME_PROPERTIES.get(resource.type, f"{kind}Name"))
    if name:
        return name
    if resource.type == "AWS::S3::Bucket":
        return f"{resource.logical_id.lower()}-{hex_id('bucket', resource.logical_id, 8)}"
    return resource.logical_id


def _load_balancer_path(resource: Named) -> str:
    return f"app/{resource.name}/{hex_id('load-balancer', resource.logical_id)}"


def _elb(resource: Named, path: str) -> str:
    return resource.identity.arn("elasticloadbalancing", path)


def _load_balancer_arn(resource: Named) -> str:
    return _elb(resource, f"loadbalancer/{_load_balancer_path(resource)}")


def _dns_name(resource: Named) -> str:
    number = int(hex_id("load-balancer", resource.logical_id, 8), 16)
    return f"{resource.name.lower()}-{number:010}.{resource.identity.region}.elb.amazonaws.com"


def _target_group_arn(resource: Named) -> str:
    tail = hex_id("target-group", resource.logical_id)
    return _elb(resource, f"targetgroup/{resource.name}/{tail}")


def _listener_arn(resource: Named) -> str:
    return _elb(resource, f"listener/app/{resource.logical_id}/{hex_id('l', resource.logical_id)}")


def _cloudfront_function_arn(resource: Named) -> str:
    return resource.identity.arn("cloudfront", f"function/{resource.name}", is_global=True)


def _store_arn(resource: Named) -> str:
    return resource.identity.arn("cloudfront", f"key-value-store/{resource.uuid}", is_global=True)


def _realtime_log_arn(resource: Named) -> str:
    path = f"realtime-log-config/{resource.name}"
    return resource.identity.arn("cloudfront", path, is_global=True)


def _log_arn(kind: str) -> Value:
    return lambda resource: resource.identity.arn("logs", f"{kind}:{resource.name}")


def _function_arn(resource: Named) -> str:
    return resource.identity.function_arn(resource.name)


def _version_arn(resource: Named) -> str:
    return f"{resource.function_arn('FunctionName')}:{resource.version()}"


def _layer_arn(resource: Named) -> str:
    return resource.identity.arn("lambda", f"layer:{resource.name}:{resource.version()}")


def _alias_arn(resource: Named) -> str:
    return f"{resource.function_arn('FunctionName')}:{resource.name}"


def _called_arn(resource: Named) -> str:
    """The function behind a function URL, with the alias that the URL is for."""
    arn, qualifier = resource.function_arn("TargetFunctionArn"), resource.text_of("Qualifier")
    return f"{arn}:{qualifier}" if qualifier else arn


def _function_url(resource: Named) -> str:
    url_id = identifiers.function_url_id(resource.logical_id)
    return f"https://{url_id}.lambda-url.{resource.identity.region}.on.aws/"


def _bucket_host(form: str) -> Value:
    return lambda resource: form.format(bucket=resource.name, region=resource.identity.region)


def _made(make: Callable[[str], str]) -> Value:
    """What ``make`` gives for the logical ID."""
    return lambda resource: make(resource.logical_id)


def _cloudfront_arn(kind: str, make_id: Callable[[str], str]) -> Value:
    return lambda resource: resource.identity.arn(
        "cloudfront", f"{kind}/{make_id(resource.logical_id)}", is_global=True
    )


def _connection_group_endpoint(logical_id: str) -> str:
    return identifiers.connection_group_endpoint(identifiers.connection_group_id(logical_id))


def _api_endpoint(resource: Named) -> str:
    return f"https://{identifiers.api_id(resource.logical_id)}.execute-api.{resource.identity.region}.amazonaws.com"


def _queue_url(resource: Named) -> str:
    identity = resource.identity
    return f"https://sqs.{identity.region}.amazonaws.com/{identity.account}/{resource.name}"


def _general_arn(resource: Named) -> str:
    service, kind = resource.type.lower().split("::")[1:3]
    if service in ("sns", "sqs"):
        return resource.identity.arn(service, resource.name)
    if service == "s3":
        return f"arn:aws:s3:::{resource.name}"
    return resource.identity.arn(service, f"{kind}/{resource.name}", is_global=service == "iam")


def _bus_arn(resource: Named) -> str:
    return resource.identity.arn("events", f"event-bus/{resource.name}")


def _uuid(resource: Named) -> str:
    return resource.uuid


def _own_name(resource: Named) -> str:
    return resource.name


def _constant(text: str) -> Value:
    return lambda resource: text


_CF = "AWS::CloudFront::"
_WITH_UUID = (
    "CachePolicy",
    "OriginRequestPolicy",
    "ResponseHeadersPolicy",
    "KeyGroup",
    "ContinuousDeploymentPolicy",
)
APIS = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGatewayV2::Api",
    "AWS::Serverless::Api",
    "AWS::Serverless::HttpApi",
)
"""Kinds of API gateways, whose host names templates build from their ID."""
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_ELB = "AWS::ElasticLoadBalancingV2::"

_distribution_id: Final = _made(identifiers.distribution_id)
_public_key_id: Final = _made(identifiers.public_key_id)
_trust_store_id: Final = _made(identifiers.trust_store_id)
_connection_function_id: Final = _made(identifiers.connection_function_id)
_tenant_id: Final = _made(identifiers.distribution_tenant_id)
_connection_group_id: Final = _made(identifiers.connection_group_id)
_api_id: Final = _made(identifiers.api_id)

REFERENCES: Mapping[str, Value] = {
    f"{_CF}Distribution": _distribution_id,
    **{f"{_CF}{kind}": _uuid for kind in _WITH_UUID},
    f"{_CF}PublicKey": _public_key_id,
    f"{_CF}OriginAccessControl": _distribution_id,
    f"{_CF}CloudFrontOriginAccessIdentity": _distribution_id,
    f"{_CF}Function": _cloudfront_function_arn,
    f"{_CF}ConnectionFunction": _connection_function_id,
    f"{_CF}TrustStore": _trust_store_id,
    f"{_CF}DistributionTenant": _tenant_id,
    f"{_CF}ConnectionGroup": _connection_group_id,
    f"{_CF}RealtimeLogConfig": _realtime_log_arn,
    "AWS::Lambda::Version": _version_arn,
    "AWS::Lambda::Alias": _alias_arn,
    "AWS::Lambda::LayerVersion": _layer_arn,
    "AWS::Serverless::LayerVersion": _layer_arn,
    "AWS::Lambda::Url": _called_arn,
    "AWS::Lambda::EventSourceMapping": _uuid,
    f"{_ELB}LoadBalancer": _load_balancer_arn,
    f"{_ELB}TargetGroup": _target_group_arn,
    f"{_ELB}Listener": _listener_arn,
    "AWS::SQS::Queue": _queue_url,
    "AWS::SNS::Topic": _general_arn,
    **dict.fromkeys(APIS, _api_id),
}
"""``Ref`` by resource type; every other type gives its name."""

ATTRIBUTES: Mapping[str, Mapping[str, Value]] = {
    f"{_CF}Distribution": {
        "Id": _distribution_id,
        "DomainName": _made(identifiers.distribution_domain_name),
    },
    **{f"{_CF}{kind}": {"Id": _uuid, "LastModifiedTime": _constant("")} for kind in _WITH_UUID},
    f"{_CF}PublicKey": {"Id": _public_key_id},
    f"{_CF}OriginAccessControl": {"Id": _distribution_id},
    f"{_CF}CloudFrontOriginAccessIdentity": {
        "Id": _distribution_id,
        "S3CanonicalUserId": lambda resource: hex_id("canonical", resource.logical_id, 64),
    },
    f"{_CF}Function": {
        "FunctionARN": _cloudfront_function_arn,
        "FunctionMetadata.FunctionARN": _cloudfront_function_arn,
        "Stage": _constant("LIVE"),
    },
    f"{_CF}ConnectionFunction": {
        "Id": _connection_function_id,
        "ConnectionFunctionArn": _cloudfront_arn(
            "connection-function", identifiers.connection_function_id
        ),
        "Stage": _constant("LIVE"),
    },
    f"{_CF}TrustStore": {
        "Id": _trust_store_id,
        "Arn": _cloudfront_arn("trust-store", identifiers.trust_store_id),
    },
    f"{_CF}DistributionTenant": {
        "Id": _tenant_id,
        "Arn": _cloudfront_arn("distribution-tenant", identifiers.distribution_tenant_id),
        "Status": _constant("Deployed"),
    },
    f"{_CF}ConnectionGroup": {
        "Id": _connection_group_id,
        "Arn": _cloudfront_arn("connection-group", identifiers.connection_group_id),
        "RoutingEndpoint": _made(_connection_group_endpoint),
        "IsDefault": _constant("false"),
        "Status": _constant("Deployed"),
    },
    f"{_CF}RealtimeLogConfig": {"Arn": _realtime_log_arn},
    f"{_CF}KeyValueStore": {"Arn": _store_arn, "Id": _uuid, "Status": _constant("READY")},
    **{kind: {"Arn": _function_arn} for kind in _FUNCTIONS},
    "AWS::Lambda::Version": {
        "FunctionArn": _version_arn,
        "Version": lambda resource: resource.version(),
    },
    "AWS::Lambda::Alias": {"AliasArn": _alias_arn},
    "AWS::Lambda::Url": {
        "FunctionUrl": _function_url,
        "FunctionArn": _called_arn,
    },
    "AWS::Logs::DeliveryDestination": {"Arn": _log_arn("delivery-destination")},
    "AWS::Logs::LogGroup": {"Arn": lambda resource: f"{_log_arn('log-group')(resource)}:*"},
    "AWS::S3::Bucket": {
        "Arn": _general_arn,
        "DomainName": _bucket_host("{bucket}.s3.amazonaws.com"),
        "RegionalDomainName": _bucket_host("{bucket}.s3.{region}.amazonaws.com"),
        "DualStackDomainName": _bucket_host("{bucket}.s3.dualstack.{region}.amazonaws.com"),
        "WebsiteURL": _bucket_host("http://{bucket}.s3-website-{region}.amazonaws.com"),
    },
    f"{_ELB}LoadBalancer": {
        "DNSName": _dns_name,
        "LoadBalancerArn": _load_balancer_arn,
        "LoadBalancerName": _own_name,
        "LoadBalancerFullName": _load_balancer_path,
        "CanonicalHostedZoneID": _constant("Z35SXDOTRQ7X7K"),
    },
    f"{_ELB}TargetGroup": {
        "TargetGroupArn": _target_group_arn,
        "TargetGroupName": _own_name,
        "TargetGroupFullName": lambda resource: _target_group_arn(resource).rsplit(":", 1)[1],
    },
    f"{_ELB}Listener": {"ListenerArn": _listener_arn},
    "AWS::SQS::Queue": {"Arn": _general_arn, "QueueName": _own_name, "QueueUrl": _queue_url},
    "AWS::SNS::Topic": {"TopicArn": _general_arn, "TopicName": _own_name},
    "AWS::Events::EventBus": {"Arn": _bus_arn, "Name": _own_name},
    "AWS::SSM::Parameter": {"Value": lambda resource: resource.text_of("Value")},
    **{kind: {"ApiEndpoint": _api_endpoint, "ApiId": _api_id} for kind in APIS},
}
"""``Fn::GetAtt`` of the types that edgeproxy knows; another attribute of these is an error."""


def foreign_attribute(resource: Named, attribute: str) -> str:
    """A stand-in for an attribute of a resource of another type."""
    if attribute.endswith("Arn") and resource.type.count("::") == 2:
        return _general_arn(resource)
    label = attribute.replace(".", "-").lower()
    tail = hex_id("attribute", f"{resource.logical_id}.{attribute}", 8)
    return f"{resource.logical_id.lower()}-{tail}.{label}.invalid"
