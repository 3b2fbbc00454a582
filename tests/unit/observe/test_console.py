"""The console tells what happened, and nothing it shows can act on a terminal."""

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.exchange.model import Decision, Finding, Step
from edgeproxy.http.messages import Response
from edgeproxy.observe import console as module
from edgeproxy.observe.console import Console, Paint
from tests.unit.exchange.records import STARTED, exchange, line, ran

EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\x7f\u202e\udcff\x00"
"""What a terminal might obey: title, clear screen, new lines, an 8-bit CSI, DEL, a reversal."""

OWN_COLOURS = re.compile(r"\x1b\[(?:0|1|2|31|32|33|36)m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events: Any, stream: io.StringIO | None = None, **options: bool) -> list[str]:
    """The lines for exchanges (objects), notices (text) and problems (text after ``!``)."""
    stream = stream or io.StringIO()
    console = Console(stream, **options)
    for event in events:
        if not isinstance(event, str):
            console.ended(event)
        elif event.startswith("!"):
            console.problem(event[1:])
        else:
            console.notice(event)
    return stream.getvalue().splitlines()


@pytest.fixture(autouse=True)
def _colours_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


class TestRequests:
    def test_a_line(self) -> None:
        (text,) = shown(exchange(query="v=1"))
        time, rest = text.split(" ", 1)
        assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
        assert rest.split() == ["GET", "/app.css?v=1", "200", "Hit", "250.0", "ms"]

    def test_lines_are_aligned(self) -> None:
        lines = shown(exchange(), exchange(method="DELETE", path="/x" * 200, result_type="Miss"))
        assert [text.index(" 200 ") for text in lines] == [65, 65]
        assert "x/…" in lines[1]

    def test_a_door_without_result_type_is_named(self) -> None:
        (text,) = shown(exchange(door="function-url", result_type=""))
        assert "200 function-url" in text

    def test_a_viewer_who_left_before_the_first_byte(self) -> None:
        (text,) = shown(exchange(aborted=True, bytes_sent=0, response=None))
        assert " left Hit" in text

    def test_functions_stand_behind_it_and_their_logs_below(self) -> None:
        log = (line("one\ntwo"), line("START", "platform"), line("\n"))
        steps = [ran(log=log), ran(name="sign", init_ms=40.2)]
        first, *below = shown(exchange(steps=steps))
        assert first.endswith("auth 1.5 ms sign 1.5 ms (init 40 ms)")
        assert below == ["         | auth: one", "         | auth: two", "         | auth: "]

    def test_verbose_shows_platform_lines(self) -> None:
        steps = [ran(log=(line("REPORT\tDuration: 1 ms", "platform"),))]
        assert shown(exchange(steps=steps), verbose=True)[1:] == [
            f"         | X-Amz-Cf-Id: {'A' * 54}==",
            "         | auth: REPORT\tDuration: 1 ms",
        ]

    def test_a_failure_is_told_line_by_line(self) -> None:
        document = {"errorType": "KeyError", "errorMessage": "'uri'\nline 3"}
        steps = [ran(error="Unhandled", error_document=document)]
        assert shown(exchange(steps=steps))[1:] == [
            "         | auth failed: KeyError: 'uri'",
            "         | line 3",
        ]

    def test_verbose_tells_what_no_log_of_a_cloudfront_function_does(self) -> None:
        document = {"errorType": "FunctionExecutionError", "errorMessage": "TypeError (line 3)"}
        steps = [ran(error="Unhandled", error_document=document, kind="cloudfront")]
        below = "         | auth failed: FunctionExecutionError: TypeError (line 3)"
        assert shown(exchange(steps=steps), verbose=True)[2:] == [below]
        steps = [ran(error="Unhandled", error_document=document)]
        assert shown(exchange(steps=steps), verbose=True)[2:] == []

    def test_a_failure_is_told_with_the_line_or_the_file_that_it_was_in(self) -> None:
        frame = '  File "/app/auth.py", line 3, in handler\n    x\n'
        document = {"errorType": "KeyError", "errorMessage": "'uri'", "stackTrace": [frame]}
        steps = [ran(error="Unhandled", error_document=document)]
        assert shown(exchange(steps=steps))[1:] == [
            "         | auth failed: KeyError: 'uri'",
            "         |   at /app/auth.py:3",
        ]
        stream = io.StringIO()
        console = Console(stream)
        console.source_of = lambda run: Path(f"/app/{run.name}.py")
        console.ended(exchange(steps=[ran(error="Timeout")]))
        _, where, remedy = stream.getvalue().splitlines()
        assert where == "         |   in /app/auth.py"
        assert remedy.startswith("         |   -> do less, or give the function a larger Timeout")

    def test_a_failure_without_a_message_is_its_type(self) -> None:
        document = {"errorType": "BdbQuit", "errorMessage": ""}
        steps = [ran(error="Unhandled", error_document=document)]
        assert shown(exchange(steps=steps))[1:] == ["         | auth failed: BdbQuit"]

    def test_a_note_is_told_once_and_a_refusal_each_time(self) -> None:
        finding = Finding("LE-HDR-01", "Via is read-only", "leave it as it is")
        noted = exchange(steps=[ran(findings=(finding,))])
        refused = exchange(steps=[ran(findings=(finding,), error="Validation")])
        texts = [text for text in shown(noted, noted, refused, refused) if "|" in text]
        assert texts == [
            "         | auth note: Via is read-only [LE-HDR-01]",
            "         |   -> leave it as it is",
            "         | auth refused: Via is read-only [LE-HDR-01]",
            "         |   -> leave it as it is",
            "         | auth refused: Via is read-only [LE-HDR-01]",
            "         |   -> leave it as it is",
        ]

    def test_what_was_told_is_not_remembered_without_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MOST_TOLD", 2)
        findings = [Finding("LE-HDR-01", text) for text in "abca"]
        texts = shown(*(exchange(steps=[ran(findings=(finding,))]) for finding in findings))
        assert [text[-13] for text in texts if "note" in text] == ["a", "b", "c", "a"]

    def test_why_the_origin_gave_no_answer(self) -> None:
        why = Decision("OriginConnectError", "http://127.0.0.1:9 refused the connection")
        done = exchange(response=Response(502), steps=[Step("origin", 0, decision=why)])
        assert shown(done)[1:] == [
            "         | http://127.0.0.1:9 refused the connection",
            "         |   -> is the server running there? --origin ID=URL_OR_DIR asks another one",
        ]

    def test_why_the_edge_or_a_folder_said_no(self) -> None:
        for name, why in (("admission", "PUT is not allowed"), ("origin", "no file a in /site")):
            step = Step(name, 0, decision=Decision("refused", why))
            done = exchange(response=Response(403), steps=[step])
            assert shown(done)[1:] == [f"         | {why}"]
            assert shown(exchange(response=Response(301), steps=[step]))[1:] == []

    def test_the_longest_names_do_not_touch_their_neighbours(self) -> None:
        names = ("LambdaGeneratedResponse", "LambdaValidationError", "Hit")
        lines = shown(*(exchange(method="OPTIONS", result_type=name) for name in names))
        assert {text.index(" ms") for text in lines} == {lines[0].index(" ms")}
        assert all(" OPTIONS /" in text for text in lines)

    def test_a_python_traceback_has_plain_blanks_and_lines(self) -> None:
        log = (line("[ERROR] KeyError\rTraceback:\r\xa0\xa0File x"),)
        assert shown(exchange(steps=[ran(log=log)]))[1:] == [
            "         | auth: [ERROR] KeyError",
            "         | auth: Traceback:",
            "         | auth:   File x",
        ]


class TestQuiet:
    def test_requests_and_notices_are_left_out(self) -> None:
        assert shown(exchange(), exchange(steps=[ran()]), "ready", quiet=True) == []

    def test_problems_and_failed_functions_are_shown(self) -> None:
        lines = shown(exchange(steps=[ran(error="Unhandled")]), "!broken", quiet=True)
        assert len(lines) == 2
        assert lines[1] == "! broken"

    def test_also_as_json(self) -> None:
        failed = exchange(id="failed", steps=[ran(error="Timeout")])
        lines = shown(exchange(), "ready", failed, "!broken", quiet=True, as_json=True)
        documents = [json.loads(text) for text in lines]
        assert [document["type"] for document in documents] == ["request", "problem"]


class TestNotices:
    def test_the_first_line_is_marked_and_the_others_stand_below(self) -> None:
        assert shown("ready\nhere\n  there", "!broken\nthere") == [
            "* ready",
            "  here",
            "    there",
            "! broken",
            "  there",
        ]


class TestColour:
    def test_on_a_terminal(self) -> None:
        (text,) = shown(exchange(), stream=Terminal())
        assert "\x1b[32m200\x1b[0m" in text

    @pytest.mark.parametrize(("no_color", "on"), [("1", False), ("", True)])
    def test_no_color_switches_it_off(
        self, monkeypatch: pytest.MonkeyPatch, no_color: str, on: bool
    ) -> None:
        monkeypatch.setenv("NO_COLOR", no_color)
        assert Paint(Terminal()).on is on

    def test_never_without_a_terminal(self) -> None:
        assert not Paint(io.StringIO()).on

    @pytest.mark.parametrize(
        ("status", "result", "code"),
        [(200, "Miss", "32"), (404, "Error", "33"), (502, "Error", "31")],
    )
    def test_the_status_says_how_it_went(self, status: int, result: str, code: str) -> None:
        (text,) = shown(exchange(response=Response(status), result_type=result), stream=Terminal())
        assert f"\x1b[{code}m{status}\x1b[0m" in text


def evil_events() -> list[Any]:
    """Evil text in every place that a viewer, a function or a definition can write to."""
    finding = Finding("LE-HDR-01", EVIL, EVIL)
    run = {
        "name": f"f{EVIL}",
        "error_document": {"errorType": EVIL, "errorMessage": EVIL},
        "findings": (finding,),
        "log": (line(EVIL), line(EVIL, "platform")),
    }
    origin = Step("origin", 0, decision=Decision("OriginDnsError", EVIL))
    return [
        exchange(method=f"M{EVIL}", path=f"/{EVIL}", query=EVIL, name=EVIL, result_type=EVIL),
        exchange(steps=[ran(**run)]),
        exchange(steps=[ran(**run, error="Unhandled")]),
        exchange(response=Response(502), steps=[origin]),
        EVIL,
        f"!{EVIL}",
    ]


class TestInjection:
    @pytest.mark.parametrize("verbose", [False, True])
    def test_only_the_console_s_own_colours_reach_a_terminal(self, verbose: bool) -> None:
        terminal = Terminal()
        shown(*evil_events(), stream=terminal, verbose=verbose)
        text = OWN_COLOURS.sub("", terminal.getvalue())
        assert terminal.getvalue() != text
        assert all(char == "\n" or char.isprintable() for char in text)

    def test_no_line_of_another_s_making_looks_like_the_console_s(self) -> None:
        forged = "x\r12:00:00 GET / 200\n12:00:00 GET /forged 200 Hit"
        for event in (
            exchange(path=forged),
            exchange(steps=[ran(log=(line(forged),))]),
            exchange(steps=[ran(error="Unhandled", error_document={"errorMessage": forged})]),
            exchange(steps=[ran(findings=(Finding("X-1", forged, forged),))]),
        ):
            _, *below = shown(event)
            assert all(text.startswith("         | ") for text in below)

    def test_json_lines_are_plain_ascii(self) -> None:
        lines = shown(*evil_events(), as_json=True)
        assert len(lines) == 6
        assert all(text.isascii() and text.isprintable() for text in lines)
        assert json.loads(lines[0])["path"] == f"/{EVIL}".replace("\udcff", "ÿ")


def test_a_document_has_what_programs_ask_for() -> None:
    finding = Finding("LE-HDR-01", "Via is read-only", "leave it")
    steps = [ran(log=(line("hello"),), findings=(finding,), error="Validation")]
    (text,) = shown(exchange(query="v=1", steps=steps), as_json=True)
    assert json.loads(text) == {
        "type": "request",
        "time": STARTED,
        "id": "A" * 54 + "==",
        "door": "distribution",
        "name": "Site",
        "method": "GET",
        "path": "/app.css",
        "query": "v=1",
        "status": 200,
        "result_type": "Hit",
        "detailed_result_type": "Hit",
        "layer": "",
        "duration_ms": 250.0,
        "bytes": 321,
        "aborted": False,
        "functions": [
            {
                "name": "auth",
                "event_type": "viewer-request",
                "request_id": "",
                "duration_ms": 1.5,
                "error": "Validation",
                "log": ["hello"],
                "log_data": None,
                "findings": [
                    {"rule": "LE-HDR-01", "message": "Via is read-only", "remedy": "leave it"}
                ],
            }
        ],
    }


class TestOddOutputs:
    def test_a_stream_that_cannot_say_everything(self) -> None:
        raw = io.BytesIO()
        console = Console(io.TextIOWrapper(raw, encoding="ascii"))
        console.notice("grün 日本")
        console.ended(exchange(path="/x" * 100))
        assert raw.getvalue().startswith(rb"* gr\xfcn \u65e5\u672c" + b"\n")
        assert rb"\u2026" in raw.getvalue()

    def test_a_reader_who_has_gone(self) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "w") as stream:
            console = Console(stream)
            os.close(reader)
            console.notice("nobody reads this")
            console.ended(exchange())
            # The buffer is empty: closing the stream at the end of the program raises nothing.
            stream.flush()

    def test_standard_output_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        Console().notice("ready")
        assert capsys.readouterr().out == "* ready\n"
        assert sys.stdout is not None


def test_what_is_held_back_comes_when_the_prompt_has_gone() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.hold(False)
    console.hold(True)
    console.problem("first")
    console.notice("second")
    assert stream.getvalue() == ""
    console.hold(False)
    console.notice("third")
    assert stream.getvalue() == "! first\n* second\n* third\n"
