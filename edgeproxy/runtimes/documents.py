"""The error documents that the platform writes when the function cannot (LR-086 to LR-090)."""

import signal
from typing import TypeAlias

__all__ = ["Document", "exit_message", "exited", "misconfigured", "timed_out", "too_large"]

Document: TypeAlias = dict[str, object]


def timed_out(request_id: str, timeout_s: float) -> Document:
    """The function was ended at its timeout (LR-086)."""
    return {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: "
        f"Task timed out after {timeout_s:.2f} seconds",
    }


def exit_message(request_id: str, status: int) -> str:
    """How a process ended, in AWS's words (LR-087, LR-088). A negative status is a signal."""
    if status == 0:
        reason = "Runtime exited without providing a reason"
    elif status > 0:
        reason = f"Runtime exited with error: exit status {status}"
    else:
        # Some systems append the number: "Killed: 9".
        name = (signal.strsignal(-status) or str(-status)).partition(":")[0].lower()
        reason = f"Runtime exited with error: signal: {name}"
    return f"RequestId: {request_id} Error: {reason}"


def exited(request_id: str, status: int) -> Document:
    """The process ended by itself or was killed (LR-087 to LR-089)."""
    return {"errorType": "Runtime.ExitError", "errorMessage": exit_message(request_id, status)}


def too_large() -> Document:
    """The result was over the limit (LR-090)."""
    return {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }


def misconfigured(request_id: str, kind: str, message: str) -> Document:
    """The worker could not even be started: no interpreter, no code folder (LR-094)."""
    return {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
