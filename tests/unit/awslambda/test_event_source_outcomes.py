"""What answers of functions say about the items of a batch."""

import pytest

from edgeproxy.awslambda.event_sources.outcomes import Failed, NotRun, Outcome, Succeeded, outcome
from edgeproxy.awslambda.event_sources.progress import Progress
from edgeproxy.runtimes.invocation import FunctionError, Returned, Throttled

ALL = Failed(frozenset("abc"))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"null", Succeeded()),
        (b"{}", Succeeded()),
        (b'{"batchItemFailures": []}', Succeeded()),
        (b'{"batchItemFailures": null}', Succeeded()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', Failed(frozenset("b"))),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ALL),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ALL),
        (b'{"batchItemFailures": [{"id": "b"}]}', ALL),
        (b'{"batchItemFailures": [{"itemIdentifier": "x"}]}', ALL),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "x"}]}', ALL),
        (b'{"batchItemFailures": "b"}', ALL),
        (b"no json", ALL),
    ],
)
def test_a_report(payload: bytes, expected: Outcome) -> None:
    assert outcome(Returned("id", 1.0, payload=payload), "abc", partial=True) == expected


def test_without_reports_a_function_that_returns_has_succeeded() -> None:
    payload = b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'
    assert outcome(Returned("id", 1.0, payload=payload), "abc", partial=False) == Succeeded()


def test_an_error_fails_all_and_a_throttle_none() -> None:
    assert outcome(FunctionError("id", 1.0), "abc", partial=True) == ALL
    assert outcome(Throttled("id", "why"), "abc", partial=True) == NotRun()


def test_progress_stops_before_the_first_record_that_is_left() -> None:
    progress = Progress("0")
    for record in "123":
        progress.begin(record)
    progress.end(["2"])
    assert progress.position == "0"
    progress.end(["1"])
    assert progress.position == "2"
    progress.end(["3"])
    assert progress.position == "3"
