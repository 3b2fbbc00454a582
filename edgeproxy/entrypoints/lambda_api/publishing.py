"""Publishing: the code and the configuration of ``$LATEST`` become a numbered version."""

import asyncio
from dataclasses import replace
from hashlib import blake2b

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.packages import code_of, frozen_copy
from edgeproxy.awslambda.resources import Document, FunctionResource, Version
from edgeproxy.entrypoints.lambda_api.answers import LambdaError

__all__ = ["check_revision", "publish"]


def check_revision(version: Version, members: Document) -> None:
    """Refuse what was meant for another revision (LI-102)."""
    given = members.get("RevisionId")
    if given and given != version.revision_id:
        raise LambdaError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
        )


async def publish(account: LambdaAccount, function: FunctionResource, description: str) -> Version:
    """The new version; the last one when nothing has changed since (LI-100, LI-101)."""
    latest = function.latest
    if not latest.code_sha256:
        # Code that is run where it lies is copied, so that no edit reaches the version.
        package = await asyncio.to_thread(frozen_copy, await code_of(latest), account.code_folder)
        latest = replace(
            latest,
            spec=replace(latest.spec, code_root=package.folder),
            code_sha256=package.sha256,
            code_size=package.size,
        )
    fingerprint = _fingerprint(latest)
    last = function.published.get(str(function.last_version))
    if last is not None and function.more.get("Published") == fingerprint:
        return last
    function.last_version += 1
    number = str(function.last_version)
    settings = {**latest.settings, "Description": description} if description else latest.settings
    version = replace(
        latest,
        spec=replace(latest.spec, version=number),
        settings=settings,
        revision_id=account.chance.uuid(),
        modified_s=account.clock.now(),
    )
    function.published[number] = version
    function.more["Published"] = fingerprint
    return version


def _fingerprint(version: Version) -> str:
    spec = replace(version.spec, version="")
    text = f"{spec}\n{sorted(version.settings.items())}\n{version.code_sha256}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
