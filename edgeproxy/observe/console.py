"""The console: one line for each request, with its functions' logs and findings below it.

    12:03:41 GET     /app.css        200 Hit                           0.4 ms ab_assign 0.3 ms
             | ab_assign: visitor is new

Text for people (with colour on a terminal), or one JSON object a line for programs.

Paths come from viewers, log lines and errors from functions: whatever they hold is shown, never
obeyed. Every piece of text that is not the console's own goes through :func:`visible`.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, TextIO

from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.exchange.blame import place_of, remedy_of, troubles
from edgeproxy.exchange.model import Exchange, Finding, FunctionRun, LogLine, RepeatedHit
from edgeproxy.exchange.text import carried, visible
from edgeproxy.runtimes.invocation import LogLines

__all__ = ["Console", "Paint"]

_MOST_TOLD: Final = 1000
"""How many findings are remembered as told; messages may hold text that differs each time."""


_MOST_HITS: Final = 2_000
"""Of how many repeated hits that differ in more than time it is known how their lines look."""


class Paint:
    """ANSI colours, or none when the output is no terminal or ``NO_COLOR`` is set."""

    def __init__(self, stream: TextIO) -> None:
        self.on = stream.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text

    def dim(self, text: str) -> str:
        return self(text, "2")

    def good(self, text: str) -> str:
        return self(text, "32")

    def fair(self, text: str) -> str:
        return self(text, "33")

    def bad(self, text: str) -> str:
        return self(text, "31")

    def note(self, text: str) -> str:
        return self(text, "36")


class Console:
    """A recorder that prints; also prints notices that belong to no request."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        as_json: bool = False,
        verbose: bool = False,
        quiet: bool = False,
    ) -> None:
        self._stream = stream or sys.stdout
        self._paint = Paint(self._stream)
        self._as_json = as_json
        self._verbose = verbose
        self._quiet = quiet
        self._told: set[tuple[str, str]] = set()
        self._held: list[str] | None = None
        # Of hits that are alike.
        self._middle_of = PreparedOnce(self._middle, _MOST_HITS)
        self._form_of = PreparedOnce(_form, _MOST_HITS)
        self.source_of: Callable[[FunctionRun], Path | None] = lambda run: None
        """The file of a function's handler."""

    def hold(self, on: bool) -> None:
        """While ``on``, keep back what would stand between a debugger's prompt and its answer."""
        if on:
            self._held = []
        elif self._held is not None:
            held, self._held = self._held, None
            for text in held:
                self._print(text)

    def ended(self, exchange: Exchange) -> None:
        if self._quiet and not any(run.error for run in exchange.functions):
            return
        if self._as_json:
            self._print(_as_json(_as_document(exchange)))
        else:
            self._print("\n".join(self._lines(exchange)))

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        if self._quiet:
            return  # No function has run in them.
        if any(hit.aborted or not hit.is_plain for hit in hits):
            for hit in hits:
                self.ended(hit.summary)
            return
        line = self._document_of_hit if self._as_json else self._line_of_hit
        self._print("\n".join(map(line, hits)))

    def notice(self, text: str) -> None:
        """Something worth knowing: a reload, a URL. Silent under ``--quiet``."""
        if not self._quiet:
            self._say("notice", text, self._paint.note("* "))

    def problem(self, text: str) -> None:
        """Something that needs mending. Always shown."""
        self._say("problem", text, self._paint.bad("! "))

    def _say(self, level: str, text: str, mark: str) -> None:
        if self._as_json:
            self._print(_as_json({"type": level, "message": text}))
        else:
            self._print(mark + "\n  ".join(map(visible, text.splitlines())))

    def _line_of_hit(self, hit: RepeatedHit) -> str:
        line = self._timed(hit, self._middle_of(hit.like))
        return f"{line}\n{self._request_id(hit)}" if self._verbose else line

    def _document_of_hit(self, hit: RepeatedHit) -> str:
        return self._form_of(hit.like) % (
            hit.started,
            hit.id,
            round(hit.duration_s * 1000, 3),
            hit.bytes_sent,
        )

    def _timed(self, ended: Exchange | RepeatedHit, middle: str) -> str:
        time = self._paint.dim(_time_of_day(int(ended.started)))
        return f"{time} {middle} {ended.duration_s * 1000:8.1f} ms"

    def _middle(self, exchange: Exchange) -> str:
        """What stands between the time and the duration."""
        response = exchange.response
        status = response.status if response is not None else 0
        status_text = "left" if exchange.aborted and not exchange.bytes_sent else str(status)
        method = visible(exchange.request.method)
        target = _shortened(visible(exchange.request.target), 48)
        what = visible(exchange.result_type or exchange.door)
        if exchange.layer not in ("", "EDGE"):
            what += f" {exchange.layer}"
        parts = [
            f"{method:<8}{target:<48}",
            self._coloured_status(status_text, status),
            self._coloured_result(f"{what:<24}", exchange.result_type),
        ]
        return " ".join(parts)

    def _request_id(self, ended: Exchange | RepeatedHit) -> str:
        return self._below(f"X-Amz-Cf-Id: {ended.id}", self._paint.dim)

    def _lines(self, exchange: Exchange) -> Iterable[str]:
        response, runs = exchange.response, exchange.functions
        status = response.status if response is not None else 0
        line = self._timed(exchange, self._middle(exchange))
        yield " ".join([line, *(self._run(run) for run in runs)])
        if self._verbose and exchange.door == "distribution":
            yield self._request_id(exchange)
        for run in runs:
            yield from self._log(run)
            yield from self._failure(run)
            for finding in run.findings:
                yield from self._finding(run, finding)
            yield from self._whose(run)
        if not runs or not any(run.error for run in runs):
            yield from self._trouble(exchange, status)

    def _coloured_status(self, text: str, status: int) -> str:
        if status >= 500 or status == 0:
            return self._paint.bad(text)
        return self._paint.fair(text) if status >= 400 else self._paint.good(text)

    def _coloured_result(self, text: str, result_type: str) -> str:
        if result_type in ("Hit", "RefreshHit"):
            return self._paint.good(text)
        if "Error" in result_type or "Exceeded" in result_type:
            return self._paint.bad(text)
        return text

    def _run(self, run: FunctionRun) -> str:
        text = f"{visible(run.name)} {run.duration_ms:.1f} ms"
        if run.init_ms is not None:
            text += f" (init {run.init_ms:.0f} ms)"
        return self._paint.bad(text) if run.error else self._paint.dim(text)

    def _log(self, run: FunctionRun) -> Iterable[str]:
        for line in run.log if self._verbose else _written(run.log):
            # Lambda indents the lines of a Python traceback with these blanks.
            for text in line.message.replace("\xa0", " ").splitlines() or [""]:
                yield self._below(f"{run.name}: {text}")
        if run.log_data:
            yield self._below(f"{run.name}: {run.event_type}-log-data {run.log_data}")

    def _failure(self, run: FunctionRun) -> Iterable[str]:
        document = run.error_document
        # Lambda's own lines tell it too; a CloudFront Function's log says nothing of its end.
        told = self._verbose and run.kind == "lambda"
        if isinstance(document, dict) and not told:
            kind = document.get("errorType", "Error")
            message = f"{run.name} failed: {kind}: {document.get('errorMessage', '')}"
            for text in message.removesuffix(": ").splitlines():
                yield self._below(text, self._paint.bad)

    def _whose(self, run: FunctionRun) -> Iterable[str]:
        """The user's own file and line, and what to do where nobody has said it."""
        if not run.error or run.error == "Throttled":
            return
        if place := place_of(run):
            if run.kind == "lambda":  # The message of a CloudFront Function ends with it.
                yield self._below(f"  at {place}", self._paint.note)
        elif source := self.source_of(run):
            yield self._below(f"  in {source}", self._paint.note)
        if remedy := remedy_of(run):
            yield self._below(f"  -> {remedy}")

    def _finding(self, run: FunctionRun, finding: Finding) -> Iterable[str]:
        # A warning about the same thing on every request would drown what matters.
        if not run.error:
            if (run.name, finding.message) in self._told:
                return
            if len(self._told) == _MOST_TOLD:
                self._told.clear()
            self._told.add((run.name, finding.message))
        word, paint = ("refused", self._paint.bad) if run.error else ("note", self._paint.fair)
        yield self._below(f"{run.name} {word}: {finding.message} [{finding.rule}]", paint)
        if finding.remedy:
            yield self._below(f"  -> {finding.remedy}")

    def _trouble(self, exchange: Exchange, status: int) -> Iterable[str]:
        """Why the edge refused the request, or an origin gave no answer or none that was liked."""
        if 0 < status < 400:
            return
        for why, remedy in troubles(exchange):
            yield self._below(why, self._paint.bad)
            if remedy:
                yield self._below(f"  -> {remedy}")

    def _below(self, text: str, paint: Callable[[str], str] = str) -> str:
        return f"         {self._paint.dim('|')} {paint(visible(text))}"

    def _print(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        encoding = self._stream.encoding or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            print(text, file=self._stream, flush=True)
        except BrokenPipeError:
            # The reader of a pipe (head, a closed pager) has gone; requests go on being served.
            # What is still in the stream's buffer goes nowhere, too, and not to the end's report.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


@lru_cache(1)  # Of many requests in a second.
def _time_of_day(second: int) -> str:
    return datetime.fromtimestamp(second).strftime("%H:%M:%S")


def _written(log: Sequence[LogLine]) -> Iterable[LogLine]:
    """The lines that are not the platform's, which would be written out in vain."""
    if isinstance(log, LogLines):
        return log.written()
    return (line for line in log if line.stream != "platform")


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _as_json(document: dict[str, object]) -> str:
    """One line of printable ASCII: some characters beyond it are obeyed by terminals, too."""
    return json.dumps(carried(document), separators=(",", ":"))


def _form(like: Exchange) -> str:
    """The document of a hit, with places for time, ID, duration and size."""
    places = {"time": "%r", "id": '"%s"', "duration_ms": "%r", "bytes": "%d"}
    marks = {name: f" {name}" for name in places}
    text = _as_json(_as_document(like) | marks).replace("%", "%%")
    for name, place in places.items():
        # Neither a path nor a query begins with a blank, and quotes within a text are escaped.
        text = text.replace(f'"{marks[name]}"', place)
    return text


def _as_document(exchange: Exchange) -> dict[str, object]:
    response = exchange.response
    return {
        "type": "request",
        "time": exchange.started,
        "id": exchange.id,
        "door": exchange.door,
        "name": exchange.name,
        "method": exchange.request.method,
        "path": exchange.request.path,
        "query": exchange.request.query or "",
        "status": response.status if response is not None else None,
        "result_type": exchange.result_type,
        "detailed_result_type": exchange.detailed_result_type,
        "layer": exchange.layer,
        "duration_ms": round(exchange.duration_s * 1000, 3),
        "bytes": exchange.bytes_sent,
        "aborted": exchange.aborted,
        "functions": [
            {
                "name": run.name,
                "event_type": run.event_type,
                "request_id": run.request_id,
                "duration_ms": round(run.duration_ms, 3),
                "error": run.error or None,
                "log": [line.message for line in run.log],
                "log_data": run.log_data or None,
                "findings": [
                    {"rule": f.rule, "message": f.message, "remedy": f.remedy} for f in run.findings
                ],
            }
            for run in exchange.functions
        ],
    }
