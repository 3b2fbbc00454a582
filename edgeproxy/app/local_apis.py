"""The APIs beside Lambda's that functions call here: CodeDeploy, CloudWatch and KMS.

AWS's clients find them by ``AWS_ENDPOINT_URL_<SERVICE>``, which functions get that need them: KMS
all when there is a ``--kms-key``, CodeDeploy those that judge deployments.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.errors import Place, UsageError, reason
from edgeproxy.project.model import Project
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.entrypoints.target_api import TargetApi

__all__ = ["kms_keys", "local_apis", "with_endpoints"]

_KEY_BYTES: Final = 32


def local_apis(
    keys: Mapping[str, bytes],
    deployments: Deployments,
    account: LambdaAccount,
    request_id: Callable[[], str],
) -> "TargetApi":
    """The APIs of a program; ``keys`` are those of KMS."""
    from edgeproxy.entrypoints.code_deploy import deployment_operations
    from edgeproxy.entrypoints.kms import LocalKms
    from edgeproxy.entrypoints.target_api import TargetApi

    kms = LocalKms(keys, f"arn:aws:kms:{account.region}:{account.id}")
    return TargetApi({**deployment_operations(deployments), **kms.operations()}, request_id)


def kms_keys(settings: Settings) -> Mapping[str, bytes]:
    """What ``--kms-key`` names. Raises :class:`UsageError` for a file that is no key."""
    keys = {}
    for text in settings.kms_key:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--kms-key {text!r} is not of the form ID=FILE")
        try:
            keys[name] = Path(file).read_bytes()
        except OSError as error:
            raise UsageError(
                f"--kms-key {name}: the key cannot be read: {reason(error)}",
                place=Place(Path(file)),
            ) from error
        if len(keys[name]) != _KEY_BYTES:
            raise UsageError(
                f"--kms-key {name}: a key has {_KEY_BYTES} bytes, the file {len(keys[name])}",
                place=Place(Path(file)),
                remedy=f"make one with `openssl rand -out FILE {_KEY_BYTES}`",
            )
    return keys


def with_endpoints(project: Project, settings: Settings, url: str) -> Project:
    """``project`` with functions that find these APIs at ``url``; what they set themselves wins."""
    hooks = {
        hook.partition(":")[0]
        for function in project.functions.values()
        if (preference := function.deployment) is not None
        for hook in (preference.before, preference.after)
    }
    functions = {}
    for name, function in project.functions.items():
        environment = dict(function.spec.environment)
        if settings.kms_key:
            environment.setdefault("AWS_ENDPOINT_URL_KMS", url)
        if name in hooks:
            environment.setdefault("AWS_ENDPOINT_URL_CODEDEPLOY", url)
        spec = replace(function.spec, environment=tuple(environment.items()))
        functions[name] = replace(function, spec=spec)
    return replace(project, functions=functions)
