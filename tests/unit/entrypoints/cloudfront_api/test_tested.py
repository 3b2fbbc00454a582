"""The output of TestFunction."""

import json

import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.entrypoints.cloudfront_api.tested import check_event, output
from edgeproxy.runtimes.cloudfront_js.outcome import Completed, Failed, Location


def test_half_a_character_is_text() -> None:
    text, problem = output(Completed({"uri": "/\ud800"}), EventType.VIEWER_REQUEST)
    assert (json.loads(text), problem) == ({"request": {"uri": "/\ud800"}}, "")


@pytest.mark.parametrize("result", [None, 5, "text", []])
def test_a_result_that_is_no_message(result: object) -> None:
    text, problem = output(Completed(result), EventType.VIEWER_RESPONSE)
    assert text == ""
    assert "not an object" in problem


def test_an_error_names_its_line() -> None:
    failed = Failed("FunctionExecutionError", "Error: no", location=Location(3, 1))
    assert output(failed, EventType.VIEWER_REQUEST) == ("", "Error: no (line 3)")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b'{"request": {}}', EventType.VIEWER_REQUEST),
        (b'{"request": {}, "response": {}}', EventType.VIEWER_RESPONSE),
        (
            b'{"context": {"eventType": "viewer-request"}, "request": {}, "response": {}}',
            EventType.VIEWER_REQUEST,
        ),
    ],
)
@pytest.mark.rule("CFF-TEST-03")
def test_the_context_may_be_left_out(event: bytes, expected: EventType) -> None:
    assert check_event(event) is expected
