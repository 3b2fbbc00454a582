"""One global scope of the JavaScript engine with a function in it.

The engine offers no way to call Python while a time limit is in force, so the host is asked in
turns: ``step`` returns text, and what a function wants to read from its key-value store is answered
between two steps. All text passes as JSON; the engine's own strings may be ropes, which the binding
cannot return.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import orjson
import quickjs

__all__ = ["MEMORY_BYTES", "STEP_CPU_S", "Realm", "Stopped", "syntax_error"]

MEMORY_BYTES: Final = 2 * 1024 * 1024
"""CFF-LIM-02; what the runtime itself takes is not counted."""
STEP_CPU_S: Final = 0.05
"""CPU time after which a run is stopped. AWS does not publish its limit ("submillisecond",
CFF-LIM-03); this one is far above, so that only runaway code meets it on a slow machine."""
_COMPILE_CPU_S: Final = 5.0
_HOST_LINE: Final = 20_000
"""Host code stands below this line, so that a stack trace tells it from the function's."""

Imports: TypeAlias = Sequence[tuple[str, str]]
"""Names that a function's imports bind, each with its module."""


class Stopped(Exception):
    """The engine ended a step: ``timed_out``, or else the memory was used up."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("time" if timed_out else "memory")
        self.timed_out = timed_out


class Realm:
    """A fresh global scope. A ``frozen`` one has read-only built-ins and may serve many runs."""

    def __init__(
        self,
        body: str,
        imports: Imports,
        version: int,
        *,
        frozen: bool,
        handler: str = "handler",
    ) -> None:
        self._context = quickjs.Context()
        self._context.set_time_limit(_COMPILE_CPU_S)
        boot = self._context.eval("\n" * _HOST_LINE + _prelude("main"))
        factory = self._context.eval(
            f'(function ({_names(imports)}) {{"use strict";\n{body}\n'
            f';return typeof {handler} === "undefined" ? undefined : {handler}}})'
        )
        modules = orjson.dumps([module for _, module in imports]).decode()
        self._step = boot(factory, version, _sources(version), modules, frozen, _HOST_LINE, handler)
        self._context.set_memory_limit(self._context.memory()["malloc_size"] + MEMORY_BYTES)
        self._context.set_time_limit(STEP_CPU_S)

    def step(self, operation: str, *texts: str) -> str:
        """One turn of the function. Raises :class:`Stopped`; the realm is of no use then."""
        try:
            result = self._step(operation, *texts)
        except (quickjs.JSException, UnicodeDecodeError) as error:
            raise Stopped(timed_out="interrupted" in str(error)) from error
        return str(result)

    def run_job(self) -> bool:
        """One pending promise job; False when there was none. Raises :class:`Stopped`."""
        try:
            return bool(self._context.execute_pending_job())
        except quickjs.JSException as error:
            raise Stopped(timed_out="interrupted" in str(error)) from error


def syntax_error(body: str, imports: Imports) -> str:
    """What the engine has against ``body`` as strict code, or an empty string."""
    if "\0" in body:
        # The binding takes C strings, and JavaScript has no use for the character either.
        line = body[: body.index("\0")].count("\n") + 2
        return f"SyntaxError: unexpected NUL character\n    at <input>:{line}:1"
    context = quickjs.Context()
    context.set_time_limit(_COMPILE_CPU_S)
    try:
        # Parsed as a whole before the first statement throws. As in a realm, the code's line 1 is
        # the engine's line 2.
        names = f"let {_names(imports)};" if imports else ""
        context.eval(f'"use strict";throw null;{names}\n{body}')
    except quickjs.JSException as error:
        text = str(error)
        return text if text.startswith("SyntaxError") else ""
    return ""


def _names(imports: Imports) -> str:
    return ", ".join(name for name, _ in imports)


@cache
def _prelude(name: str) -> str:
    return (
        files("edgeproxy.runtimes.cloudfront_js")
        .joinpath("prelude", f"{name}.js")
        .read_text("utf-8")
    )


_MODULES: Final = {
    1: ("surface", "text", "hash", "crypto", "querystring", "bytestrings"),
    2: ("surface", "text", "hash", "crypto", "querystring", "buffer", "cwt"),
}


@cache
def _sources(version: int) -> str:
    return orjson.dumps({name: _prelude(name) for name in _MODULES[version]}).decode()
