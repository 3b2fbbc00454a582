"""Plans and states as ``terraform show -json`` prints them, written short for tests."""

from typing import Any

__all__ = ["behavior", "constant", "distribution", "origin", "plan", "refers", "resource", "state"]

MANAGED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def refers(*references: str) -> dict[str, Any]:
    """An expression; each reference to an attribute is followed by that to its resource."""
    listed: list[str] = []
    for reference in references:
        parts = reference.split(".")
        short = ".".join(parts[: 3 if parts[0] == "data" else 2])
        listed += [reference] if short == reference else [reference, short]
    return {"references": listed}


def constant(value: Any) -> dict[str, Any]:
    return {"constant_value": value}


def resource(
    address: str,
    values: dict[str, Any] | None = None,
    written: dict[str, Any] | None = None,
    unknown: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One resource or data source; ``more`` goes into its configuration."""
    local = address.rsplit("module.", 1)[-1]
    local = local.split(".", 1)[1] if "module." in address else local
    base, _, key = local.partition("[")
    mode, parts = ("data", base.split(".")[1:]) if base.startswith("data.") else (
        "managed", base.split(".")
    )  # fmt: skip
    index = key.rstrip("]")
    return {
        "known": {
            "address": address, "mode": mode, "type": parts[0], "name": parts[1],
            **({"index": index.strip('"') if '"' in index else int(index)} if index else {}),
            "values": values or {},
        },
        "config": {
            "address": base, "mode": mode, "type": parts[0], "name": parts[1],
            "expressions": written or {}, **more,
        },
        "change": {"address": address, "change": {"after_unknown": unknown or {}}},
    }  # fmt: skip


def _module(
    resources: list[dict[str, Any]], modules: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    children = [
        {"address": address, "resources": [each["known"] for each in inside]}
        for address, inside in modules.items()
    ]
    return {"resources": [each["known"] for each in resources], "child_modules": children}


def plan(
    *resources: dict[str, Any],
    data: list[dict[str, Any]] | None = None,
    modules: dict[str, list[dict[str, Any]]] | None = None,
    calls: dict[str, Any] | None = None,
    providers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A plan. ``modules`` are resources by module address, ``calls`` the root's module calls."""
    modules, data = modules or {}, data or []
    every = [*resources, *(each for inside in modules.values() for each in inside)]
    for address, inside in modules.items():
        call = (calls or {})[address.split(".")[1].split("[")[0]]
        call.setdefault("module", {})["resources"] = [each["config"] for each in inside]
    configured = {each["config"]["address"]: each["config"] for each in [*resources, *data]}
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.8",
        "planned_values": {"root_module": _module(list(resources), modules)},
        "resource_changes": [each["change"] for each in every],
        "prior_state": {"values": {"root_module": _module(data, {})}},
        "configuration": {
            "provider_config": providers or {},
            "root_module": {"resources": list(configured.values()), "module_calls": calls or {}},
        },
    }


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "format_version": "1.0",
        "terraform_version": "1.9.8",
        "values": {"root_module": _module(list(resources), {})},
    }


def behavior(**values: Any) -> dict[str, Any]:
    """A block of a cache behavior as plans have it, with what nobody set."""
    return {
        "allowed_methods": ["GET", "HEAD"], "cached_methods": ["GET", "HEAD"],
        "cache_policy_id": MANAGED, "compress": False, "forwarded_values": [],
        "function_association": [], "lambda_function_association": [], "min_ttl": 0,
        "origin_request_policy_id": "", "response_headers_policy_id": "",
        "target_origin_id": "web", "trusted_key_groups": None,
        "viewer_protocol_policy": "allow-all", **values,
    }  # fmt: skip


def origin(**values: Any) -> dict[str, Any]:
    return {
        "origin_id": "web", "domain_name": "web.example.com", "origin_path": "",
        "custom_header": [], "s3_origin_config": [], "origin_access_control_id": "",
        "custom_origin_config": [
            {"http_port": 80, "https_port": 443, "origin_protocol_policy": "http-only",
             "origin_ssl_protocols": ["TLSv1.2"]}
        ],
        **values,
    }  # fmt: skip


def distribution(
    default: dict[str, Any] | None = None,
    written: dict[str, Any] | None = None,
    address: str = "aws_cloudfront_distribution.site",
    unknown: dict[str, Any] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """A distribution; ``written`` is the configuration of its default behavior."""
    blocks = {"default_cache_behavior": [written]} if written is not None else {}
    own = values.pop("expressions", {})
    every = {
        "aliases": None, "enabled": True, "http_version": "http2", "origin": [origin()],
        "default_cache_behavior": [default or behavior()], "retain_on_delete": False,
        "wait_for_deployment": True, "ordered_cache_behavior": [], "web_acl_id": None, **values,
    }  # fmt: skip
    marks = {"id": True, "arn": True, "domain_name": True, **(unknown or {})}
    return resource(address, every, {**blocks, **own}, marks)
