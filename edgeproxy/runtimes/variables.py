"""The environment variables a function sees: AWS's own and the function's own."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from edgeproxy.runtimes.custom import is_custom
from edgeproxy.runtimes.invocation import FunctionSpec, initialization_type
from edgeproxy.runtimes.log_settings import LogFormat, log_group

__all__ = ["CREDENTIALS", "NAME", "RESERVED", "for_extensions", "variables", "wrapped"]

RESERVED: Final = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)
"""Names that a function's configuration may not set (LR-160)."""

NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
"""What names of variables in a function's configuration look like, in AWS's words (LR-168)."""

CREDENTIALS: Final = frozenset(
    {"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
)
"""Reserved on AWS, where the role provides them; here only the user can."""

_NOT_FOR_EXTENSIONS: Final = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)

_INHERITED: Final = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What programs need of the machine they run on."""


def variables(
    spec: FunctionSpec,
    log_stream: str,
    runtime_dir: Path,
    tmp: str,
    machine: Mapping[str, str],
    api: str = "",
) -> dict[str, str]:
    """All variables of a new environment.

    The function's own win over the unreserved defaults (LR-161), not over the reserved ones.
    ``machine`` is the environment of this process; the little that is needed is taken from it.
    ``api`` is where the Runtime API is, for an environment that has one.
    """
    defaults = {name: machine[name] for name in _INHERITED if name in machine}
    defaults |= {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PWD": str(spec.code_root),
        "SHLVL": "0",
        "TMPDIR": tmp,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
    }
    if spec.runtime.startswith("python"):
        defaults["LC_CTYPE"] = "C.UTF-8"
    elif spec.runtime.startswith("nodejs"):
        defaults["NODE_PATH"] = str(spec.code_root)
    own = {
        name: value
        for name, value in spec.environment
        if name not in RESERVED or name in CREDENTIALS
    }
    reserved = {
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": str(spec.code_root),
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization_type(spec),
        "AWS_LAMBDA_FUNCTION_NAME": f"us-east-1.{spec.name}" if spec.edge else spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(spec.name, spec.log, edge=spec.edge),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
    }
    if not is_custom(spec):
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{spec.runtime}"
    if api:
        reserved["AWS_LAMBDA_RUNTIME_API"] = api
    if spec.log.format is LogFormat.JSON:
        reserved |= {
            "AWS_LAMBDA_LOG_FORMAT": spec.log.format,
            "AWS_LAMBDA_LOG_LEVEL": spec.log.application_level,
        }
    found = defaults | own | reserved
    return _with_layers(found, spec.runtime, spec.opt) if spec.opt is not None else found


def _with_layers(environ: dict[str, str], runtime: str, opt: Path) -> dict[str, str]:
    """The same, with the search paths that lead into layers (LR-301).

    They come after what is the function's own, whoever has set that (LR-302).
    """
    more = {"PATH": ["bin"], "LD_LIBRARY_PATH": ["lib"]}
    if runtime.startswith("python"):
        more["PYTHONPATH"] = [f"python/lib/{runtime}/site-packages", "python"]
    elif runtime.startswith("nodejs"):
        major = runtime.removeprefix("nodejs").removesuffix(".x")
        more["NODE_PATH"] = [f"nodejs/node{major}/node_modules", "nodejs/node_modules"]
    for name, folders in more.items():
        own = [environ[name]] if environ.get(name) else []
        environ[name] = os.pathsep.join([*own, *(str(opt / folder) for folder in folders)])
    return environ


def for_extensions(environ: Mapping[str, str]) -> dict[str, str]:
    """Of these, what an external extension gets to see (LR-173)."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("_") and name not in _NOT_FOR_EXTENSIONS
    }


def wrapped(command: Sequence[str], environ: Mapping[str, str], root: Path) -> Sequence[str]:
    """The command line, through the function's wrapper script if it names one (LR-174).

    ``/var/task`` in the script's path is the folder of the code.
    """
    script = environ.get("AWS_LAMBDA_EXEC_WRAPPER", "")
    if not script:
        return command
    if script.startswith("/var/task/"):
        script = str(root / script.removeprefix("/var/task/"))
    return (script, *command)
