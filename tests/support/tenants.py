"""Multi-tenant distributions for tests, as resources."""

from typing import Any

__all__ = ["MULTI_TENANT", "group", "multi_tenant", "parameter", "tenant"]


def parameter(name: str, default: str = "", *, required: bool = False) -> dict[str, Any]:
    """A parameter definition."""
    schema: dict[str, Any] = {"Required": required}
    if default:
        schema["DefaultValue"] = default
    return {"Name": name, "Definition": {"StringSchema": schema}}


def multi_tenant(
    *parameters: dict[str, Any],
    domain: str = "{{name}}.example.com",
    path: str = "/{{theme}}",
    **config: Any,
) -> dict[str, Any]:
    """Properties of a ``DistributionConfig`` whose origin ``web`` depends on parameters."""
    origin = {
        "Id": "web",
        "DomainName": domain,
        "OriginPath": path,
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    return {
        "ConnectionMode": "tenant-only",
        "TenantConfig": {"ParameterDefinitions": list(parameters)},
        "Origins": [origin],
        **config,
    }


MULTI_TENANT = multi_tenant(parameter("name", required=True), parameter("theme", "basic"))


def tenant(domain: str, parameters: dict[str, str] | None = None, **properties: Any) -> Any:
    """A tenant of the distribution ``Site``; None takes a property away."""
    given = {
        "DistributionId": {"Fn::GetAtt": ["Site", "Id"]},
        "Domains": [domain],
        "Name": domain.partition(".")[0],
        "Parameters": [{"Name": key, "Value": value} for key, value in (parameters or {}).items()],
        **properties,
    }
    return {
        "Type": "AWS::CloudFront::DistributionTenant",
        "Properties": {key: value for key, value in given.items() if value is not None},
    }


def group(**properties: Any) -> dict[str, Any]:
    """A connection group."""
    return {"Type": "AWS::CloudFront::ConnectionGroup", "Properties": {"Name": "g", **properties}}
