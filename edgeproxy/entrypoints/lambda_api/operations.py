"""The table of the operations that manage functions: method, path, what answers (LI-330)."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.entrypoints.lambda_api.account_settings import SettingsOperations
from edgeproxy.entrypoints.lambda_api.answers import Answer
from edgeproxy.entrypoints.lambda_api.calls import Call
from edgeproxy.entrypoints.lambda_api.concurrency import ConcurrencyOperations
from edgeproxy.entrypoints.lambda_api.event_invoke import EventInvokeOperations
from edgeproxy.entrypoints.lambda_api.event_source_mappings import EventSourceMappingOperations
from edgeproxy.entrypoints.lambda_api.functions import FunctionOperations
from edgeproxy.entrypoints.lambda_api.layers import LayerOperations
from edgeproxy.entrypoints.lambda_api.permissions import PermissionOperations
from edgeproxy.entrypoints.lambda_api.tags import TagOperations
from edgeproxy.entrypoints.lambda_api.urls import UrlOperations
from edgeproxy.entrypoints.lambda_api.versions import AliasOperations, VersionOperations

__all__ = ["Operation", "operations"]

Operation: TypeAlias = Callable[[Call], Awaitable[Answer]]

_ALL = "/2015-03-31/functions"
_ONE = f"{_ALL}/{{FunctionName}}"
_LAYERS = "/2018-10-31/layers"
_LAYER = f"{_LAYERS}/{{LayerName}}/versions"
_MAPPINGS = "/2015-03-31/event-source-mappings"
_TAGS = "/2017-03-31/tags/{Resource}"


def operations(account: LambdaAccount) -> Iterator[tuple[str, str, Operation]]:
    """Those of an account."""
    functions = FunctionOperations(account)
    yield "POST", _ALL, functions.create
    yield "GET", _ALL, functions.list
    yield "GET", _ONE, functions.get
    yield "DELETE", _ONE, functions.delete
    yield "GET", f"{_ONE}/configuration", functions.get_configuration
    yield "PUT", f"{_ONE}/configuration", functions.update_configuration
    yield "PUT", f"{_ONE}/code", functions.update_code
    yield "GET", f"{_ONE}/package", functions.package
    versions, aliases = VersionOperations(account), AliasOperations(account)
    yield "POST", f"{_ONE}/versions", versions.publish
    yield "GET", f"{_ONE}/versions", versions.list
    yield "POST", f"{_ONE}/aliases", aliases.create
    yield "GET", f"{_ONE}/aliases", aliases.list
    yield "GET", f"{_ONE}/aliases/{{Name}}", aliases.get
    yield "PUT", f"{_ONE}/aliases/{{Name}}", aliases.update
    yield "DELETE", f"{_ONE}/aliases/{{Name}}", aliases.delete
    permissions = PermissionOperations(account)
    yield "POST", f"{_ONE}/policy", permissions.add
    yield "GET", f"{_ONE}/policy", permissions.get
    yield "DELETE", f"{_ONE}/policy/{{StatementId}}", permissions.remove
    yield from _about_invocations(account)
    layers = LayerOperations(account)
    yield "GET", _LAYERS, layers.list
    yield "POST", _LAYER, layers.publish
    yield "GET", _LAYER, layers.list_versions
    yield "GET", f"{_LAYER}/{{Number}}", layers.get
    yield "DELETE", f"{_LAYER}/{{Number}}", layers.delete
    yield "GET", f"{_LAYER}/{{Number}}/package", layers.package
    mappings = EventSourceMappingOperations(account)
    yield "POST", _MAPPINGS, mappings.create
    yield "GET", _MAPPINGS, mappings.list
    yield "GET", f"{_MAPPINGS}/{{UUID}}", mappings.get
    yield "PUT", f"{_MAPPINGS}/{{UUID}}", mappings.update
    yield "DELETE", f"{_MAPPINGS}/{{UUID}}", mappings.delete
    tags = TagOperations(account)
    yield "GET", _TAGS, tags.list
    yield "POST", _TAGS, tags.tag
    yield "DELETE", _TAGS, tags.untag


def _about_invocations(account: LambdaAccount) -> Iterator[tuple[str, str, Operation]]:
    of = "functions/{FunctionName}"
    concurrency = ConcurrencyOperations(account)
    yield "PUT", f"/2017-10-31/{of}/concurrency", concurrency.put
    yield "DELETE", f"/2017-10-31/{of}/concurrency", concurrency.delete
    yield "GET", f"/2019-09-30/{of}/concurrency", concurrency.get
    yield "PUT", f"/2019-09-30/{of}/provisioned-concurrency", concurrency.put_provisioned
    yield "GET", f"/2019-09-30/{of}/provisioned-concurrency", concurrency.get_provisioned
    yield "DELETE", f"/2019-09-30/{of}/provisioned-concurrency", concurrency.delete_provisioned
    events = EventInvokeOperations(account)
    yield "PUT", f"/2019-09-25/{of}/event-invoke-config", events.put
    yield "POST", f"/2019-09-25/{of}/event-invoke-config", events.update
    yield "GET", f"/2019-09-25/{of}/event-invoke-config", events.get
    yield "DELETE", f"/2019-09-25/{of}/event-invoke-config", events.delete
    yield "GET", f"/2019-09-25/{of}/event-invoke-config/list", events.list
    urls = UrlOperations(account)
    yield "POST", f"/2021-10-31/{of}/url", urls.create
    yield "GET", f"/2021-10-31/{of}/url", urls.get
    yield "PUT", f"/2021-10-31/{of}/url", urls.update
    yield "DELETE", f"/2021-10-31/{of}/url", urls.delete
    yield "GET", f"/2021-10-31/{of}/urls", urls.list
    settings = SettingsOperations(account)
    yield "GET", "/2016-08-19/account-settings", settings.account
    yield "GET", f"/2024-08-31/{of}/recursion-config", settings.get_recursion
    yield "PUT", f"/2024-08-31/{of}/recursion-config", settings.put_recursion
    yield "GET", f"/2021-07-20/{of}/runtime-management-config", settings.get_runtime_management
    yield "PUT", f"/2021-07-20/{of}/runtime-management-config", settings.put_runtime_management
    yield "GET", f"/2020-06-30/{of}/code-signing-config", settings.get_code_signing
