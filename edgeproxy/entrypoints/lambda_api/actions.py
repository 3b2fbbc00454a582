"""What calls of the API need to be allowed: actions of IAM by method and path (LI-213, LI-330)."""

import re
from typing import Final

from edgeproxy.http.messages import Request

__all__ = ["action_of", "function_in", "is_download"]

_DATE: Final = r"/20\d\d-\d\d-\d\d"
_ONE: Final = re.compile(_DATE + r"/functions/(?P<function>[^/]+)(?:/(?P<part>[a-z-]+))?(?:/.*)?")
_ABOUT_ONE: Final = {
    "": {"GET": "GetFunction", "DELETE": "DeleteFunction"},
    "aliases": {
        "GET": "ListAliases|GetAlias",
        "POST": "CreateAlias",
        "PUT": "UpdateAlias",
        "DELETE": "DeleteAlias",
    },
    "code": {"PUT": "UpdateFunctionCode"},
    "code-signing-config": {"GET": "GetFunctionCodeSigningConfig"},
    "concurrency": {
        "GET": "GetFunctionConcurrency",
        "PUT": "PutFunctionConcurrency",
        "DELETE": "DeleteFunctionConcurrency",
    },
    "configuration": {"GET": "GetFunctionConfiguration", "PUT": "UpdateFunctionConfiguration"},
    "event-invoke-config": {
        "GET": "GetFunctionEventInvokeConfig|ListFunctionEventInvokeConfigs",
        "PUT": "PutFunctionEventInvokeConfig",
        "POST": "UpdateFunctionEventInvokeConfig",
        "DELETE": "DeleteFunctionEventInvokeConfig",
    },
    "invocations": {"POST": "InvokeFunction"},
    "invoke-async": {"POST": "InvokeAsync"},
    "policy": {"GET": "GetPolicy", "POST": "AddPermission", "DELETE": "RemovePermission"},
    "provisioned-concurrency": {
        "GET": "GetProvisionedConcurrencyConfig",
        "PUT": "PutProvisionedConcurrencyConfig",
        "DELETE": "DeleteProvisionedConcurrencyConfig",
    },
    "recursion-config": {
        "GET": "GetFunctionRecursionConfig",
        "PUT": "PutFunctionRecursionConfig",
    },
    "response-streaming-invocations": {"POST": "InvokeFunction"},
    "runtime-management-config": {
        "GET": "GetRuntimeManagementConfig",
        "PUT": "PutRuntimeManagementConfig",
    },
    "url": {
        "GET": "GetFunctionUrlConfig",
        "POST": "CreateFunctionUrlConfig",
        "PUT": "UpdateFunctionUrlConfig",
        "DELETE": "DeleteFunctionUrlConfig",
    },
    "urls": {"GET": "ListFunctionUrlConfigs"},
    "versions": {"GET": "ListVersionsByFunction", "POST": "PublishVersion"},
}
"""By what stands behind the function; two actions where more behind that makes it the second."""
_OTHERS: Final = (
    ("GET", "/functions", "ListFunctions"),
    ("POST", "/functions", "CreateFunction"),
    ("GET", "/account-settings", "GetAccountSettings"),
    ("GET", "/event-source-mappings", "ListEventSourceMappings"),
    ("POST", "/event-source-mappings", "CreateEventSourceMapping"),
    ("GET", "/event-source-mappings/[^/]+", "GetEventSourceMapping"),
    ("PUT", "/event-source-mappings/[^/]+", "UpdateEventSourceMapping"),
    ("DELETE", "/event-source-mappings/[^/]+", "DeleteEventSourceMapping"),
    ("GET", "/layers", "ListLayers"),
    ("GET", "/layers/[^/]+/versions", "ListLayerVersions"),
    ("POST", "/layers/[^/]+/versions", "PublishLayerVersion"),
    ("GET", "/layers/[^/]+/versions/.+", "GetLayerVersion"),
    ("DELETE", "/layers/[^/]+/versions/.+", "DeleteLayerVersion"),
    ("GET", "/tags/.+", "ListTags"),
    ("POST", "/tags/.+", "TagResource"),
    ("DELETE", "/tags/.+", "UntagResource"),
)


def action_of(request: Request) -> str:
    """Such as ``lambda:GetFunction``; ``lambda:*`` for what is no call of the API."""
    found = _ONE.fullmatch(request.path.rstrip("/"))
    if found is None:
        for method, path, action in _OTHERS:
            if method == request.method and re.fullmatch(_DATE + path + "/?", request.path):
                return f"lambda:{action}"
        return "lambda:*"
    either = _ABOUT_ONE.get(found["part"] or "", {}).get(request.method, "*")
    one, _, other = either.partition("|")
    has_more = found["part"] is not None and found.end("part") < found.end()
    return f"lambda:{other if other and has_more else one}"


def is_download(request: Request) -> bool:
    """Whether this asks for a package: on AWS, S3 gives it to whoever has the URL (LI-335)."""
    return request.method == "GET" and request.path.endswith("/package")


def function_in(request: Request) -> str:
    """The segment of the path that names a function, as it stands there; empty without one."""
    found = _ONE.fullmatch(request.path.rstrip("/"))
    return found["function"] if found is not None else ""
