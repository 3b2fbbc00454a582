"""The account that Lambda's API shows: made from the settings, kept in the state folder.

What is kept is what the API has made: functions with all that belongs to them, layers, and event
source mappings. What it has changed of those of the definition is not: after a restart they are as
the definition says.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.model import Cors, FunctionUrl
from edgeproxy.awslambda.resources import FunctionResource, LayerVersion, UrlConfig, Version
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import EdgeproxyError, Place, UsageError
from edgeproxy.project.identifiers import DEFAULT_ACCOUNT, DEFAULT_REGION
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["AccountFile", "lambda_account"]


def lambda_account(
    settings: Settings, service: LambdaService, clock: Clock, tasks: Tasks
) -> LambdaAccount:
    """An account without functions, for now."""
    return LambdaAccount(
        service,
        clock,
        # Calls of the API must not shift what a seed gives to viewers' requests.
        Chance(settings.seed),
        settings.state_dir,
        account_id=DEFAULT_ACCOUNT,
        region=DEFAULT_REGION,
        concurrency=settings.account_concurrency,
        tasks=tasks,
    )


class AccountFile:
    """``lambda.json`` in the state folder."""

    def __init__(
        self, state_dir: Path, account: LambdaAccount, tell: Callable[[str], None]
    ) -> None:
        self._path = state_dir / "lambda.json"
        self._account = account
        self._tell = tell
        self._is_loaded = False

    def load(self) -> None:
        """Bring what was kept into service, the first time; keep changes from now on.

        Raises :class:`UsageError` for a file that is not ours.
        """
        if self._is_loaded:
            return
        self._is_loaded = True
        if self._path.exists():
            try:
                self._take(orjson.loads(self._path.read_bytes()))
            except (
                OSError, ValueError, TypeError, KeyError, AttributeError, EdgeproxyError
            ) as error:  # fmt: skip
                raise UsageError(
                    f"the functions made over Lambda's API cannot be read: {error}",
                    place=Place(self._path),
                    remedy="remove the file, and create the functions again",
                ) from error
        self._account.changed = self._save

    def _take(self, document: Any) -> None:
        account = self._account
        functions = [_function(each) for each in document["functions"]]
        account.last_layer_versions = document["last_layer_versions"]
        account.layers = {
            name: {
                int(number): LayerVersion(each["arn"], Path(each["folder"]), each["document"])
                for number, each in versions.items()
            }
            for name, versions in document["layers"].items()
        }
        for function in functions:
            account.put(function)
        for each in document.get("event_source_mappings", ()):
            account.event_sources.put(
                each["uuid"],
                each["members"],
                each["function"],
                each["qualifier"],
                each["modified_s"],
            )

    def _save(self) -> None:
        account = self._account
        functions = [each for each in account.functions.values() if each.declared is None]
        mappings = [
            {
                "uuid": uuid,
                "members": each.members,
                "function": each.mapping.function,
                "qualifier": each.mapping.qualifier,
                "modified_s": each.modified_s,
            }
            for uuid, each in account.event_sources.mappings.items()
            if not each.declared
        ]
        if not (functions or account.last_layer_versions or mappings or self._path.exists()):
            return
        document = {
            "functions": functions,
            "layers": account.layers,
            "last_layer_versions": account.last_layer_versions,
            "event_source_mappings": mappings,
        }
        options = orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2
        data = orjson.dumps(document, default=str, option=options)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self._path)
        except OSError as error:
            self._tell(f"{self._path} cannot be written: {error.strerror}")


def _function(document: dict[str, Any]) -> FunctionResource:
    return FunctionResource(
        **{
            **document,
            "latest": _version(document["latest"]),
            "published": {n: _version(each) for n, each in document["published"].items()},
            "urls": {
                qualifier: UrlConfig(**{**each, "url": _url(each["url"])})
                for qualifier, each in document["urls"].items()
            },
        }
    )


def _version(document: dict[str, Any]) -> Version:
    return Version(**{**document, "spec": _spec(document["spec"])})


def _spec(document: dict[str, Any]) -> FunctionSpec:
    log = document["log"]
    opt = document["opt"]
    return FunctionSpec(
        **{
            **document,
            "code_root": Path(document["code_root"]),
            "environment": tuple((name, value) for name, value in document["environment"]),
            "log": LogSettings(**{**log, "format": LogFormat(log["format"])}),
            "opt": Path(opt) if opt is not None else None,
            "command": tuple(document["command"]),
        }
    )


def _url(document: dict[str, Any]) -> FunctionUrl:
    cors = document["cors"]
    if cors is not None:
        lists = {name: tuple(value) for name, value in cors.items() if isinstance(value, list)}
        cors = Cors(**{**cors, **lists})
    return FunctionUrl(**{**document, "cors": cors})
