"""The function that a call's path names, as it is in the account."""

from collections.abc import Iterator
from contextlib import contextmanager

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.resources import FunctionResource, Version
from edgeproxy.entrypoints.lambda_api.answers import conflict, not_found
from edgeproxy.entrypoints.lambda_api.calls import Call
from edgeproxy.entrypoints.lambda_api.names import Named, parse_name

__all__ = ["find", "find_named", "find_version", "named_by", "updating"]


def named_by(account: LambdaAccount, call: Call, *, dotted: bool = True) -> Named:
    """How the call names a function. Some operations know no names with dots (LI-339)."""
    text, qualifier = call.path["FunctionName"], call.query("Qualifier")
    return parse_name(text, qualifier, account.region, account.id, invoked=dotted)


def find_named(
    account: LambdaAccount, call: Call, *, dotted: bool = True
) -> tuple[FunctionResource, Named]:
    """The function, which must be there, and how it was named."""
    named = named_by(account, call, dotted=dotted)
    function = account.functions.get(named.name)
    if function is None:
        shown = f":{named.qualifier}" if named.qualifier else ""
        raise not_found(f"Function not found: {account.function_arn(named.name)}{shown}")
    return function, named


def find(account: LambdaAccount, call: Call) -> FunctionResource:
    """The function of an operation that is about all its versions."""
    return find_named(account, call, dotted=False)[0]


def find_version(account: LambdaAccount, call: Call) -> tuple[FunctionResource, Version, str]:
    """The function, the version and the qualifier that it was asked for under."""
    function, named = find_named(account, call)
    version = function.version(named.qualifier)
    if version is None:
        raise not_found(f"Function not found: {function.qualified_arn(named.qualifier)}")
    return function, version, named.qualifier


@contextmanager
def updating(account: LambdaAccount, function: FunctionResource) -> Iterator[None]:
    """Keeps other updates of the function away while one is made (LI-312)."""
    if function.name in account.updating:
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {function.arn}"
        )
    account.updating.add(function.name)
    try:
        yield
    finally:
        account.updating.remove(function.name)
