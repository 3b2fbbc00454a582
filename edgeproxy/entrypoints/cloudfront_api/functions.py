"""The operations on CloudFront Functions (CFF-ASSOC, CFF-TEST)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from edgeproxy.distribution import quotas
from edgeproxy.distribution.functions import (
    CloudFrontFunction,
    FunctionVersion,
    Stage,
    StagedFunction,
)
from edgeproxy.distribution.model import EdgeFunctionKind
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
from edgeproxy.entrypoints.cloudfront_api.tested import check_event, output

__all__ = ["NAME", "FunctionOperations"]

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
"""CFF-ASSOC-06; stores are named so too."""
MAX_FUNCTIONS: Final = 100
"""CFF-LIM-06"""
_RUNTIMES: Final = ("cloudfront-js-1.0", "cloudfront-js-2.0")


class FunctionOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._functions = account.functions
        self._arns = Arns(account.id)

    async def list(self, call: Call) -> Answer:
        wanted = [_stage(call.query["Stage"])] if "Stage" in call.query else list(Stage)
        members: list[tuple[str, Content]] = [
            (f"{staged.development.function.name}/{version.stage}", self._summary(staged, version))
            for staged in self._functions.all.values()
            for version in (staged.development, staged.live)
            if version is not None and version.stage in wanted
        ]
        return Answer(200, document("FunctionList", page(call, "FunctionSummary", members)))

    async def describe(self, call: Call) -> Answer:
        staged, version = self._version(call, call.query.get("Stage", ""))
        return self._summarised(200, staged, version)

    async def get(self, call: Call) -> Answer:
        _, version = self._version(call, call.query.get("Stage", ""))
        headers = {"Content-Type": "application/octet-stream", "ETag": version.etag}
        return Answer(200, version.function.code.encode(), headers)

    async def create(self, call: Call) -> Answer:
        request = parse(call.body, "CreateFunctionRequest")
        name = read(request, "Name")
        if not NAME.match(name):
            raise invalid_argument(f"{name!r} is no name: 1 to 64 letters, digits, - and _.")
        if name in self._functions.all:
            raise ApiError(
                409,
                "FunctionAlreadyExists",
                "A function with the same name already exists in this AWS account.",
            )
        if len(self._functions.all) >= MAX_FUNCTIONS:
            raise ApiError(400, "TooManyFunctions", "An account has at most 100 functions.")
        staged = self._functions.save(self._read_function(call, "CreateFunctionRequest", name))
        arn = self._arns.cloudfront("function", name)
        answer = self._summarised(201, staged, staged.development)
        location = {"Location": f"{call.url}/function/{arn}"}
        return Answer(201, answer.body, {**answer.headers, **location})

    async def update(self, call: Call) -> Answer:
        staged, held = self._version(call, Stage.DEVELOPMENT)
        if_match(call.if_match, held.etag)
        function = self._read_function(call, "UpdateFunctionRequest", held.function.name)
        staged = self._functions.save(function)
        answer = self._summarised(200, staged, staged.development)
        # AWS's own model of this one answer spells the header so, and its clients read that one.
        return replace(answer, headers={**answer.headers, "ETtag": staged.development.etag})

    async def publish(self, call: Call) -> Answer:
        _, held = self._version(call, Stage.DEVELOPMENT)
        if_match(call.if_match, held.etag)
        staged = self._functions.publish(held.function.name)
        assert staged.live is not None
        return Answer(200, document("FunctionSummary", self._summary(staged, staged.live)))

    async def delete(self, call: Call) -> Answer:
        _, held = self._version(call, Stage.DEVELOPMENT)
        if_match(call.if_match, held.etag)
        if self._is_associated(held.function.name):
            raise ApiError(
                409,
                "FunctionInUse",
                "Cannot delete the function because it's attached to one or more cache behaviors.",
            )
        self._functions.delete(held.function.name)
        return Answer(204)

    async def test(self, call: Call) -> Answer:
        """A failing function is a result as well (CFF-TEST-05)."""
        request = parse(call.body, "TestFunctionRequest")
        staged, version = self._version(call, read(request, "Stage", ""))
        if call.if_match != version.etag:
            # The only precondition error that this operation has.
            if_match("", version.etag)
        event = read_base64(request, "EventObject")
        event_type = check_event(event)
        outcome = self._functions.test(version.function.name, version.stage, event)
        text, problem = output(outcome, event_type)
        content: dict[str, Content] = {
            "FunctionSummary": self._summary(staged, version),
            "ComputeUtilization": str(outcome.utilisation),
            "FunctionExecutionLogs": named("member", outcome.logs),
            "FunctionErrorMessage": problem,
            "FunctionOutput": text,
        }
        return Answer(200, document("TestResult", content))

    def _version(self, call: Call, stage: str) -> tuple[StagedFunction, FunctionVersion]:
        wanted = _stage(stage or Stage.DEVELOPMENT)
        staged = self._functions.all.get(call.path["Name"])
        version = staged.in_stage(wanted) if staged is not None else None
        if staged is None or version is None:
            raise ApiError(
                404, "NoSuchFunctionExists", f"The specified function does not exist in {wanted}."
            )
        return staged, version

    def _read_function(self, call: Call, root: str, name: str) -> CloudFrontFunction:
        request = parse(call.body, root)
        code = read_base64(request, "FunctionCode")
        runtime = read(request, "FunctionConfig/Runtime")
        if runtime not in _RUNTIMES:
            raise invalid_argument(f"The runtime {runtime!r} is none of {', '.join(_RUNTIMES)}.")
        if not code:
            raise invalid_argument("FunctionCode is empty.")
        if len(code) > quotas.MAX_CLOUDFRONT_FUNCTION_BYTES:
            raise ApiError(
                413,
                "FunctionSizeLimitExceeded",
                f"The function has {len(code)} bytes; the limit is "
                f"{quotas.MAX_CLOUDFRONT_FUNCTION_BYTES} (CFF-LIM-01).",
            )
        path = "FunctionConfig/KeyValueStoreAssociations/Items/KeyValueStoreAssociation"
        associations = request.findall("/".join(f"{{*}}{each}" for each in path.split("/")))
        if len(associations) > 1:
            raise invalid_argument("A function has at most one key-value store (CFF-ASSOC-07).")
        if associations and runtime == "cloudfront-js-1.0":
            raise invalid_argument("Key-value stores need cloudfront-js-2.0 (CFF-KVS-01).")
        arns = [read(each, "KeyValueStoreARN") for each in associations]
        try:
            text = code.decode()
        except UnicodeDecodeError as error:
            raise invalid_argument("FunctionCode is not UTF-8.") from error
        held = self._functions.all.get(name)
        return CloudFrontFunction(
            name=name,
            runtime=runtime,
            code=text,
            key_value_store=self._store_name(arns[0]) if arns else "",
            logical_id=held.development.function.logical_id if held is not None else "",
            comment=read(request, "FunctionConfig/Comment"),
        )

    def _store_name(self, arn: str) -> str:
        for name, store in self._account.stores.all.items():
            if self._arns.cloudfront("key-value-store", store.values.id) == arn:
                return name
        raise invalid_argument(f"There is no key value store {arn}.")

    def _is_associated(self, name: str) -> bool:
        return any(
            association.kind is EdgeFunctionKind.CLOUDFRONT and association.function == name
            for deployed in self._account.distributions
            for behavior in deployed.distribution.all_behaviors
            for association in behavior.functions
        )

    def _summarised(self, status: int, staged: StagedFunction, version: FunctionVersion) -> Answer:
        body = document("FunctionSummary", self._summary(staged, version))
        return Answer(status, body, {"ETag": version.etag})

    def _summary(self, staged: StagedFunction, version: FunctionVersion) -> Mapping[str, Content]:
        function = version.function
        if version.stage is Stage.DEVELOPMENT and not staged.is_published:
            status = "UNPUBLISHED"
        else:
            status = "DEPLOYED" if self._is_associated(function.name) else "UNASSOCIATED"
        store = self._account.stores.all.get(function.key_value_store)
        stores = None
        if store is not None:
            arn = self._arns.cloudfront("key-value-store", store.values.id)
            stores = items("KeyValueStoreAssociation", [{"KeyValueStoreARN": arn}])
        return {
            "Name": function.name,
            "Status": status,
            "FunctionConfig": {
                "Comment": function.comment,
                "Runtime": function.runtime,
                "KeyValueStoreAssociations": stores,
            },
            "FunctionMetadata": {
                "FunctionARN": self._arns.cloudfront("function", function.name),
                "Stage": version.stage,
                "CreatedTime": timestamp(version.created_s),
                "LastModifiedTime": timestamp(version.modified_s),
            },
        }


def _stage(text: str) -> Stage:
    if text not in list(Stage):
        raise invalid_argument(f"The stage {text!r} is neither DEVELOPMENT nor LIVE.")
    return Stage(text)
