"""The operations on functions: create, show, change, delete; and their packages of code."""

import asyncio
from dataclasses import replace
from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.packages import LARGEST_ZIP, BadPackage, Package, unpack, zipped
from edgeproxy.awslambda.resources import FunctionResource, Version
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
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, decoded, page
from edgeproxy.entrypoints.lambda_api.configuration import (
    CREATED,
    READY,
    UPDATED,
    configuration,
    configured,
)
from edgeproxy.entrypoints.lambda_api.constraints import one_of
from edgeproxy.entrypoints.lambda_api.finding import find, find_version, updating
from edgeproxy.entrypoints.lambda_api.names import ALIAS_NAME, constrained, parse_name
from edgeproxy.entrypoints.lambda_api.publishing import check_revision, publish
from edgeproxy.entrypoints.lambda_api.tags import check_tags
from edgeproxy.errors import UsageError
from edgeproxy.http.body import BytesBody
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = ["FunctionOperations", "from_bucket", "unpacked"]

_LONGEST_NAME: Final = 64
_MOST_LISTED: Final = 50
_TOO_LARGE: Final = f"Zipped size must be smaller than {LARGEST_ZIP} bytes"


class FunctionOperations:
    """Operations on the functions of an account."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def create(self, call: Call) -> Answer:
        members = await call.members()
        account = self._account
        for required in ("FunctionName", "Role", "Code"):
            if not members.get(required):
                name = required[0].lower() + required[1:]
                raise validation_error(("null", name, "Member must not be null"))
        name = parse_name(members["FunctionName"], "", account.region, account.id).name
        if len(name) > _LONGEST_NAME:
            constraint = f"Member must have length less than or equal to {_LONGEST_NAME}"
            raise validation_error((members["FunctionName"], "functionName", constraint))
        if name in account.functions:
            raise conflict(f"Function already exist: {name}")
        check_tags(members.get("Tags", {}))
        spec = FunctionSpec(
            name,
            "",
            "",
            account.code_folder,
            account.function_arn(name),
            region=account.region,
        )
        blank = Version(spec, {}, account.chance.uuid(), account.clock.now())
        # Nothing is unpacked for a function that is refused.
        await configured(account, blank, {**members, "Layers": []})
        for required in ("Runtime", "Handler"):
            if not members.get(required):
                raise invalid_parameter(
                    "Runtime and Handler are mandatory parameters for functions created with "
                    "deployment packages."
                )
        packed = _with_code(blank, await self._package(members["Code"]))
        function = FunctionResource(name, await configured(account, packed, members))
        if name in account.functions:
            raise conflict(f"Function already exist: {name}")
        function.tags = dict(members.get("Tags", {}))
        shown = function.latest
        if members.get("Publish"):
            shown = await publish(account, function, "")
        account.put(function)
        return json_answer(await configuration(account, function, shown, state=CREATED), 201)

    async def list(self, call: Call) -> Answer:
        """``FunctionVersion=ALL`` lists published versions as well."""
        account, asked = self._account, call.query("FunctionVersion")
        if wrong := list(one_of(asked or "ALL", "functionVersion", ("ALL",))):
            raise validation_error(*wrong)
        with_versions = bool(asked)
        items: list[tuple[str, object]] = []
        for name, function in list(account.functions.items()):
            versions = [function.latest]
            if with_versions:
                versions += function.published.values()
            for version in versions:
                qualifier = version.spec.version if with_versions else ""
                document = await configuration(account, function, version, qualifier, {})
                items.append((f"{name}:{version.spec.version}", document))
        return json_answer(page(call, "Functions", items, _MOST_LISTED, largest=10_000))

    async def get(self, call: Call) -> Answer:
        function, version, qualifier = find_version(self._account, call)
        document: Document = {
            "Configuration": await configuration(self._account, function, version, qualifier),
            "Code": {
                "RepositoryType": "S3",
                "Location": f"{call.url}/2015-03-31/functions/{function.name}/package"
                f"?Qualifier={version.spec.version}",
            },
        }
        if function.tags:
            document["Tags"] = function.tags
        if function.reserved_concurrency is not None and not qualifier:
            document["Concurrency"] = {
                "ReservedConcurrentExecutions": function.reserved_concurrency
            }
        return json_answer(document)

    async def get_configuration(self, call: Call) -> Answer:
        function, version, qualifier = find_version(self._account, call)
        return json_answer(await configuration(self._account, function, version, qualifier))

    async def package(self, call: Call) -> Answer:
        """What ``Code.Location`` leads to: the zip file (LI-335)."""
        _, version, _ = find_version(self._account, call)
        data = await asyncio.to_thread(zipped, version.spec.code_root)
        return Answer(200, BytesBody(data), {"Content-Type": "application/zip"})

    async def update_configuration(self, call: Call) -> Answer:
        members = await call.members()
        function = find(self._account, call)
        check_revision(function.latest, members)
        with updating(self._account, function):
            self._change(function, await configured(self._account, function.latest, members))
        shown = await configuration(self._account, function, function.latest, state=UPDATED)
        return json_answer(shown)

    async def update_code(self, call: Call) -> Answer:
        members = await call.members()
        function = find(self._account, call)
        check_revision(function.latest, members)
        with updating(self._account, function):
            return await self._update_code(function, members)

    async def _update_code(self, function: FunctionResource, members: Document) -> Answer:
        account = self._account
        code = {k: v for k, v in members.items() if k.startswith(("Zip", "S3B", "S3K", "Image"))}
        changed = _with_code(function.latest, await self._package(code))
        if "Architectures" in members:
            changed = await configured(
                account, changed, {"Architectures": members["Architectures"]}
            )
        if members.get("DryRun"):
            shown = FunctionResource(function.name, changed)
            return json_answer(await configuration(account, shown, changed, state=READY))
        self._change(function, changed)
        if not members.get("Publish"):
            return json_answer(
                await configuration(account, function, function.latest, state=UPDATED)
            )
        version = await publish(account, function, "")
        account.put(function)
        number = version.spec.version
        return json_answer(await configuration(account, function, version, number, CREATED))

    def _change(self, function: FunctionResource, version: Version) -> None:
        account = self._account
        function.latest = replace(
            version, revision_id=account.chance.uuid(), modified_s=account.clock.now()
        )
        account.put(function)

    async def delete(self, call: Call) -> Answer:
        account = self._account
        named = parse_name(
            call.path["FunctionName"],
            call.query("Qualifier"),
            account.region,
            account.id,
            invoked=True,
        )
        function = account.functions.get(named.name)
        if named.qualifier == LATEST:
            raise invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function."
            )
        if not constrained(named.qualifier, "name", ALIAS_NAME):
            raise invalid_parameter("Deletion of aliases is not currently supported.")
        if function is None or named.qualifier.startswith("$"):
            raise not_found(f"Function not found: {account.function_arn(named.name)}")
        with updating(account, function):
            if named.qualifier:
                self._delete_version(function, named.qualifier)
            else:
                await account.remove(function)
        return Answer(204)

    def _delete_version(self, function: FunctionResource, number: str) -> None:
        if number not in function.published:
            raise not_found(f"Function not found: {function.qualified_arn(number)}")
        for name, alias in function.aliases.items():
            weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            if number == alias["FunctionVersion"] or number in weights:
                raise conflict(f"Version {number} cannot be deleted: the alias {name} points to it")
        del function.published[number]
        for mapping in (function.provisioned, function.event_invoke, function.policies):
            mapping.pop(number, None)
        self._account.put(function)

    async def _package(self, code: Document) -> Package:
        """The package that a client sends or names (LI-337)."""
        if "ImageUri" in code:
            raise invalid_parameter(
                "Functions of package type Image do not run here. Package the function as a zip "
                "file."
            )
        if "ZipFile" in code:
            data = decoded(code["ZipFile"], "ZipFile")
        elif "S3Bucket" in code and "S3Key" in code:
            data = from_bucket(self._account, code["S3Bucket"], code["S3Key"])
        else:
            raise invalid_parameter("Please provide a source for function code.")
        return await unpacked(self._account, data)


def from_bucket(account: LambdaAccount, bucket: str, key: str) -> bytes:
    """The object of a bucket, which is a folder below the account's folder for buckets."""
    root = (account.buckets_folder / bucket).resolve()
    file = (root / key).resolve()
    if not (file.is_relative_to(root) and root.parent == account.buckets_folder.resolve()):
        raise invalid_parameter(f"{bucket} is no name of a bucket, or {key} none of a key in it.")
    if not file.is_file():
        raise invalid_parameter(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
            f"The specified key does not exist. edgeproxy looks for it at {file}"
        )
    return file.read_bytes()


async def unpacked(account: LambdaAccount, data: bytes) -> Package:
    """The package in a zip file, unpacked below the account's folder for code."""
    if len(data) > LARGEST_ZIP:
        raise LambdaError("RequestEntityTooLargeException", _TOO_LARGE)
    try:
        return await asyncio.to_thread(unpack, data, account.code_folder)
    except BadPackage as error:
        raise invalid_parameter(str(error)) from error
    except OSError as error:
        raise UsageError(
            f"{account.code_folder}: the code cannot be kept there: {error.strerror}",
            remedy="make room for it, or give another --state-dir",
        ) from error


def _with_code(version: Version, package: Package) -> Version:
    return replace(
        version,
        spec=replace(version.spec, code_root=package.folder),
        code_sha256=package.sha256,
        code_size=package.size,
    )
