"""What the Python side of an execution environment writes to the function's log.

Records of ``logging`` and errors, as text or as JSON (LR-260, LR-261, LR-283, LR-284). What the
function prints is left as it is.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

WARNING = "LAMBDA_WARNING: Unhandled exception. The function's code could not be loaded."

# Attributes of a log record that are not the function's own.
OF_EVERY_RECORD = frozenset(
    ("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module", "exc_info",
     "exc_text", "stack_info", "lineno", "funcName", "created", "msecs", "relativeCreated",
     "thread", "threadName", "processName", "process", "taskName", "aws_request_id")
)  # fmt: skip


class Moment:
    """What is to be known of the process, and of the invocation at hand."""

    pid = 0
    as_json = False
    request_id = ""
    clock_offset_s = 0.0


def write_out(text: str) -> None:
    flush(sys.stdout, text)


def flush(stream: Any, text: str = "") -> None:
    try:
        if text:
            stream.write(text)
        stream.flush()
    except Exception:
        return  # the function closed or replaced the stream: there is nowhere to write to


def moment_of(seconds: float) -> time.struct_time:
    return time.gmtime(seconds + Moment.clock_offset_s)


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment_of(seconds))


def write_warning(dumps: Callable[[Any], str]) -> None:
    """That the code could not be loaded, as a record of the root logger (LR-012)."""
    now = time.time()
    if Moment.as_json:
        record = {
            "timestamp": stamp(now),
            "level": "WARNING",
            "message": WARNING,
            "logger": "root",
            "requestId": "",
        }
        write_out(dumps(record) + "\n")
    else:
        second = time.strftime("%Y-%m-%dT%H:%M:%S", moment_of(now))
        write_out(f"[WARNING]\t{second}.{int(now % 1 * 1000):03d}Z\t\t{WARNING}\r\n")


def write_error(document: dict[str, Any], dumps: Callable[[Any], str]) -> None:
    if Moment.as_json:
        head = {"timestamp": stamp(time.time()), "level": "ERROR"}
        write_out(dumps({**head, **document}) + "\n")
        return
    kind, message = document["errorType"], document["errorMessage"]
    lines = [
        f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}",
        "Traceback (most recent call last):",
    ]
    for frame in document["stackTrace"]:
        for line in frame.rstrip("\n").split("\n"):
            bare = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    write_out("\r".join(lines).replace("\n", "\r") + "\n")


class LoggingSetUp:
    """Gives the root logger AWS's handler as soon as the function imports ``logging``."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "logging":
            return None
        sys.meta_path.remove(LoggingSetUp)
        spec = importlib.machinery.PathFinder.find_spec(name, sys.path[1:], target)
        loader: Any = spec and spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            set_up_logging(module)

        loader.exec_module = exec_module
        return spec


def set_up_logging(logging: Any) -> None:
    class Handler(logging.Handler):  # type: ignore[misc]
        def emit(self, record: Any) -> None:
            text = self.format(record)
            write_out(text if text.endswith("\n") else text + "\n")

    def add_request_id(record: Any) -> bool:
        record.aws_request_id = Moment.request_id
        return True

    handler = Handler()
    handler.setFormatter(json_formatter(logging) if Moment.as_json else text_formatter(logging))
    handler.addFilter(add_request_id)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "") if Moment.as_json else ""
    if level:
        root.setLevel("DEBUG" if level == "TRACE" else level)


def text_formatter(logging: Any) -> Any:
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = moment_of
    return formatter


def json_formatter(logging: Any) -> Any:
    import json

    # What JSON has no form for is shown as text: a record is not lost for an attribute.
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    class JsonFormatter(logging.Formatter):  # type: ignore[misc]
        def format(self, record: Any) -> str:
            bare = isinstance(record.msg, dict) and not record.args
            entry = {
                "timestamp": stamp(record.created),
                "level": logging.getLevelName(min(max(record.levelno, 0), 50) // 10 * 10),
                "message": record.msg if bare else record.getMessage(),
                "logger": record.name,
            }
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                import traceback

                entry["stackTrace"] = traceback.format_tb(error.__traceback__)
                entry["errorType"] = type(error).__name__
                entry["errorMessage"] = str(error)
            entry["requestId"] = record.aws_request_id
            if error is not None:
                entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            for name, value in vars(record).items():
                if name not in OF_EVERY_RECORD and value is not None:
                    entry.setdefault(name, value)
            return encode(entry)

    return JsonFormatter()
