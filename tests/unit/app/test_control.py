"""What the start of a program must not wait for."""

import subprocess
import sys

_LATE = (
    "edgeproxy.entrypoints.lambda_api.api",
    "edgeproxy.entrypoints.cloudfront_api.api",
    "edgeproxy.entrypoints.cloudfront_api.key_values",
    "edgeproxy.awslambda.queue",
    "edgeproxy.awslambda.destinations",
    "edgeproxy.awslambda.aws_calls",
    "sqlite3",
)


def test_apis_and_the_queue_are_imported_when_they_are_first_needed() -> None:
    code = (
        "import sys, edgeproxy.app.program, edgeproxy.app.control\n"
        f"print([name for name in {_LATE!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
