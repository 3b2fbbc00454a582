"""Why an answer is an error, as the edge's record tells it."""

from typing import Any

import pytest

from edgeproxy.experiments.recognition import cause_of


def run(**changes: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "error": None,
        "error_document": None,
        "findings": [],
        **changes,
    }


REFUSED = {"name": "origin", "decision": {"why": "http://a refused the connection"}}
LOOKED_UP = {"name": "cache", "decision": {"why": "nothing stored for this key"}}


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        ([LOOKED_UP, REFUSED], "http://a refused the connection"),
        ([{"name": "origin", "decision": {"why": ""}}, LOOKED_UP], ""),
        ([{"name": "viewer-request", "decision": None, "function": run()}], ""),
        (
            [
                {
                    "name": "viewer-request",
                    "decision": None,
                    "function": run(error="Handled", error_document={"errorMessage": "no token"}),
                },
            ],
            "shop: no token",
        ),
        (
            [
                {
                    "name": "viewer-request",
                    "decision": None,
                    "function": run(error="Invalid", findings=[{"message": "Host is read-only"}]),
                },
            ],
            "shop: Host is read-only",
        ),
        (
            [{"name": "url", "decision": None, "function": run(error="TooManyRequestsException")}],
            "shop: TooManyRequestsException",
        ),
    ],
)
def test_the_last_that_went_wrong_is_the_cause(steps: list[dict[str, Any]], cause: str) -> None:
    assert cause_of({"steps": steps}) == cause
