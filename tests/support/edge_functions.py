"""Lambda@Edge functions that tell what they see, and what to make of it."""

import json
from typing import Any

from edgeproxy.testing import Site, SiteResponse

__all__ = [
    "EVENTS",
    "REQUESTS",
    "all_four",
    "header",
    "policies",
    "ran",
    "telling",
    "told",
    "x_cache",
]

REQUESTS = ("viewer-request", "origin-request")
EVENTS = (*REQUESTS, "origin-response", "viewer-response")


def telling(event_type: str, *lines: str) -> str:
    """A function that prints its event, then changes ``cf`` with these lines and passes it on."""
    body = "\n    ".join(lines)
    message = "request" if event_type in REQUESTS else "response"
    return (
        "import json, os, time\n"
        "def handler(event, context):\n"
        "    cf = event['Records'][0]['cf']\n"
        "    print(json.dumps({**cf, 'region': os.environ['AWS_REGION'],"
        " 'default_region': os.environ['AWS_DEFAULT_REGION'],"
        " 'name': context.function_name, 'group': context.log_group_name,"
        " 'variables': [os.environ['AWS_LAMBDA_FUNCTION_NAME'],"
        " os.environ['AWS_LAMBDA_LOG_GROUP_NAME']],"
        " 'version': context.function_version, 'arn': context.invoked_function_arn}))\n"
        f"    {body}\n"
        f"    return cf['{message}']\n"
    )


def all_four(**changes: str) -> dict[str, str]:
    """Functions that tell their events; ``changes`` are lines, by event with ``_`` for ``-``."""
    return {event: telling(event, changes.get(event.replace("-", "_"), "")) for event in EVENTS}


def told(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """Events and what their functions saw in the newest exchange, in order."""
    return [
        (run.event_type, json.loads(line.message))
        for run in site.exchanges(1)[0].functions
        for line in run.log
        if line.message.startswith('{"config"')
    ]


def ran(site: Site) -> list[str]:
    return [run.event_type for run in site.exchanges(1)[0].functions]


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


def header(message: dict[str, Any], name: str) -> list[str]:
    return [line["value"] for line in message["headers"].get(name, ())]


def policies(**given: dict[str, Any]) -> dict[str, Any]:
    """``resources`` and ``behavior`` for policies: ``cache``, ``forward``, ``respond``."""
    names = {
        "cache": "CachePolicyId",
        "forward": "OriginRequestPolicyId",
        "respond": "ResponseHeadersPolicyId",
    }
    return {
        "resources": {key.capitalize(): policy for key, policy in given.items()},
        "behavior": {names[key]: {"Ref": key.capitalize()} for key in given},
    }
