"""The operations on connection functions: to look at them and to test them (CFF-CONN-04).

A function is named by its ID, its ARN or its name.
"""

from dataclasses import replace

import orjson

from edgeproxy.distribution.functions import FunctionVersion, Stage, StagedFunction
from edgeproxy.entrypoints.cloudfront_api.account import Account
from edgeproxy.entrypoints.cloudfront_api.answers import (
    Answer,
    ApiError,
    if_match,
    invalid_argument,
)
from edgeproxy.entrypoints.cloudfront_api.calls import Call, page
from edgeproxy.entrypoints.cloudfront_api.distribution_config import Arns
from edgeproxy.entrypoints.cloudfront_api.documents import (
    Content,
    document,
    items,
    named,
    parse,
    read,
    read_base64,
    timestamp,
)
from edgeproxy.entrypoints.cloudfront_api.tested import MAX_EVENT_BYTES
from edgeproxy.runtimes.cloudfront_js.outcome import Failed

__all__ = ["ConnectionFunctionOperations"]


class ConnectionFunctionOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._functions = account.connection_functions
        self._arns = Arns(account.id)

    async def list(self, call: Call) -> Answer:
        # Who asks for everything sends no body.
        root = "ListConnectionFunctionsRequest"
        request = parse(call.body or f"<{root}/>".encode(), root)
        names = {name: text for name in ("Marker", "MaxItems") if (text := read(request, name, ""))}
        stage = _stage(read(request, "Stage", ""))
        members: list[tuple[str, Content]] = [
            (_id(staged), self._summary(version))
            for staged in self._functions.all.values()
            if (version := staged.in_stage(stage)) is not None
        ]
        listed = page(replace(call, query=names), "ConnectionFunctionSummary", members)
        content = {"NextMarker": listed["NextMarker"], "ConnectionFunctions": listed["Items"]}
        return Answer(200, document("ListConnectionFunctionsResult", content))

    async def describe(self, call: Call) -> Answer:
        version = self._version(call.path["Identifier"], call.query.get("Stage", ""))
        body = document("ConnectionFunctionSummary", self._summary(version))
        return Answer(200, body, {"ETag": version.etag})

    async def get(self, call: Call) -> Answer:
        version = self._version(call.path["Identifier"], call.query.get("Stage", ""))
        headers = {"Content-Type": "application/octet-stream", "ETag": version.etag}
        return Answer(200, version.function.code.encode(), headers)

    async def test(self, call: Call) -> Answer:
        """A failing function is a result as well (CFF-TEST-05)."""
        request = parse(call.body, "TestConnectionFunctionRequest")
        version = self._version(call.path["Identifier"], read(request, "Stage", ""))
        if_match(call.if_match, version.etag)
        connection = read_base64(request, "ConnectionObject")
        if len(connection) > MAX_EVENT_BYTES:
            raise invalid_argument(f"The connection object has {len(connection)} bytes.")
        try:
            orjson.loads(connection)
        except orjson.JSONDecodeError as error:
            raise invalid_argument(f"The connection object is not JSON: {error}.") from error
        outcome = self._functions.test(version.function.name, version.stage, connection)
        problem = outcome.message if isinstance(outcome, Failed) else ""
        content: dict[str, Content] = {
            "ConnectionFunctionSummary": self._summary(version),
            "ComputeUtilization": str(outcome.utilisation),
            "ConnectionFunctionExecutionLogs": named("member", outcome.logs),
            "ConnectionFunctionErrorMessage": problem,
            # What AWS shows here is not documented: the decision, which without one is to deny.
            "ConnectionFunctionOutput": "" if problem else str(outcome.result or "deny"),
        }
        return Answer(200, document("ConnectionFunctionTestResult", content))

    def _version(self, identifier: str, stage: str) -> FunctionVersion:
        wanted, known = _stage(stage), identifier.rpartition("/")[2]
        for name, staged in self._functions.all.items():
            version = staged.in_stage(wanted)
            if version is not None and known in (name, _id(staged)):
                return version
        raise ApiError(
            404, "EntityNotFound", f"There is no connection function {identifier} in {wanted}."
        )

    def _summary(self, version: FunctionVersion) -> dict[str, Content]:
        function = version.function
        store = self._account.stores.all.get(function.key_value_store)
        arns = [] if store is None else [self._arns.cloudfront("key-value-store", store.values.id)]
        is_used = any(
            each.distribution.connection_function == function.name
            for each in self._account.distributions
        )
        return {
            "Name": function.name,
            "Id": function.id,
            "ConnectionFunctionConfig": {
                "Comment": function.comment,
                "Runtime": function.runtime,
                "KeyValueStoreAssociations": items(
                    "KeyValueStoreAssociation", [{"KeyValueStoreARN": arn} for arn in arns]
                ),
            },
            "ConnectionFunctionArn": self._arns.cloudfront("connection-function", function.id),
            "Status": "DEPLOYED" if is_used else "UNASSOCIATED",
            "Stage": version.stage,
            "CreatedTime": timestamp(version.created_s),
            "LastModifiedTime": timestamp(version.modified_s),
        }


def _id(staged: StagedFunction) -> str:
    return staged.development.function.id


def _stage(text: str) -> Stage:
    if text and text not in list(Stage):
        raise invalid_argument(f"The stage {text!r} is neither DEVELOPMENT nor LIVE.")
    return Stage(text or Stage.DEVELOPMENT)
