import pytest

from edgeproxy.runtimes.documents import exit_message, exited, misconfigured, timed_out, too_large


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param(0, "exited without providing a reason", marks=pytest.mark.rule("LR-087")),
        pytest.param(129, "exited with error: exit status 129", marks=pytest.mark.rule("LR-088")),
        pytest.param(-9, "exited with error: signal: killed", marks=pytest.mark.rule("LR-088")),
        pytest.param(-6, "exited with error: signal: aborted", marks=pytest.mark.rule("LR-088")),
        pytest.param(
            -11,
            "exited with error: signal: segmentation fault",
            marks=pytest.mark.rule("LR-088"),
        ),
    ],
)
def test_how_a_process_ended(status: int, text: str) -> None:
    assert exit_message("id", status) == f"RequestId: id Error: Runtime {text}"
    assert exited("id", status) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id Error: Runtime {text}",
    }


@pytest.mark.rule("LR-086")
def test_a_timeout_has_two_decimals() -> None:
    assert timed_out("id", 3) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id Error: Task timed out after 3.00 seconds",
    }


@pytest.mark.rule("LR-090")
def test_a_result_over_the_limit() -> None:
    assert too_large()["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.rule("LR-094")
def test_a_worker_that_cannot_start() -> None:
    assert misconfigured("id", "Runtime.InvalidWorkingDir", "no folder") == {
        "errorType": "Runtime.InvalidWorkingDir",
        "errorMessage": "RequestId: id Error: no folder",
    }
