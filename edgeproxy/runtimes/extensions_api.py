"""The Extensions API, version 2020-01-01: processes beside the runtime that hear of each event.

External extensions are the programs in ``/opt/extensions``, started before the runtime; internal
ones are in the runtime's own process. Init and invocations last until each has asked for its next
event (LR-180, LR-184).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import orjson

from edgeproxy.chance import Chance
from edgeproxy.runtimes.api_call import JSON, Call, error_body
from edgeproxy.runtimes.invocation import FunctionSpec, Invocation
from edgeproxy.runtimes.platform_events import ExtensionStarted

__all__ = ["EXTENSIONS_API", "ExtensionsApi", "ExtensionsApiOwner", "ShutdownReason"]

EXTENSIONS_API: Final = "/2020-01-01/extension/"

_MOST: Final = 10
_LARGEST_BODY: Final = 256 * 1024
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IDENTIFIER: Final = "Lambda-Extension-Identifier"
_OK: Final = b'{"status":"OK"}\n'


class ShutdownReason(StrEnum):
    """Why an environment ends (LR-232)."""

    SPINDOWN = "SPINDOWN"
    TIMEOUT = "TIMEOUT"
    FAILURE = "FAILURE"


class ExtensionsApiOwner(Protocol):
    """Who is told what extensions do."""

    def extension_failed(self, error_type: str, name: str) -> None:
        """An extension has reported an error; ``error_type`` is the platform's name for it."""

    def moved(self) -> None:
        """An extension has registered, or asks for its next event."""


class _State(StrEnum):
    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"


@dataclass(slots=True)
class _Extension:
    name: str
    external: bool
    state: _State = _State.STARTED
    identifier: str = ""
    events: frozenset[str] = frozenset()
    waiting: Call | None = None
    pending: list[bytes] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        return self.state is _State.READY and not self.pending


class ExtensionsApi:
    """The extensions of one environment; :meth:`restart` is for the next processes."""

    def __init__(self, spec: FunctionSpec, chance: Chance, owner: ExtensionsApiOwner) -> None:
        self._spec = spec
        self._chance = chance
        self._owner = owner
        self._extensions: list[_Extension] = []
        self._open = True

    def restart(self, external: Iterable[str]) -> None:
        """Other processes begin: those of the external extensions of these names, then others."""
        self._extensions = [_Extension(name, external=True) for name in external]
        self._open = True

    @property
    def registered(self) -> bool:
        """Whether all external extensions have registered, so that the runtime may start."""
        return all(extension.state is not _State.STARTED for extension in self._extensions)

    @property
    def idle(self) -> bool:
        """Whether all have asked for their next event."""
        return all(extension.idle for extension in self._extensions)

    @property
    def any(self) -> bool:
        """Whether one has registered."""
        return any(extension.identifier for extension in self._extensions)

    def started(self) -> list[ExtensionStarted]:
        """How far those have come that have registered."""
        return [
            ExtensionStarted(one.name, one.state, tuple(sorted(one.events)))
            for one in self._extensions
            if one.identifier
        ]

    def invoke(self, invocation: Invocation, deadline_ms: int, arn: str) -> None:
        """Tell those who want to hear of an invocation."""
        self._open = False
        event = {
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self._tell("INVOKE", event)

    def shut_down(self, reason: ShutdownReason, deadline_ms: int) -> None:
        """Tell those who want to hear of the end."""
        event = {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms}
        self._tell("SHUTDOWN", event)

    def _tell(self, kind: str, event: Mapping[str, object]) -> None:
        body = orjson.dumps(event)
        for extension in self._extensions:
            if kind in extension.events:
                extension.pending.append(body)
                self._hand_over(extension)

    def _hand_over(self, extension: _Extension) -> None:
        call = extension.waiting
        if call is None or not extension.pending:
            return
        extension.waiting = None
        extension.state = _State.RUNNING
        identified = (_IDENTIFIER, extension.identifier)
        event_identified = ("Lambda-Extension-Event-Identifier", self._chance.uuid())
        call.answer(200, extension.pending.pop(0), (*JSON, identified, event_identified))

    # Calls

    def called(self, call: Call) -> None:
        """Take a request; its path begins with :data:`EXTENSIONS_API`."""
        what = (call.method, call.path.removeprefix(EXTENSIONS_API))
        match what:
            case ("POST", "register"):
                call.collect(lambda body: self._register(call, body or b""), _LARGEST_BODY)
            case ("GET", "event/next"):
                call.on_end = lambda _: self._identified(call, self._next)
            case ("POST", "init/error"):
                call.collect(lambda _: self._identified(call, self._init_error), _LARGEST_BODY)
            case ("POST", "exit/error"):
                call.collect(lambda _: self._identified(call, self._exit_error), _LARGEST_BODY)
            case _:
                call.collect(lambda _: call.answer(404, b"404 page not found\n"), 0)

    def _register(self, call: Call, body: bytes) -> None:
        name = call.headers.get("lambda-extension-name", "")
        try:
            events = frozenset(orjson.loads(body)["events"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            _refuse(call, 400, "InvalidRequestFormat", 'The body is not {"events": [...]}')
            return
        extension = next((found for found in self._extensions if found.name == name), None)
        if not name:
            _refuse(call, 403, "Extension.InvalidExtensionName", "Empty extension name")
        elif extension is not None and extension.identifier:
            self._wrong_state(call, extension, _State.REGISTERED)
        elif extension is None and not self._open:
            _refuse(
                call, 403, "Extension.RegistrationClosed", "Extension registration closed already"
            )
        elif wrong := events - ({"INVOKE", "SHUTDOWN"} if extension else {"INVOKE"}):
            kind = "an external" if extension else "an internal"
            message = f"{', '.join(sorted(map(str, wrong)))}: no event for {kind} extension"
            _refuse(call, 403, "Extension.InvalidEventType", message)
        elif sum(1 for other in self._extensions if other.identifier) >= _MOST:
            message = f"Extension limit ({_MOST}) reached"
            _refuse(call, 403, "Extension.TooManyExtensions", message)
        else:
            if extension is None:
                extension = _Extension(name, external=False)
                self._extensions.append(extension)
            extension.identifier, extension.events = self._chance.uuid(), events
            extension.state = _State.REGISTERED
            spec = self._spec
            answer = {
                "functionName": spec.name,
                "functionVersion": spec.version,
                "handler": spec.handler,
            }
            if "accountId" in call.headers.get("lambda-extension-accept-feature", ""):
                answer["accountId"] = spec.arn.split(":")[4]
            identified = (_IDENTIFIER, extension.identifier)
            call.answer(200, orjson.dumps(answer), (*JSON, identified))
            self._owner.moved()

    def _identified(self, call: Call, then: Callable[[Call, _Extension], None]) -> None:
        """Go on with the extension that calls (LR-234)."""
        identifier = call.headers.get(_IDENTIFIER.lower(), "")
        extension = next((one for one in self._extensions if one.identifier == identifier), None)
        if not identifier:
            message = f"Missing {_IDENTIFIER} header"
            _refuse(call, 403, "Extension.MissingExtensionIdentifier", message)
        elif not _UUID.fullmatch(identifier):
            message = f"Invalid {_IDENTIFIER}"
            _refuse(call, 403, "Extension.InvalidExtensionIdentifier", message)
        elif extension is None:
            message = f"Unknown extension {identifier}"
            _refuse(call, 403, "Extension.UnknownExtensionIdentifier", message)
        else:
            then(call, extension)

    def _next(self, call: Call, extension: _Extension) -> None:
        ended = extension.state in (_State.INIT_ERROR, _State.EXIT_ERROR)
        if ended or extension.waiting is not None:
            self._wrong_state(call, extension, _State.READY)
            return
        extension.state = _State.READY
        extension.waiting = call
        call.on_cut = lambda: _gave_up(call, extension)
        self._hand_over(extension)
        self._owner.moved()

    def _init_error(self, call: Call, extension: _Extension) -> None:
        if extension.state is _State.REGISTERED:
            self._failed(call, extension, _State.INIT_ERROR, "Extension.InitError")
        else:
            self._wrong_state(call, extension, _State.INIT_ERROR)

    def _exit_error(self, call: Call, extension: _Extension) -> None:
        self._failed(call, extension, _State.EXIT_ERROR, "Extension.ExitError")

    def _failed(self, call: Call, extension: _Extension, state: _State, error_type: str) -> None:
        if not call.headers.get("lambda-extension-function-error-type"):
            message = "Missing Lambda-Extension-Function-Error-Type header"
            _refuse(call, 403, "Extension.MissingHeader", message)
            return
        extension.state = state
        call.answer(202, _OK)
        self._owner.extension_failed(error_type, extension.name)

    def _wrong_state(self, call: Call, extension: _Extension, wanted: _State) -> None:
        message = (
            f"State transition from {extension.state} to {wanted} failed for extension "
            f"{extension.name}. Error: State transition is not allowed"
        )
        _refuse(call, 403, "Extension.InvalidExtensionState", message)


def _gave_up(call: Call, extension: _Extension) -> None:
    if extension.waiting is call:
        extension.waiting = None


def _refuse(call: Call, status: int, kind: str, message: str) -> None:
    call.answer(status, error_body(message, kind))
