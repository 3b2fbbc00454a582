"""The operations on configurations of asynchronous invocation."""

import re
from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.model import is_fifo
from edgeproxy.awslambda.resources import FunctionResource
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    invalid_parameter,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, page
from edgeproxy.entrypoints.lambda_api.finding import named_by
from edgeproxy.entrypoints.lambda_api.names import constrained, parse_name

__all__ = ["EventInvokeOperations"]

_BOUNDS: Final = {
    "MaximumRetryAttempts": (0, 2),
    "MaximumEventAgeInSeconds": (60, 21_600),
}
_ARN: Final = (
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_SERVICE: Final = re.compile(r"arn:aws[^:]*:(?P<service>[^:]+):")
_SERVICES: Final = ("lambda", "sqs", "sns", "events", "s3")


class EventInvokeOperations:
    """Operations on retries, event age and destinations (LI-341, LI-198)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def put(self, call: Call) -> Answer:
        """Replaces the whole configuration."""
        members = await call.members()
        function, qualifier = self._existing(call)
        return self._store(function, qualifier, members)

    async def update(self, call: Call) -> Answer:
        """Changes what is given."""
        members = await call.members()
        function, qualifier = self._existing(call)
        before = function.event_invoke.get(qualifier)
        if before is None:
            raise self._missing(call)
        return self._store(function, qualifier, {**before, **members})

    async def get(self, call: Call) -> Answer:
        function, qualifier = self._configured(call)
        return json_answer(_document(function, qualifier))

    async def delete(self, call: Call) -> Answer:
        function, qualifier = self._configured(call)
        del function.event_invoke[qualifier]
        self._account.put(function)
        return Answer(204)

    async def list(self, call: Call) -> Answer:
        named = named_by(self._account, call)
        function = self._account.functions.get(named.name)
        if function is None:
            raise not_found("The function doesn't exist.")
        items: list[tuple[str, object]] = [
            (qualifier, _document(function, qualifier)) for qualifier in function.event_invoke
        ]
        return json_answer(page(call, "FunctionEventInvokeConfigs", items, 50))

    def _existing(self, call: Call) -> tuple[FunctionResource, str]:
        named = named_by(self._account, call)
        function = self._account.functions.get(named.name)
        if function is None or function.version(named.qualifier) is None:
            raise not_found("The function doesn't exist.")
        return function, named.qualifier or LATEST

    def _configured(self, call: Call) -> tuple[FunctionResource, str]:
        named = named_by(self._account, call)
        function = self._account.functions.get(named.name)
        qualifier = named.qualifier or LATEST
        if function is None or qualifier not in function.event_invoke:
            raise self._missing(call)
        return function, qualifier

    def _missing(self, call: Call) -> Exception:
        named = named_by(self._account, call)
        arn = self._account.function_arn(f"{named.name}:{named.qualifier or LATEST}")
        return not_found(f"The function {arn} doesn't have an EventInvokeConfig")

    def _store(self, function: FunctionResource, qualifier: str, members: Document) -> Answer:
        config = {key: members[key] for key in (*_BOUNDS, "DestinationConfig") if key in members}
        if not config:
            raise invalid_parameter(
                "You must specify at least one of error handling or destination setting."
            )
        for key, (low, high) in _BOUNDS.items():
            value = config.get(key, low)
            if not low <= value <= high:
                which, bound = ("greater", low) if value < low else ("less", high)
                constraint = f"Member must have value {which} than or equal to {bound}"
                raise validation_error((str(value), key[0].lower() + key[1:], constraint))
        destinations = config.get("DestinationConfig") or {}
        config["DestinationConfig"] = {
            key: {k: v for k, v in (destinations.get(key) or {}).items() if v}
            for key in ("OnSuccess", "OnFailure")
        }
        for key, destination in config["DestinationConfig"].items():
            self._check_destination(function, key, destination.get("Destination", ""))
        config["LastModified"] = round(self._account.clock.now(), 3)
        function.event_invoke[qualifier] = config
        self._account.put(function)
        return json_answer(_document(function, qualifier))

    def _check_destination(self, function: FunctionResource, key: str, arn: str) -> None:
        """LI-198."""
        name = f"destinationConfig.{key[0].lower()}{key[1:]}.destination"
        if wrong := constrained(arn, name, _ARN):
            raise validation_error(*wrong)
        found = _SERVICE.match(arn)
        if found is None:
            return
        is_refused = is_fifo(arn) or (found["service"] == "s3" and key == "OnSuccess")  # LI-190
        if is_refused or found["service"] not in _SERVICES:
            given = f"{key[0].lower()}{key[1:]}={key}(destination={arn})"
            other = "onFailure=null" if key == "OnSuccess" else "onSuccess=null"
            told = f"{given}, {other}" if key == "OnSuccess" else f"{other}, {given}"
            raise invalid_parameter(
                f"The provided destination config DestinationConfig({told}) is invalid."
            )
        if found["service"] == "lambda":
            account = self._account
            named = parse_name(arn, "", account.region, account.id, invoked=True)
            if named.name == function.name:
                raise invalid_parameter(
                    "You can't specify the function as a destination for itself."
                )
            if named.name not in account.functions:
                raise invalid_parameter(f"The destination ARN {arn} is invalid.")


def _document(function: FunctionResource, qualifier: str) -> Document:
    return {
        "FunctionArn": function.qualified_arn(qualifier),
        **function.event_invoke[qualifier],
    }
