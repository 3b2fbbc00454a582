"""The operations on published versions and on aliases."""

from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.packages import code_of
from edgeproxy.awslambda.resources import FunctionResource
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    LambdaError,
    conflict,
    invalid_parameter,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, page
from edgeproxy.entrypoints.lambda_api.configuration import READY, configuration
from edgeproxy.entrypoints.lambda_api.finding import find, find_named, updating
from edgeproxy.entrypoints.lambda_api.names import ALIAS_NAME, constrained
from edgeproxy.entrypoints.lambda_api.publishing import check_revision, publish

__all__ = ["AliasOperations", "VersionOperations"]

_WEIGHT_KEY: Final = r"[0-9]+"


class VersionOperations:
    """Operations on the versions of a function."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def publish(self, call: Call) -> Answer:
        """LI-100 to LI-102."""
        members = await call.members()
        account, function = self._account, find(self._account, call)
        latest = function.latest
        check_revision(latest, members)
        with updating(account, function):
            given, current = members.get("CodeSha256"), (await code_of(latest)).sha256
            if given and given != current:
                raise invalid_parameter(
                    f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST "
                    f"({current}). Please try again with the CodeSHA256 in $LATEST."
                )
            version = await publish(account, function, members.get("Description", ""))
            account.put(function)
        document = await configuration(account, function, version, version.spec.version, READY)
        return json_answer(document, 201)

    async def list(self, call: Call) -> Answer:
        account, (function, _) = self._account, find_named(self._account, call)
        items: list[tuple[str, object]] = [
            (
                version.spec.version,
                await configuration(account, function, version, version.spec.version, {}),
            )
            for version in (function.latest, *function.published.values())
        ]
        return json_answer(page(call, "Versions", items))


class AliasOperations:
    """Operations on the aliases of a function (LI-104 to LI-111)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def create(self, call: Call) -> Answer:
        members = await call.members()
        account, function = self._account, find(self._account, call)
        name = str(members.get("Name", ""))
        if wrong := constrained(name, "name", ALIAS_NAME, 128):
            raise validation_error(*wrong)
        if "FunctionVersion" not in members:
            raise validation_error(("null", "functionVersion", "Member must not be null"))
        alias = self._changed(function, {"Name": name, "Description": ""}, members)
        if name in function.aliases:
            raise conflict(f"Alias already exists: {function.qualified_arn(name)}")
        function.aliases[name] = alias
        account.put(function)
        return json_answer(_document(function, alias), 201)

    async def list(self, call: Call) -> Answer:
        function, of = find(self._account, call), call.query("FunctionVersion")
        items: list[tuple[str, object]] = [
            (name, _document(function, alias))
            for name, alias in sorted(function.aliases.items())
            if not of or alias["FunctionVersion"] == of
        ]
        return json_answer(page(call, "Aliases", items))

    async def get(self, call: Call) -> Answer:
        function, name = find(self._account, call), call.path["Name"]
        alias = function.aliases.get(name)
        if alias is None:
            raise not_found(f"Cannot find alias arn: {function.qualified_arn(name)}")
        return json_answer(_document(function, alias))

    async def update(self, call: Call) -> Answer:
        members = await call.members()
        function, name = find(self._account, call), call.path["Name"]
        alias = function.aliases.get(name)
        if alias is None:
            raise not_found(f"Alias not found: {function.qualified_arn(name)}")
        given = members.get("RevisionId")
        if given and given != alias["RevisionId"]:
            raise LambdaError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id",
            )
        function.aliases[name] = changed = self._changed(function, alias, members)
        self._account.put(function)
        return json_answer(_document(function, changed))

    async def delete(self, call: Call) -> Answer:
        """Of an alias that is not there, it is done already (LI-111)."""
        function, name = find(self._account, call), call.path["Name"]
        if function.aliases.pop(name, None) is not None:
            for mapping in (function.provisioned, function.event_invoke, function.policies):
                mapping.pop(name, None)
            if (config := function.urls.pop(name, None)) is not None:
                await self._account.close_url(config.url)
            self._account.put(function)
        return Answer(204)

    def _changed(self, function: FunctionResource, alias: Document, members: Document) -> Document:
        """``alias`` with what ``members`` say, checked."""
        told = ("FunctionVersion", "Description")
        changed: Document = {**alias, **{key: members[key] for key in told if key in members}}
        changed["RevisionId"] = self._account.chance.uuid()
        if "RoutingConfig" in members:
            weights = (members["RoutingConfig"] or {}).get("AdditionalVersionWeights") or {}
            changed["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        weights = changed.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        if not weights:
            changed.pop("RoutingConfig", None)
        _check(function, changed["FunctionVersion"], weights)
        return changed


def _check(function: FunctionResource, primary: str, weights: dict[str, float]) -> None:
    """LI-105 to LI-107."""
    for key, weight in weights.items():
        wrong = constrained(key, "routingConfig.additionalVersionWeights", _WEIGHT_KEY)
        if not 0.0 <= weight <= 1.0:
            constraint = "Member must have value between 0.0 and 1.0"
            wrong.append((str(weight), "routingConfig.additionalVersionWeights", constraint))
        if wrong:
            raise validation_error(*wrong)
    if len(weights) > 1:
        raise invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    if weights and primary == LATEST:
        raise invalid_parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version"
        )
    if primary in weights:
        raise invalid_parameter(
            f"Invalid function version {primary}. Function version {primary} is already included "
            "in routing configuration."
        )
    for number in (primary, *weights):
        if number != LATEST and number not in function.published:
            raise not_found(f"Function not found: {function.qualified_arn(number)}")
    for number in weights:
        first, other = function.published[primary], function.published[number]
        for name in ("Role", "DeadLetterConfig"):
            if first.settings.get(name) != other.settings.get(name):
                raise invalid_parameter(
                    f"The versions of an alias must have the same {name}: {primary} and {number} "
                    "do not."
                )


def _document(function: FunctionResource, alias: Document) -> Document:
    return {"AliasArn": function.qualified_arn(alias["Name"]), **alias}
