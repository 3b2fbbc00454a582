"""Runs CloudFront Functions inside the process.

The engine is quickjs-ng, chosen for fidelity first. CloudFront's runtimes are strict ECMAScript 5.1
with listed additions and nothing that a browser or Node.js adds; quickjs-ng starts nearly as bare,
so what is not listed can be taken away (``prelude/surface.js``), and refused syntax is found in the
source (:mod:`edgeproxy.runtimes.cloudfront_js.syntax`). Next is speed: some 30 µs for a usual call,
against 180 for V8 in a wheel and about as much for another process. Then safety: memory, CPU
time and stack are limited inside the engine, and nothing of ours can be called by a function.
Licence MIT, wheels for all platforms. ``docs/cloudfront-functions-engine.md`` compares the others.

Every run has a fresh global scope (CFF-RT-07), which costs a millisecond to build. So a function
keeps one warm realm whose built-ins are all frozen; its top level runs anew in each run. Such a
realm cannot carry anything from one run to the next: whoever tries to change a built-in gets a
TypeError, which the engine's stack trace hook reports even when the function swallows it. A run
with a TypeError of any kind, or out of memory (there may be waste of earlier runs), is not
believed: it is repeated in a realm built for it alone, since a run has no effects outside. A
function for which that made a difference gets fresh realms from then on; one of these is kept
ready by :meth:`CloudFrontJs.prepare`.

A realm belongs to the thread that made it: all calls must come from one thread.
"""

import base64
import json
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import orjson

from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues
from edgeproxy.runtimes.cloudfront_js.origin import (
    OriginChange,
    OriginRefused,
    parse_origin_change,
)
from edgeproxy.runtimes.cloudfront_js.outcome import (
    Completed,
    Failed,
    Location,
    Notice,
    Outcome,
    cut_logs,
)
from edgeproxy.runtimes.cloudfront_js.realm import Realm, Stopped, syntax_error
from edgeproxy.runtimes.cloudfront_js.source_map import inline_source_map
from edgeproxy.runtimes.cloudfront_js.syntax import SyntaxFinding, parse_program

__all__ = ["CloudFrontJs", "EdgeLocation", "Event", "RunContext", "Tenant"]

FULL_UTILISATION_S: Final = 0.001
"""The time that counts as 100 %. AWS publishes none; its comparison table says submillisecond."""
RUN_S: Final = 0.25
"""Real time after which a run that keeps waiting for its promises is given up."""
_NO_MEMORY: Final = "The function was stopped: it exceeded the memory limit of 2 MB."
MAX_CUSTOM_LOG_BYTES: Final = 800
"""CFF-HLP-02."""

Event: TypeAlias = Mapping[str, Any] | bytes
"""An event object, or its JSON."""

_VERSIONS: Final = {"cloudfront-js-1.0": 1, "cloudfront-js-2.0": 2}
# Questions whose answer tells a frozen realm from a fresh one.
_ASKS_FROZEN: Final = re.compile(r"isFrozen|isSealed|isExtensible|getOwnPropertyDescriptor")


@dataclass(frozen=True, slots=True)
class EdgeLocation:
    """``cf.edgeLocation`` (CFF-HLP-01)."""

    name: str = "SEA"
    """As in ``X-Amz-Cf-Pop`` of the edge."""
    server_ip: str = "127.0.0.1"
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Tenant:
    """``cf.distributionTenant`` of a multi-tenant distribution (CFF-HLP-03)."""

    id: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run can learn besides its event."""

    raw_query: str | None = None
    """For ``request.rawQueryString()``: None when the URL has no question mark (CFF-QS-07)."""
    origin_ids: Collection[str] | None = None
    """Origins of the distribution; naming another fails (CFF-ORG-15). None checks nothing."""
    edge_location: EdgeLocation = EdgeLocation()
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    outcome: Outcome
    tainted: bool = False
    stopped: bool = False

    @property
    def timed_out(self) -> bool:
        return self._failed_by("CFF-LIM-03")

    @property
    def out_of_memory(self) -> bool:
        return self._failed_by("CFF-LIM-02")

    def _failed_by(self, rule: str) -> bool:
        return isinstance(self.outcome, Failed) and self.outcome.rule == rule


class CloudFrontJs:
    """One version of a function, ready to run. New code means a new object.

    ``now`` gives seconds since the epoch and is what the function's ``Date`` shows; ``monotonic``
    measures utilisation. ``Math.random()`` is seeded with the time of the run (CFF-RT-04) or, if
    given, with ``fraction()``. ``file`` is where the code comes from, ``handler`` what is called in
    it. With ``connectionHandler`` the result is what the function decided about the connection:
    ``allow``, ``deny`` or None (CFF-CONN-02). Raises ``ValueError`` for an
    unknown runtime; errors in the code are not raised, they fail every run and stand in
    ``load_error`` and :meth:`check` (CFF-JS2-12).
    """

    def __init__(
        self,
        name: str,
        runtime: str,
        code: str,
        *,
        kvs: KeyValues | None = None,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        fraction: Callable[[], float] | None = None,
        file: Path | None = None,
        handler: str = "handler",
    ) -> None:
        if runtime not in _VERSIONS:
            raise ValueError(f"unknown runtime {runtime!r}: it is {' or '.join(_VERSIONS)}")
        self.name = name
        self._version = _VERSIONS[runtime]
        self._program = parse_program(
            code, self._version, judges_connections=handler == "connectionHandler"
        )
        self._kvs = kvs if self._version == 2 else None
        self._now = now
        self._monotonic = monotonic
        self._fraction = fraction
        self._file = file
        self._handler = handler
        self._source_map = inline_source_map(code)
        self._warm: Realm | None = None
        self._spare: Realm | None = None
        self._needs_fresh = _ASKS_FROZEN.search(code) is not None
        self._syntax_error = self._find_syntax_error()

    @property
    def load_error(self) -> Failed | None:
        """Why every run fails, or None."""
        found = self._syntax_error
        if found is None:
            return None
        return Failed(
            "FunctionExecutionError",
            f"SyntaxError: {found.message}",
            location=self._locate(found.line, found.column),
            rule=found.rule,
        )

    def check(self) -> list[SyntaxFinding]:
        """Everything that reading the code can tell, in order of place."""
        findings = list(self._program.findings)
        if self._syntax_error is not None and self._syntax_error not in findings:
            findings.append(self._syntax_error)
        return sorted(findings, key=lambda finding: (finding.line, finding.column))

    @property
    def prepared(self) -> bool:
        """Whether the next run has all that it needs."""
        realm = self._spare if self._needs_fresh else self._warm
        return realm is not None or self._syntax_error is not None

    def prepare(self) -> None:
        """Build ahead what the next run will need; to be called when nobody waits."""
        if self.prepared:
            return
        if self._needs_fresh:
            self._spare = self._realm(frozen=False)
        else:
            self._warm = self._realm(frozen=True)

    def run(self, event: Event, context: RunContext = RunContext()) -> Outcome:
        """What the handler makes of ``event``, the event object or its JSON.

        The object takes less time: of its headers and cookies only what is looked at is passed.
        """
        if self.load_error is not None:
            return self.load_error
        settings = self._settings(context)
        if self._needs_fresh:
            return self._attempt(self._fresh(), _whole(event), settings).outcome
        if self._warm is None:
            self._warm = self._realm(frozen=True)
        attempt = self._attempt(self._warm, event, settings)
        if attempt.stopped:
            self._warm = None
        if attempt.timed_out or not (attempt.tainted or attempt.out_of_memory):
            return attempt.outcome
        repeated = self._attempt(self._fresh(), _whole(event), settings).outcome
        self._needs_fresh = attempt.tainted and isinstance(repeated, Completed)
        return repeated

    def _find_syntax_error(self) -> SyntaxFinding | None:
        for finding in self._program.findings:
            if finding.fatal:
                return finding
        text = syntax_error(self._program.body, self._program.imports)
        if not text:
            return None
        place = re.search(r":(\d+):(\d+)", text)
        line, column = (int(place[1]) - 1, int(place[2])) if place else (1, 1)
        return SyntaxFinding(
            "CFF-JS2-12" if self._version == 2 else "CFF-JS1-01",
            text.splitlines()[0].removeprefix("SyntaxError: "),
            "",
            line,
            column,
            fatal=True,
        )

    def _realm(self, *, frozen: bool) -> Realm:
        program = self._program
        return Realm(
            program.body, program.imports, self._version, frozen=frozen, handler=self._handler
        )

    def _fresh(self) -> Realm:
        realm, self._spare = self._spare or self._realm(frozen=False), None
        return realm

    def _settings(self, context: RunContext) -> bytes:
        now = self._now()
        seed = now * 1_000_000 if self._fraction is None else self._fraction() * 2**32
        place, tenant = context.edge_location, context.tenant
        rest = {
            "now": int(now * 1000),
            "seed": int(seed) % 2**31,
            "rawQuery": context.raw_query,
            "origins": None if context.origin_ids is None else list(context.origin_ids),
            "edge": {"name": place.name, "serverIp": place.server_ip, "region": place.region},
            "tenant": tenant and {"id": tenant.id, "parameters": dict(tenant.parameters)},
            "store": self._kvs and list(self._kvs.ids),
        }
        return orjson.dumps(rest)

    def _attempt(self, realm: Realm, event: Event, settings: bytes) -> _Attempt:
        started = self._monotonic()
        try:
            report = self._drive(realm, _texts(event, settings), started)
        except Stopped as stopped:
            return _Attempt(_stopped(stopped), stopped=True)
        if (unread := report.get("unread")) and not isinstance(event, bytes):
            sent = event.get("response") or event["request"]
            report["result"] = {**{member: sent[member] for member in unread}, **report["result"]}
        elapsed = self._monotonic() - started
        utilisation = min(100, round(100 * elapsed / FULL_UTILISATION_S))
        return _Attempt(_outcome(report, utilisation, self._locate), tainted=report["tainted"])

    def _drive(self, realm: Realm, texts: Sequence[str], started: float) -> dict[str, Any]:
        text = realm.step("begin", *texts)
        while not text:
            self._run_jobs(realm, started)
            text = realm.step("poll", "")
            if text.startswith('{"reads"'):
                text = realm.step("answer", self._answers(text))
        # Jobs left over can change nothing any more, but must not meet the next run.
        self._run_jobs(realm, started)
        report: dict[str, Any] = _loads(text)
        return report

    def _locate(self, line: int, column: int) -> Location:
        """A place of the code, as far as known that of the file that people wrote."""
        file = "" if self._file is None else str(self._file)
        found = None if self._source_map is None else self._source_map.original(line, column)
        if found is None:
            return Location(line, column, file)
        source, line, column = found
        source = posixpath.join(posixpath.dirname(file), source)
        return Location(line, column, posixpath.normpath(source))

    def _run_jobs(self, realm: Realm, started: float) -> None:
        while realm.run_job():
            if self._monotonic() - started > RUN_S:
                raise Stopped(timed_out=True)

    def _answers(self, text: str) -> str:
        store = self._kvs
        if store is None:
            raise RuntimeError("the prelude reads only from the store that it was given")
        return orjson.dumps([_answer(store, read) for read in _loads(text)["reads"]]).decode()


def _whole(event: Event) -> bytes:
    return event if isinstance(event, bytes) else orjson.dumps(event)


def _texts(event: Event, settings: bytes) -> list[str]:
    """The event with the settings; of an object, headers and cookies of its messages apart."""
    apart = []
    if not isinstance(event, bytes):
        event = dict(event)
        for part in ("request", "response"):
            if part in event:
                message = event[part]
                apart += [orjson.dumps(message[member]) for member in ("headers", "cookies")]
                event[part] = {**message, "headers": None, "cookies": None}
    first = b'{"event":' + _whole(event) + b"," + settings[1:]
    return [text.decode() for text in (first, *apart)]


def _answer(store: KeyValues, read: Mapping[str, str]) -> dict[str, object]:
    key = read["key"]
    if read["operation"] == "meta":
        return {"value": store.meta()}
    if read["operation"] == "exists":
        return {"value": store.exists(key)}
    value = store.get(key)
    if value is None:
        message = f'The key "{key}" was not found in the key value store'
        return {"error": "KeyNotFound", "message": message}
    if read["format"] == "bytes":
        value = base64.b64encode(value.encode()).decode()
    return {"value": value, "format": read["format"]}


def _stopped(stopped: Stopped) -> Failed:
    if stopped.timed_out:
        message = "The function was stopped: it used more than the compute time allowed."
        rule = "CFF-LIM-03"
    else:
        message, rule = _NO_MEMORY, "CFF-LIM-02"
    return Failed("FunctionExecutionError", message, utilisation=100, rule=rule)


def _outcome(
    report: Mapping[str, Any], utilisation: int, locate: Callable[[int, int], Location]
) -> Outcome:
    logs = cut_logs(report["logs"])
    notices = tuple(Notice(**notice) for notice in report["notices"])

    def invalid(message: str, rule: str) -> Failed:
        return Failed("FunctionValidationError", message, logs, None, utilisation, rule, notices)

    if error := report.get("error"):
        message, rule = ": ".join(part for part in (error["name"], error["message"]) if part), ""
        if error["message"] == "out of memory":
            message, rule = _NO_MEMORY, "CFF-LIM-02"
        place = locate(error["line"], error["column"]) if error.get("line") else None
        return Failed("FunctionExecutionError", message, logs, place, utilisation, rule, notices)
    if "invalid" in report:
        return invalid(f"The result is not JSON: {report['invalid']}.", "CFF-RET-02")
    origin: OriginChange | None = None
    if report["origin"] is not None:
        try:
            origin = parse_origin_change(report["origin"])
        except OriginRefused as refused:
            failed = invalid(f"The origin rewrite is invalid. {refused.message}", refused.rule)
            return replace(failed, result=report.get("result"))
    custom = report["custom"]
    if custom:
        custom = quote(custom, errors="replace")[:MAX_CUSTOM_LOG_BYTES]
    return Completed(report.get("result"), origin, logs, utilisation, custom, notices)


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # JavaScript's strings may hold half a character, which only the standard library reads.
        return json.loads(text)
    except RecursionError:
        return {"invalid": "nested too deeply", "logs": [], "notices": [], "tainted": False}
