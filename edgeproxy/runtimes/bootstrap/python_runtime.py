"""The Python side of an execution environment: loads the function, then answers events.

Runs alone inside the worker process and imports nothing of edgeproxy. The control channel is
file descriptor 3; stdout and stderr belong to the function. The interpreter is started without
``site``; installed packages are looked up the first time an import needs them. ``logging`` is set
up when the function imports it. Both would cost more than all the rest of a start.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import site
import sys
import time
import urllib

from python_json import make_dumps, make_loads  # type: ignore[import-not-found]
from python_logs import (  # type: ignore[import-not-found]
    LoggingSetUp,
    Moment,
    flush,
    write_error,
    write_out,
    write_warning,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType, TracebackType
    from typing import Any

CHANNEL = 3
FOLDER = __file__.removesuffix("python_runtime.py")
LARGEST_RESULT = 6291556


class Fault(Exception):
    """An error of the runtime itself, with AWS's name for it."""

    def __init__(self, kind: str, message: str, stack: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def _urllib_attribute(name: str) -> ModuleType:
    """``urllib.parse`` after a bare ``import urllib``: AWS's runtime has it loaded, and published
    examples rely on it. Here it is loaded when somebody asks."""
    if name == "parse":
        return importlib.import_module("urllib.parse")
    raise AttributeError(f"module 'urllib' has no attribute {name!r}")


vars(urllib)["__getattr__"] = _urllib_attribute


# Control channel


def read() -> bytes:
    """What has come; ends the process when its parent is gone."""
    return os.read(CHANNEL, 65536) or os._exit(0)


def receive() -> tuple[str, bytes | bytearray]:
    """The next invocation: its lines and its event."""
    data: bytes | bytearray = read()
    if len(data) < 8 or len(data) != 4 + int.from_bytes(data[:4], "big"):
        data = bytearray(data)
        while len(data) < 8 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            data += read()
    meta_end = 8 + int.from_bytes(data[4:8], "big")
    return data[8:meta_end].decode(), data[meta_end:]


def send(kind: bytes, body: bytes) -> None:
    if os.getpid() != Moment.pid:
        os._exit(0)  # a child that the function forked came back: its parent answers
    if len(body) > LARGEST_RESULT:
        kind, body = b"L", b"%d" % len(body)
    frame: bytes | memoryview = b"%b%b%b" % ((len(body) + 1).to_bytes(4, "big"), kind, body)
    written = os.write(CHANNEL, frame)
    if written < len(frame):
        frame = memoryview(frame)[written:]
        while frame:
            frame = frame[os.write(CHANNEL, frame) :]


# Errors


def stack_of(traceback: TracebackType | None) -> list[str]:
    """The frames in AWS's layout, without those of the runtime."""
    import linecache

    frames: list[str] = []
    while traceback is not None:
        frame, line = traceback.tb_frame, traceback.tb_lineno
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        traceback = traceback.tb_next
        if not file.startswith(FOLDER):
            source = linecache.getline(file, line, frame.f_globals).strip()
            shown = f"    {source}\n" if source else ""
            frames.append(f'  File "{file}", line {line}, in {name}\n{shown}')
    return frames


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def document_of(error: Exception, request_id: str) -> dict[str, Any]:
    if isinstance(error, Fault):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, stack_of(error.__traceback__)
    return {
        "errorMessage": text_of(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": stack,
    }


# Context


class Shown:
    """Prints as on AWS: its public attributes, in order."""

    def __repr__(self) -> str:
        told = (f"{name}={value}" for name, value in vars(self).items() if name[0] != "_")
        return f"{type(self).__name__}([{','.join(told)}])"


class CognitoIdentity(Shown):
    def __init__(self) -> None:
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Client(Shown):
    def __init__(self, values: dict[str, Any]) -> None:
        for name in (
            "installation_id",
            "app_title",
            "app_version_name",
            "app_version_code",
            "app_package_name",
        ):
            setattr(self, name, values.get(name))


class ClientContext(Shown):
    def __init__(self, values: dict[str, Any]) -> None:
        self.custom = values.get("custom")
        self.env = values.get("env")
        self.client = Client(values["client"]) if values.get("client") else None


class Named:
    """The variables that a context tells, which the function may have changed. ``os.environ``
    decodes them each time; here they are decoded when they are others than the last time."""

    names = (
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    )
    encoded = tuple(map(os.fsencode, names))
    last_encoded: Sequence[bytes | None] = ()
    last: Sequence[str | None] = ()

    @staticmethod
    def values() -> Sequence[str | None]:
        environ: Any = os.environ
        if not hasattr(environ, "_data"):  # the function has put something else there
            return [environ.get(name) for name in Named.names]
        encoded = tuple(map(environ._data.get, Named.encoded))
        if encoded != Named.last_encoded:
            Named.last = [environ.get(name) for name in Named.names]
            Named.last_encoded = encoded
        return Named.last


class LambdaContext(Shown):
    def __init__(
        self,
        request_id: str,
        deadline_ms: int,
        arn: str,
        tenant_id: str,
        client_context: dict[str, Any] | None,
    ) -> None:
        group, stream, name, memory, version = Named.values()
        self.aws_request_id = request_id
        self.log_group_name = group
        self.log_stream_name = stream
        self.function_name = name
        self.memory_limit_in_mb = memory
        self.function_version = version
        self.invoked_function_arn = arn
        self.client_context = None
        self.identity = CognitoIdentity()
        self.tenant_id = tenant_id or None
        self._deadline_ms = deadline_ms
        self._w3c = {}
        if client_context is not None:
            w3c = client_context.pop("w3c", None) or {}
            names = ("traceparent", "tracestate", "baggage")
            self._w3c = {name: w3c[name] for name in names if name in w3c}
            self.client_context = ClientContext(client_context)

    def get_remaining_time_in_millis(self) -> int:
        return max(int(self._deadline_ms + Pause.total_ms - time.time() * 1000), 0)

    def log(self, msg: object) -> None:
        write_out(str(msg))

    def w3c(self) -> dict[str, str]:
        return dict(self._w3c)


def parse_client_context(text: str, loads: Callable[[str], Any]) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        value = loads(text)
        return value if isinstance(value, dict) else {}
    except ValueError as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", f"Unable to parse Client Context JSON: {error}"
        ) from None


# Debuggers


class Pause:
    """What prompts of a debugger mean for the invocation at hand."""

    total_ms = 0.0
    allowed = True
    """Whether an answer on the channel would reach the debugger."""

    @staticmethod
    def end() -> None:
        """Give up a prompt that the code was stepping to."""


def debuggers() -> Any:
    """The part of the runtime that few functions need; one of theirs may have the same name."""
    name = "_edgeproxy_python_debug"
    module = sys.modules[name] = type(sys)(name)
    importlib.machinery.SourceFileLoader(name, f"{FOLDER}python_debug.py").exec_module(module)
    return module


class PdbSetUp:
    """Gives ``pdb``, and so ``breakpoint()``, the user's terminal."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "pdb":
            return None
        sys.meta_path.remove(PdbSetUp)
        spec: importlib.machinery.ModuleSpec = debuggers().pdb_spec(send, Pause)
        return spec


# Imports


class InstalledPackages:
    """Runs ``site`` when a module is not found without it, then looks again."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        sys.meta_path.remove(InstalledPackages)
        site.main()
        for finder in list(sys.meta_path):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


def tell_place(error: ImportError) -> None:
    """Say which line of the function's own files imports what failed: AWS's document does not."""
    root, place, traceback = os.environ["LAMBDA_TASK_ROOT"], "", error.__traceback__
    while traceback is not None:
        file, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        if file.startswith(root + os.sep):
            place = f"{file}:{line}"
        traceback = traceback.tb_next
    if place:
        import linecache

        file, _, line_text = place.rpartition(":")
        source = linecache.getline(file, int(line_text)).strip()
        flush(sys.stderr, f"edgeproxy: {place}: {source}\n")


def load(handler: str) -> Any:
    """The handler function that ``handler`` names (LR-001 to LR-008)."""
    try:
        module_name, attribute = handler.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {error}") from None
    name = module_name.replace("/", ".")
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        tell_place(error)
        raise Fault(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from None
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'],
        ) from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'"
        ) from None


# The story


def answer(
    handler: Any,
    meta: str,
    payload: bytes | bytearray,
    loads: Callable[[str], Any],
    dumps: Callable[[Any], str],
) -> tuple[bytes, bytes]:
    """The kind and body of the frame that answers one invocation."""
    request_id, deadline_ms, offset_s, arn, *rest = meta.split("\n", 6)
    trace_id, tenant_id, client_context = rest
    Moment.request_id, Moment.clock_offset_s = request_id, float(offset_s)
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        try:
            event = loads(payload.decode())
        except (ValueError, RecursionError) as error:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
        client = parse_client_context(client_context, loads)
        context = LambdaContext(request_id, int(deadline_ms), arn, tenant_id, client)
        result = handler(event, context)
        if isinstance(result, bytes):
            return b"R", result
        try:
            return b"R", dumps(result).encode()
        except Exception as error:
            raise Fault(
                "Runtime.MarshalError", f"Unable to marshal response: {text_of(error)}"
            ) from None
    except Exception as error:
        document = document_of(error, request_id)
        write_error(document, dumps)
        return b"E", dumps(document).encode("utf-8", "backslashreplace")


def main() -> None:
    root = os.environ["LAMBDA_TASK_ROOT"]
    Moment.pid = os.getpid()
    Moment.as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
    os.set_inheritable(CHANNEL, False)
    site.setquit()
    for name in (__name__, make_loads.__module__, Moment.__module__):
        sys.modules[f"_edgeproxy_{name}"] = sys.modules.pop(name)
    sys.path[0] = root
    debugger, sys.argv[1:] = sys.argv[1:], []
    sys.dont_write_bytecode = True
    sys.meta_path[:0] = [LoggingSetUp, PdbSetUp]
    sys.meta_path.append(InstalledPackages)
    declared = os.environ["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_python")
    loads, dumps = make_loads(), make_dumps(ascii_only=int(declared.split(".")[1]) < 12)
    try:
        if debugger:
            debuggers().listen(*debugger)
        handler = load(os.environ["_HANDLER"])
    except Exception as error:
        document = document_of(error, "")
        write_warning(dumps)
        write_error(document, dumps)
        send(b"I", dumps(document).encode("utf-8", "backslashreplace"))
        sys.exit(1)
    send(b"A", sys.version.split()[0].encode())
    while True:
        Pause.allowed = False
        meta, payload = receive()
        Pause.allowed, Pause.total_ms = True, 0.0
        kind, body = answer(handler, meta, payload, loads, dumps)
        Pause.end()
        flush(sys.stdout)
        flush(sys.stderr)
        send(kind, body)
