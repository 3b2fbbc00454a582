"""The operations on the account, and on settings that a function has beside its configuration."""

from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.layers import LARGEST_UNPACKED
from edgeproxy.awslambda.packages import LARGEST_ZIP, code_of
from edgeproxy.entrypoints.lambda_api.answers import Answer, json_answer, validation_error
from edgeproxy.entrypoints.lambda_api.calls import Call, Document
from edgeproxy.entrypoints.lambda_api.finding import find, find_named, find_version
from edgeproxy.runtimes.platform_events import runtime_version

__all__ = ["SettingsOperations"]

_ALL_CODE: Final = 80_530_636_800
_LOOPS: Final = ("Allow", "Terminate")
_UPDATES: Final = ("Auto", "FunctionUpdate", "Manual")


class SettingsOperations:
    """Operations on settings of an account."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def account(self, call: Call) -> Answer:
        """LI-343."""
        functions = list(self._account.functions.values())
        reserved = sum(function.reserved_concurrency or 0 for function in functions)
        versions = [v for f in functions for v in (f.latest, *f.published.values())]
        size = sum([(await code_of(version)).size for version in versions])
        return json_answer(
            {
                "AccountLimit": {
                    "TotalCodeSize": _ALL_CODE,
                    "CodeSizeUnzipped": LARGEST_UNPACKED,
                    "CodeSizeZipped": LARGEST_ZIP,
                    "ConcurrentExecutions": self._account.concurrency,
                    "UnreservedConcurrentExecutions": self._account.concurrency - reserved,
                },
                "AccountUsage": {"TotalCodeSize": size, "FunctionCount": len(functions)},
            }
        )

    async def get_recursion(self, call: Call) -> Answer:
        function = find(self._account, call)
        return json_answer({"RecursiveLoop": function.more.get("RecursiveLoop", "Terminate")})

    async def put_recursion(self, call: Call) -> Answer:
        chosen = _one_of((await call.members()).get("RecursiveLoop"), "recursiveLoop", _LOOPS)
        function = find(self._account, call)
        function.more["RecursiveLoop"] = chosen
        self._account.put(function)
        return json_answer({"RecursiveLoop": chosen})

    async def get_runtime_management(self, call: Call) -> Answer:
        function, version, qualifier = find_version(self._account, call)
        kept: Document = function.more.get("RuntimeManagement", {})
        config = kept.get(version.spec.version, {"UpdateRuntimeOn": "Auto"})
        return json_answer({**config, "FunctionArn": function.qualified_arn(qualifier)})

    async def put_runtime_management(self, call: Call) -> Answer:
        """Kept and shown; the runtime is the one that is installed here."""
        members = await call.members()
        function, version, qualifier = find_version(self._account, call)
        chosen = _one_of(members.get("UpdateRuntimeOn"), "updateRuntimeOn", _UPDATES)
        config = {"UpdateRuntimeOn": chosen}
        if chosen == "Manual":
            arn = members.get("RuntimeVersionArn") or runtime_version(version.spec)[1]
            config["RuntimeVersionArn"] = arn
        kept = function.more.setdefault("RuntimeManagement", {})
        kept[version.spec.version] = config
        self._account.changed()
        return json_answer({**config, "FunctionArn": function.qualified_arn(qualifier)})

    async def get_code_signing(self, call: Call) -> Answer:
        """No code is signed here: a function without a configuration."""
        function, _ = find_named(self._account, call)
        return json_answer({"FunctionName": function.name})


def _one_of(value: object, name: str, values: tuple[str, ...]) -> str:
    if value not in values:
        constraint = f"Member must satisfy enum value set: [{', '.join(values)}]"
        raise validation_error((str(value), name, constraint))
    return str(value)
