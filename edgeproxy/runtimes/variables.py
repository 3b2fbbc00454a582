"""The environment variables a function sees: AWS's own and the function's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LogFormat, log_group

__all__ = ["RESERVED", "variables", "wrapped"]

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

_CREDENTIALS: Final = frozenset(
    {"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
)
"""Reserved on AWS, where the role provides them; here only the user can."""

_INHERITED: Final = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What programs need of the machine they run on."""


def variables(
    spec: FunctionSpec, log_stream: str, runtime_dir: Path, tmp: str, machine: Mapping[str, str]
) -> dict[str, str]:
    """All variables of a new environment.

    The function's own win over the unreserved defaults (LR-161), not over the reserved ones.
    ``machine`` is the environment of this process; the little that is needed is taken from it.
    """
    defaults = {name: machine[name] for name in _INHERITED if name in machine}
    defaults |= {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PWD": str(spec.code_root),
        "SHLVL": "0",
        "TMPDIR": tmp,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    if spec.runtime.startswith("python"):
        defaults["LC_CTYPE"] = "C.UTF-8"
    else:
        defaults["NODE_PATH"] = str(spec.code_root)
    own = {
        name: value
        for name, value in spec.environment
        if name not in RESERVED or name in _CREDENTIALS
    }
    reserved = {
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": str(spec.code_root),
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": f"us-east-1.{spec.name}" if spec.edge else spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(spec.name, spec.log, edge=spec.edge),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
    }
    if spec.log.format is LogFormat.JSON:
        reserved |= {
            "AWS_LAMBDA_LOG_FORMAT": spec.log.format,
            "AWS_LAMBDA_LOG_LEVEL": spec.log.application_level,
        }
    return defaults | own | reserved


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
