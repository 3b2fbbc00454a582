"""The operations on layers."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.packages import zipped
from edgeproxy.awslambda.resources import LayerVersion
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    invalid_parameter,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, decoded, page
from edgeproxy.entrypoints.lambda_api.functions import from_bucket, unpacked
from edgeproxy.http.body import BytesBody

__all__ = ["LayerOperations"]

_NAME: Final = re.compile(r"(?:arn:aws[^:]*:lambda:[^:]+:\d{12}:layer:)?([a-zA-Z0-9-_]+)")
_MISSING: Final = "The resource you requested does not exist."
_MOST_LISTED: Final = 50


class LayerOperations:
    """Operations on the layers of an account."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def publish(self, call: Call) -> Answer:
        members, name = await call.members(), _name(call)
        account, content = self._account, members.get("Content", {})
        if "ZipFile" in content:
            data = decoded(content["ZipFile"], "ZipFile")
        elif "S3Bucket" in content and "S3Key" in content:
            data = from_bucket(account, content["S3Bucket"], content["S3Key"])
        else:
            raise invalid_parameter("Please provide a source for layer content.")
        package = await unpacked(account, data)
        number = account.last_layer_versions.get(name, 0) + 1
        account.last_layer_versions[name] = number
        layer_arn, now = account.arn(f"layer:{name}"), account.clock.now()
        created = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        document: Document = {
            "Content": {"CodeSha256": package.sha256, "CodeSize": package.size},
            "LayerArn": layer_arn,
            "LayerVersionArn": f"{layer_arn}:{number}",
            "Description": members.get("Description", ""),
            "CreatedDate": created.replace("+00:00", "+0000"),
            "Version": number,
            **{
                key: members[key]
                for key in ("CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
                if key in members
            },
        }
        layer = LayerVersion(f"{layer_arn}:{number}", package.folder, document)
        account.layers.setdefault(name, {})[number] = layer
        account.changed()
        return json_answer(_shown(layer, call), 201)

    async def list_versions(self, call: Call) -> Answer:
        versions = self._account.layers.get(_name(call), {})
        items: list[tuple[str, object]] = [
            (str(number), _summary(versions[number])) for number in sorted(versions, reverse=True)
        ]
        return json_answer(page(call, "LayerVersions", items, _MOST_LISTED))

    async def list(self, call: Call) -> Answer:
        """Each layer with its newest version; or one version, by its ARN."""
        if call.query("find") == "LayerVersion":
            return self._by_arn(call)
        runtime = call.query("CompatibleRuntime")
        items: list[tuple[str, object]] = []
        for name, versions in sorted(self._account.layers.items()):
            if versions:
                newest = versions[max(versions)]
                if not runtime or runtime in newest.document.get("CompatibleRuntimes", [runtime]):
                    layer_arn = self._account.arn(f"layer:{name}")
                    latest = _summary(newest)
                    listed = {"LayerName": name, "LayerArn": layer_arn}
                    items.append((name, {**listed, "LatestMatchingVersion": latest}))
        return json_answer(page(call, "Layers", items, _MOST_LISTED))

    def _by_arn(self, call: Call) -> Answer:
        layer = self._account.layer(call.query("Arn"))
        if layer is None:
            raise not_found(_MISSING)
        return json_answer(_shown(layer, call))

    async def get(self, call: Call) -> Answer:
        return json_answer(_shown(self._version(call), call))

    async def package(self, call: Call) -> Answer:
        """What ``Content.Location`` leads to: the zip file."""
        data = await asyncio.to_thread(zipped, self._version(call).folder)
        return Answer(200, BytesBody(data), {"Content-Type": "application/zip"})

    async def delete(self, call: Call) -> Answer:
        """Functions that use the version keep it; nobody else can take it."""
        versions = self._account.layers.get(_name(call), {})
        number = call.path["Number"]
        if number.isdigit() and versions.pop(int(number), None) is not None:
            self._account.changed()
        return Answer(204)

    def _version(self, call: Call) -> LayerVersion:
        number = call.path["Number"]
        if not number.isdigit():
            raise validation_error((number, "versionNumber", "Member must be a number"))
        layer = self._account.layers.get(_name(call), {}).get(int(number))
        if layer is None:
            raise not_found(_MISSING)
        return layer


def _name(call: Call) -> str:
    text = unquote(call.path["LayerName"])
    found = _NAME.fullmatch(text)
    if found is None:
        constraint = f"Member must satisfy regular expression pattern: {_NAME.pattern}"
        raise validation_error((text, "layerName", constraint))
    return found[1]


def _shown(layer: LayerVersion, call: Call) -> Document:
    name, number = layer.document["LayerArn"].rpartition(":")[2], layer.document["Version"]
    location = f"{call.url}/2018-10-31/layers/{name}/versions/{number}/package"
    return {**layer.document, "Content": {**layer.document["Content"], "Location": location}}


def _summary(layer: LayerVersion) -> Document:
    return {k: v for k, v in layer.document.items() if k not in ("Content", "LayerArn")}
