"""Tags of functions and of event source mappings."""

from typing import Final
from urllib.parse import unquote

from edgeproxy.awslambda.account import LambdaAccount
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
    """Operations on tags; versions and aliases have none (LI-346)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def list(self, call: Call) -> Answer:
        return json_answer({"Tags": self._tags(call)})

    async def tag(self, call: Call) -> Answer:
        given = (await call.members()).get("Tags", {})
        tags = self._tags(call)
        check_tags({**tags, **given})
        tags |= given
        self._account.changed()
        return Answer(204)

    async def untag(self, call: Call) -> Answer:
        tags = self._tags(call)
        for key in call.queries("tagKeys"):
            tags.pop(key, None)
        self._account.changed()
        return Answer(204)

    def _tags(self, call: Call) -> dict[str, str]:
        """Those of the resource, to be changed in place."""
        account, arn = self._account, unquote(call.path["Resource"])
        if ":event-source-mapping:" in arn:
            kept = account.event_sources.mappings.get(arn.rpartition(":")[2])
            if kept is None:
                raise not_found(f"Event source mapping not found: {arn}")
            tags: dict[str, str] = kept.members.setdefault("Tags", {})
            return tags
        named = parse_name(arn, "", account.region, account.id)
        if named.qualifier:
            raise invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a "
                "function ARN."
            )
        function = account.functions.get(named.name)
        if function is None:
            raise not_found(f"Function not found: {arn}")
        return function.tags
