"""Tags of functions."""

from typing import Final
from urllib.parse import unquote

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.resources import FunctionResource
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    invalid_parameter,
    json_answer,
    not_found,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document
from edgeproxy.entrypoints.lambda_api.names import parse_name

__all__ = ["TagOperations", "check_tags"]

_MOST: Final = 50


def check_tags(tags: Document) -> None:
    if len(tags) > _MOST:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")


class TagOperations:
    """Operations on a function's tags; versions and aliases have none (LI-346)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def list(self, call: Call) -> Answer:
        return json_answer({"Tags": self._function(call).tags})

    async def tag(self, call: Call) -> Answer:
        function = self._function(call)
        tags = {**function.tags, **(await call.members()).get("Tags", {})}
        check_tags(tags)
        function.tags = tags
        self._account.changed()
        return Answer(204)

    async def untag(self, call: Call) -> Answer:
        function = self._function(call)
        for key in call.queries("tagKeys"):
            function.tags.pop(key, None)
        self._account.changed()
        return Answer(204)

    def _function(self, call: Call) -> FunctionResource:
        account, arn = self._account, unquote(call.path["Resource"])
        named = parse_name(arn, "", account.region, account.id)
        if named.qualifier:
            raise invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a "
                "function ARN."
            )
        function = account.functions.get(named.name)
        if function is None:
            raise not_found(f"Function not found: {arn}")
        return function
