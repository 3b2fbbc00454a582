"""Short ways to run a CloudFront Function in a test."""

import json
import time
from collections.abc import Callable
from typing import Any

from edgeproxy.runtimes.cloudfront_js import CloudFrontJs, Completed, Failed, KeyValues, RunContext

JS1 = "cloudfront-js-1.0"
JS2 = "cloudfront-js-2.0"
NO_CONTEXT = RunContext()
NOW = 1_800_000_000.25

EVENT: dict[str, Any] = {
    "version": "1.0",
    "context": {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": "viewer-request",
        "requestId": "id",
    },
    "viewer": {"ip": "198.51.100.11"},
    "request": {
        "method": "GET",
        "uri": "/a",
        "querystring": {},
        "headers": {"host": {"value": "www.example.com"}},
        "cookies": {},
    },
}
RESPONSE_EVENT: dict[str, Any] = {
    **EVENT,
    "context": {**EVENT["context"], "eventType": "viewer-response"},
    "response": {"statusCode": 200, "statusDescription": "OK", "headers": {}, "cookies": {}},
}


def function(
    code: str,
    runtime: str = JS2,
    *,
    kvs: KeyValues | None = None,
    now: Callable[[], float] = lambda: NOW,
    monotonic: Callable[[], float] = time.perf_counter,
    fraction: Callable[[], float] | None = None,
    handler: str = "handler",
) -> CloudFrontJs:
    return CloudFrontJs(
        "f",
        runtime,
        code,
        kvs=kvs,
        now=now,
        monotonic=monotonic,
        fraction=fraction,
        handler=handler,
    )


def run(
    code: str,
    runtime: str = JS2,
    *,
    event: dict[str, Any] = EVENT,
    context: RunContext = NO_CONTEXT,
    kvs: KeyValues | None = None,
) -> Completed | Failed:
    return function(code, runtime, kvs=kvs).run(json.dumps(event).encode(), context)


def value(expression: str, runtime: str = JS2, *, before: str = "", **options: Any) -> Any:
    """What ``expression`` is inside a handler, or the message of the failure."""
    outcome = run(
        f"{before}\nfunction handler(event) {{ return {{v: {expression}}}; }}", runtime, **options
    )
    if isinstance(outcome, Failed):
        return outcome.message
    assert isinstance(outcome.result, dict)
    return outcome.result.get("v")


def awaited(body: str, *, head: str = "", **options: Any) -> Any:
    """What an async handler with that body returns, or the failure's message."""
    code = f"import cf from 'cloudfront';\n{head}\nasync function handler(event) {{ {body} }}"
    outcome = run(code, **options)
    return outcome.message if isinstance(outcome, Failed) else outcome.result
