"""The operations on reserved and on provisioned concurrency."""

from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.resources import FunctionResource, provisioned_document
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
from edgeproxy.runtimes.provisioned import ProvisionedState

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
        if self._left_beside(function) - wanted < self._floor and wanted:
            raise invalid_parameter(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{self._floor}]."
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

    @property
    def _floor(self) -> int:
        """What must be left for functions without reservation (LI-121)."""
        # With a smaller account than AWS gives, its floor would leave nothing to reserve.
        return min(_UNRESERVED, self._account.concurrency // 10)

    def _left_beside(self, function: FunctionResource) -> int:
        """What other functions have not set aside for themselves."""
        others = [each for each in self._account.functions.values() if each is not function]
        return self._account.concurrency - sum(
            sum(_amount(config) for config in each.provisioned.values())
            if each.reserved_concurrency is None
            else each.reserved_concurrency
            for each in others
        )

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
        if reserved is None and self._left_beside(function) - others - wanted < self._floor:
            raise invalid_parameter(
                "Specified ConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{self._floor}]."
            )
        known = self._account.service.provisioned(function.name, qualifier)
        if known is not None and known.state is ProvisionedState.FAILED:
            # To ask again is to try again.
            function.provisioned.pop(qualifier, None)
            self._account.put(function)
        now = self._account.clock.now()
        function.provisioned[qualifier] = provisioned_document(wanted, now)
        self._account.put(function)
        return json_answer(self._shown(function, qualifier), 202)

    async def get_provisioned(self, call: Call) -> Answer:
        if call.query("List") == "ALL":
            return self._list_provisioned(call)
        function, qualifier = self._provisioned(call)
        if qualifier not in function.provisioned:
            raise LambdaError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )
        return json_answer(self._shown(function, qualifier))

    def _list_provisioned(self, call: Call) -> Answer:
        function = find(self._account, call)
        items: list[tuple[str, object]] = [
            (key, {"FunctionArn": function.qualified_arn(key), **self._shown(function, key)})
            for key in function.provisioned
        ]
        return json_answer(page(call, "ProvisionedConcurrencyConfigs", items, _MOST_LISTED))

    async def delete_provisioned(self, call: Call) -> Answer:
        function, qualifier = self._provisioned(call)
        if function.provisioned.pop(qualifier, None) is not None:
            self._account.put(function)
        return Answer(204)

    def _shown(self, function: FunctionResource, qualifier: str) -> Document:
        """A configuration and how far it has come."""
        status = self._account.service.provisioned(function.name, qualifier)
        available = status.available if status is not None else 0
        shown = {
            **function.provisioned[qualifier],
            "AllocatedProvisionedConcurrentExecutions": available,
            "AvailableProvisionedConcurrentExecutions": available,
            # Code of the definition may still have to load, before anything else.
            "Status": status.state if status is not None else ProvisionedState.IN_PROGRESS,
        }
        return (
            shown
            if status is None or not status.reason
            else {**shown, "StatusReason": status.reason}
        )

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
