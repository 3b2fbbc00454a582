"""Asynchronous events and a proxy that is killed."""

import json
import time
import urllib.request
from collections import Counter
from pathlib import Path

import yaml

from tests.support.asynchronous import event_invoke, function, until
from tests.support.command import Command, dev

_SLOW = """
import os, time
def handler(event, context):
    with open("seen", "a") as file:
        file.write(f"began {event['n']} {context.aws_request_id}\\n")
    time.sleep(0.1)
    with open("seen", "a") as file:
        file.write(f"ended {event['n']} {context.aws_request_id}\\n")
"""
_JSON = {"Content-Type": "application/json"}
EVENTS = 60


def _submit(command: Command, number: int) -> None:
    url = f"{command.endpoints['control']}/2015-03-31/functions/f/invocations"
    request = urllib.request.Request(
        url, json.dumps({"n": number}).encode(), {"X-Amz-Invocation-Type": "Event"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def _seen(folder: Path, what: str) -> Counter[str]:
    file = folder / "code" / "seen"
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(line.split()[1] for line in lines if line.startswith(what))


def test_a_killed_proxy_loses_no_event_and_repeats_only_what_it_interrupted(
    tmp_path: Path,
) -> None:
    (tmp_path / "code").mkdir()
    code = f"import os; os.chdir({str(tmp_path / 'code')!r})\n{_SLOW}"
    (tmp_path / "code" / "app.py").write_text(code)
    arn = "arn:aws:sqs:us-east-1:123456789012:done"
    resources = {
        "f": function(FunctionName="f", ReservedConcurrentExecutions=4),
        "C": event_invoke("f", success=arn),
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    with dev("template.yaml", cwd=tmp_path) as command:
        for number in range(EVENTS):
            _submit(command, number)
        until(lambda: len(_seen(tmp_path, "ended")) > 5)
        command.process.kill()
        command.process.wait(10)
    time.sleep(0.3)  # workers end by themselves, with what they were doing or without
    ended = _seen(tmp_path, "ended")
    assert len(ended) < EVENTS
    began = _seen(tmp_path, "began")
    with dev("template.yaml", cwd=tmp_path) as command:
        clock = f"{command.endpoints['control']}/api/clock"

        def all_ended() -> bool:
            step = urllib.request.Request(clock, b'{"advance_s": 2}', _JSON)
            urllib.request.urlopen(step, timeout=10).close()
            return len(_seen(tmp_path, "ended")) == EVENTS

        until(all_ended, 60)
        repeated = {number for number, count in _seen(tmp_path, "began").items() if count > 1}
    # What ran at the time of the kill had no result, so that a retry of it was due.
    assert repeated <= began.keys()
    assert len(repeated) <= 4
    records = (tmp_path / ".edgeproxy" / "destinations" / "sqs-done.jsonl").read_text()
    told = Counter(json.loads(line)["requestPayload"]["n"] for line in records.splitlines())
    assert told.keys() <= set(range(EVENTS))
    # What was being told at the time of the kill may be told again, and nothing else.
    assert told.total() <= len(told) + 4
