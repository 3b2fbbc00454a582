"""The operations on function URLs; each has a door of its own at once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.resources import FunctionResource, UrlConfig
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    conflict,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, page
from edgeproxy.entrypoints.lambda_api.finding import named_by
from edgeproxy.entrypoints.lambda_api.names import constrained
from edgeproxy.entrypoints.lambda_api.url_cors import cors_document, cors_of

__all__ = ["UrlOperations"]

_QUALIFIER: Final = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"
_MISSING: Final = "The resource you requested does not exist."
_MODES: Final = ("RESPONSE_STREAM", "BUFFERED")
_AUTH_TYPES: Final = ("AWS_IAM", "NONE")
_MOST_LISTED: Final = 50


class UrlOperations:
    """Operations on the URLs of functions and aliases (LI-342)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def create(self, call: Call) -> Answer:
        members = await call.members()
        function, qualifier = self._function(call)
        if qualifier in function.urls:
            raise conflict(
                "Failed to create function url config for [functionArn = "
                f"{function.qualified_arn(qualifier)}]. Error message:  FunctionUrlConfig exists "
                "for this Lambda function"
            )
        if qualifier and qualifier not in function.aliases:
            raise not_found("Function does not exist")
        url = FunctionUrl(
            f"{function.name}:{qualifier}" if qualifier else function.name,
            function.name,
            self._account.chance.hex(32),
            qualifier,
            auth_type=_one_of(members.get("AuthType"), "authType", _AUTH_TYPES),
        )
        config = await self._put(function, qualifier, _changed(url, members))
        document = await self._document(function, config)
        if "InvokeMode" not in members:
            del document["InvokeMode"]
        del document["LastModifiedTime"]
        return json_answer(document, 201)

    async def get(self, call: Call) -> Answer:
        function, config = self._config(call)
        return json_answer(await self._document(function, config))

    async def list(self, call: Call) -> Answer:
        function, _ = self._function(call)
        items: list[tuple[str, object]] = [
            (config.url.url_id, await self._document(function, config))
            for config in function.urls.values()
        ]
        return json_answer(page(call, "FunctionUrlConfigs", items, _MOST_LISTED))

    async def update(self, call: Call) -> Answer:
        members = await call.members()
        function, config = self._config(call)
        changed = await self._put(
            function, config.url.qualifier, _changed(config.url, members), config
        )
        return json_answer(await self._document(function, changed))

    async def delete(self, call: Call) -> Answer:
        function, config = self._config(call)
        del function.urls[config.url.qualifier]
        await self._account.close_url(config.url)
        self._account.changed()
        return Answer(204)

    async def _put(
        self,
        function: FunctionResource,
        qualifier: str,
        url: FunctionUrl,
        before: UrlConfig | None = None,
    ) -> UrlConfig:
        now = self._account.clock.now()
        made = UrlConfig(url, now, now)
        if before is not None:
            made = replace(made, created_s=before.created_s)
        await self._account.open_url(url)
        function.urls[qualifier] = made
        self._account.changed()
        return made

    def _function(self, call: Call) -> tuple[FunctionResource, str]:
        qualifier = call.query("Qualifier")
        if qualifier and (wrong := constrained(qualifier, "qualifier", _QUALIFIER, 128)):
            raise validation_error(*wrong)
        named = named_by(self._account, call, dotted=False)
        function = self._account.functions.get(named.name)
        if function is None:
            raise not_found(_MISSING)
        return function, named.qualifier

    def _config(self, call: Call) -> tuple[FunctionResource, UrlConfig]:
        function, qualifier = self._function(call)
        if qualifier not in function.urls:
            raise not_found(_MISSING)
        return function, function.urls[qualifier]

    async def _document(self, function: FunctionResource, config: UrlConfig) -> Document:
        url = config.url
        document: Document = {
            "FunctionUrl": await self._account.open_url(url),
            "FunctionArn": function.qualified_arn(url.qualifier),
            "AuthType": url.auth_type,
            "CreationTime": _timestamp(config.created_s),
            "LastModifiedTime": _timestamp(config.modified_s),
            "InvokeMode": url.invoke_mode,
        }
        if url.cors is not None:
            document["Cors"] = cors_document(url.cors)
        return document


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


def _one_of(value: object, name: str, values: tuple[str, ...]) -> str:
    if value is None:
        raise validation_error(("null", name, "Member must not be null"))
    if value not in values:
        constraint = f"Member must satisfy enum value set: [{', '.join(values)}]"
        raise validation_error((str(value), name, constraint))
    return str(value)


def _changed(url: FunctionUrl, members: Document) -> FunctionUrl:
    changes: dict[str, Any] = {}
    if "AuthType" in members:
        changes["auth_type"] = _one_of(members["AuthType"], "authType", _AUTH_TYPES)
    if "InvokeMode" in members:
        changes["invoke_mode"] = _one_of(members["InvokeMode"], "invokeMode", _MODES)
    if "Cors" in members:
        changes["cors"] = cors_of(members["Cors"])
    return replace(url, **changes)
