"""The operations on reserved and on provisioned concurrency."""

from datetime import UTC, datetime
from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
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
from edgeproxy.entrypoints.lambda_api.finding import find, find_named

__all__ = ["ConcurrencyOperations"]

_UNRESERVED: Final = 100
_MOST_LISTED: Final = 50


class ConcurrencyOperations:
    """Operations on how many invocations of a function may run (LI-121 to LI-133)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def put(self, call: Call) -> Answer:
        wanted = (await call.members()).get("ReservedConcurrentExecutions")
        function, named = find_named(self._account, call, dotted=False)
        if named.qualifier:
            raise invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do "
                "not support this operation. Please specify either a function name or an "
                "unqualified function ARN."
            )
        if not isinstance(wanted, int) or wanted < 0:
            constraint = "Member must have value greater than or equal to 0"
            raise validation_error((str(wanted), "reservedConcurrentExecutions", constraint))
        others = sum(
            each.reserved_concurrency or 0
            for each in self._account.functions.values()
            if each is not function
        )
        # With a smaller account than AWS gives, the floor would leave nothing to reserve.
        floor = min(_UNRESERVED, self._account.concurrency // 10)
        if self._account.concurrency - others - wanted < floor and wanted:
            raise invalid_parameter(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{floor}]."
            )
        provisioned = sum(_amount(config) for config in function.provisioned.values())
        if wanted < provisioned:
            raise invalid_parameter(
                f" ReservedConcurrentExecutions  {wanted} should not be lower than function's "
                f"total provisioned concurrency [{provisioned}]."
            )
        function.reserved_concurrency = wanted
        self._account.put(function)
        return json_answer({"ReservedConcurrentExecutions": wanted})

    async def get(self, call: Call) -> Answer:
        reserved = find(self._account, call).reserved_concurrency
        return json_answer({} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    async def delete(self, call: Call) -> Answer:
        function = find(self._account, call)
        function.reserved_concurrency = None
        self._account.put(function)
        return Answer(204)

    async def put_provisioned(self, call: Call) -> Answer:
        wanted = (await call.members()).get("ProvisionedConcurrentExecutions")
        if not isinstance(wanted, int) or wanted < 1:
            constraint = "Member must have value greater than or equal to 1"
            raise validation_error((str(wanted), "provisionedConcurrentExecutions", constraint))
        function, qualifier = self._provisioned(call)
        _check_pointed(function, qualifier)
        reserved = function.reserved_concurrency
        others = sum(_amount(c) for key, c in function.provisioned.items() if key != qualifier)
        if reserved is not None and others + wanted > reserved:
            raise invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        now = datetime.fromtimestamp(self._account.clock.now(), UTC)
        function.provisioned[qualifier] = {
            "RequestedProvisionedConcurrentExecutions": wanted,
            "LastModified": f"{now:%Y-%m-%dT%H:%M:%S}+0000",
        }
        self._account.put(function)
        status = {
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
        }
        return json_answer({**function.provisioned[qualifier], **status}, 202)

    async def get_provisioned(self, call: Call) -> Answer:
        if call.query("List") == "ALL":
            return self._list_provisioned(call)
        function, qualifier = self._provisioned(call)
        config = function.provisioned.get(qualifier)
        if config is None:
            raise LambdaError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )
        return json_answer(_ready(config))

    def _list_provisioned(self, call: Call) -> Answer:
        function = find(self._account, call)
        items: list[tuple[str, object]] = [
            (key, {"FunctionArn": function.qualified_arn(key), **_ready(config)})
            for key, config in function.provisioned.items()
        ]
        return json_answer(page(call, "ProvisionedConcurrencyConfigs", items, _MOST_LISTED))

    async def delete_provisioned(self, call: Call) -> Answer:
        function, qualifier = self._provisioned(call)
        if function.provisioned.pop(qualifier, None) is not None:
            self._account.put(function)
        return Answer(204)

    def _provisioned(self, call: Call) -> tuple[FunctionResource, str]:
        """The function and the version or alias that the call is about."""
        function, named = find_named(self._account, call, dotted=False)
        if named.qualifier in ("", LATEST):
            raise invalid_parameter(
                "Provisioned Concurrency Configs cannot be applied to unpublished function "
                "versions."
            )
        if function.version(named.qualifier) is None:
            if named.qualifier.isdigit():
                arn = function.qualified_arn(named.qualifier)
                raise not_found(f"Function not found: {arn}")
            arn = function.qualified_arn(named.qualifier)
            raise not_found(f"Cannot find alias arn: {arn}")
        return function, named.qualifier


def _check_pointed(function: FunctionResource, qualifier: str) -> None:
    """One configuration for a version, its own or an alias's (LI-132)."""
    if qualifier in function.aliases:
        number = function.aliases[qualifier]["FunctionVersion"]
        if number == LATEST:
            raise invalid_parameter(
                "Provisioned Concurrency Configs cannot be applied to unpublished function "
                "versions."
            )
        others = [
            name
            for name in function.provisioned
            if name in function.aliases
            and name != qualifier
            and function.aliases[name]["FunctionVersion"] == number
        ]
        if number in function.provisioned or others:
            raise conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already "
                "Provisioned version"
            )
        return
    for name in function.provisioned:
        if function.aliases.get(name, {}).get("FunctionVersion") == qualifier:
            raise conflict("Version is pointed by a Provisioned Concurrency alias")


def _amount(config: Document) -> int:
    return int(config["RequestedProvisionedConcurrentExecutions"])


def _ready(config: Document) -> Document:
    amount = _amount(config)
    return {
        **config,
        "AllocatedProvisionedConcurrentExecutions": amount,
        "AvailableProvisionedConcurrentExecutions": amount,
        "Status": "READY",
    }
