"""What calls need to be allowed, beside the operations that AWS's own clients know."""

import re

import botocore.session
import pytest

from edgeproxy.entrypoints.lambda_api.actions import action_of, function_in
from edgeproxy.http.messages import Request

MODEL = botocore.session.get_session().get_service_model("lambda")
OPERATIONS = [
    "AddPermission", "CreateAlias", "CreateEventSourceMapping", "CreateFunction",
    "CreateFunctionUrlConfig", "DeleteAlias",
    "DeleteFunction", "DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig", "DeleteLayerVersion", "DeleteProvisionedConcurrencyConfig",
    "DeleteEventSourceMapping", "GetEventSourceMapping", "ListEventSourceMappings",
    "UpdateEventSourceMapping",
    "GetAccountSettings", "GetAlias", "GetFunction", "GetFunctionCodeSigningConfig",
    "GetFunctionConcurrency", "GetFunctionConfiguration", "GetFunctionEventInvokeConfig",
    "GetFunctionRecursionConfig", "GetFunctionUrlConfig", "GetLayerVersion", "GetPolicy",
    "GetProvisionedConcurrencyConfig", "GetRuntimeManagementConfig", "Invoke", "InvokeAsync",
    "InvokeWithResponseStream", "ListAliases", "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs", "ListFunctions", "ListLayerVersions", "ListLayers", "ListTags",
    "ListVersionsByFunction", "PublishLayerVersion", "PublishVersion", "PutFunctionConcurrency",
    "PutFunctionEventInvokeConfig", "PutFunctionRecursionConfig",
    "PutProvisionedConcurrencyConfig", "PutRuntimeManagementConfig", "RemovePermission",
    "TagResource", "UntagResource", "UpdateAlias", "UpdateFunctionCode",
    "UpdateFunctionConfiguration", "UpdateFunctionEventInvokeConfig", "UpdateFunctionUrlConfig",
]  # fmt: skip
INVOKING = {"Invoke", "InvokeWithResponseStream"}


@pytest.mark.rule("LI-213")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_action_is_called_as_the_operation(operation: str) -> None:
    http = MODEL.operation_model(operation).http
    path = re.sub(r"\{[^}]+\}", "x%3Ay", http["requestUri"].partition("?")[0])
    request = Request(http["method"], path)
    action = "InvokeFunction" if operation in INVOKING else operation
    assert action_of(request) == f"lambda:{action}"
    assert function_in(request) == ("x%3Ay" if "{FunctionName}" in http["requestUri"] else "")


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("PUT", "/2015-03-31/functions/f")])
def test_what_is_no_operation(method: str, path: str) -> None:
    assert action_of(Request(method, path)) == "lambda:*"
