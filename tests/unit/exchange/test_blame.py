"""Whose line it was, out of what the runtimes report."""

import pytest

from edgeproxy.exchange.blame import place_of, remedy_of
from edgeproxy.exchange.model import Finding, FunctionRun
from edgeproxy.runtimes.logs import LogRecord


def failed(document: object, error: str = "Unhandled", *log: str) -> FunctionRun:
    records = tuple(LogRecord(0.0, "", "stderr", line) for line in log)
    return FunctionRun("f", "viewer-request", 1.0, error, error_document=document, log=records)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (
            {"stackTrace": ['  File "/app/a.py", line 5, in handler\n    b()\n',
                            '  File "/app/my code/b.py", line 2, in b\n    1/0\n']},
            "/app/my code/b.py:2",
        ),
        (
            {"stackTrace": ['  File "/app/a.py", line 5, in handler\n    json.loads("")\n',
                            '  File "/v/site-packages/x/y.py", line 9, in y\n    1/0\n']},
            "/app/a.py:5",
        ),
        ({"stackTrace": ['  File "/app/a.py" Line 2\n        return [\n']}, "/app/a.py:2"),
        (
            {"trace": ["Error: /etc/passwd:1", "    at get (node:http:1:2)",
                       "    at Object.<anonymous> (/app/node_modules/x/i.js:3:4)",
                       "    at handler (file:///app/my%20code/a.mjs:7:9)"]},
            "/app/my code/a.mjs:7",
        ),
        ({"errorMessage": "Task timed out after 1.00 seconds"}, "None"),
        (None, "None"),
    ],
)  # fmt: skip
def test_the_innermost_line_of_the_user_s_own(document: object, place: str) -> None:
    assert str(place_of(failed(document))) == place


@pytest.mark.parametrize("place", ["/app/a b.js:3", "line 3"])
def test_the_line_of_a_cloudfront_function(place: str) -> None:
    run = failed({"errorMessage": f"TypeError: no ({place})"})._replace(kind="cloudfront")
    assert str(place_of(run)) == place


def test_a_note_of_the_runtime_comes_first() -> None:
    run = failed({"trace": ["SyntaxError"]}, "InitError", "edgeproxy: /app/a.mjs:2: return [;")
    assert str(place_of(run)) == "/app/a.mjs:2"


def test_remedies_are_for_what_the_line_does_not_say() -> None:
    assert "Timeout" in remedy_of(failed(None, "Timeout"))
    assert not remedy_of(failed({"errorMessage": "x"}))
    found = FunctionRun("f", "", 1.0, "Timeout", findings=(Finding("LE-1", "", "do that"),))
    assert not remedy_of(found)
