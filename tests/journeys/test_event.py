"""`edgeproxy event` as a user runs it: its list, its events, its errors, and into `invoke`."""

import json
from pathlib import Path

import pytest

from tests.support.command import run


def test_an_event_goes_into_a_function(tmp_path: Path) -> None:
    Path(tmp_path, "count.py").write_text(
        "def handler(event, context):\n    return [each['body'] for each in event['Records']]\n"
    )
    event = run("event", "sqs", "receive", "--param", "body=a=b", "--param", "queue=orders")
    assert (event.returncode, event.stderr) == (0, "")
    assert json.loads(event.stdout)["Records"][0]["eventSourceARN"].endswith(":orders")
    ran = run("invoke", "count.py", "--event", "-", cwd=tmp_path, stdin=event.stdout)
    assert (ran.returncode, ran.stdout) == (0, '["a=b"]\n')


def test_the_lists() -> None:
    of_one = run("event", "sqs").stdout
    assert "sqs receive: A batch of one message from a standard queue.\n    body=" in of_one
    assert "s3 put" not in of_one
    everything = run("event").stdout
    assert of_one in everything
    assert "s3 put" in everything


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sqss"], "edgeproxy: no service is called 'sqss' (there is alb, "),
        (["sqs", "get"], "edgeproxy: sqs has no event 'get' (there is receive, receive-fifo)"),
        (["sqs", "receive", "--param", "body"], "edgeproxy: --param body: not NAME=VALUE"),
        (["sqs", "--param", "body=1"], "edgeproxy: --param needs an event to stand in"),
    ],
)
def test_errors(arguments: list[str], message: str) -> None:
    told = run("event", *arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(message)
