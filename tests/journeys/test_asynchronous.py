"""Asynchronous events and a proxy that is killed."""

import json
import urllib.request
from collections import Counter
from pathlib import Path

import yaml

from tests.support.asynchronous import event_invoke, function, until
from tests.support.command import Command, dev
from tests.support.processes import is_alive

_CODE = """
import os, time
def handler(event, context):
    def tell(what):
        with open("seen", "a") as file:
            file.write(f"{what} {event['n']} {os.getpid()}\\n")
    tell("began")
    while event["n"] >= QUICK and not os.path.exists("go"):
        time.sleep(0.01)
    tell("ended")
"""
_JSON = {"Content-Type": "application/json"}
QUICK, EVENTS, AT_ONCE = 6, 60, 4


def _submit(command: Command, number: int) -> None:
    url = f"{command.endpoints['control']}/2015-03-31/functions/f/invocations"
    request = urllib.request.Request(
        url, json.dumps({"n": number}).encode(), {"X-Amz-Invocation-Type": "Event"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def _seen(folder: Path, what: str) -> list[tuple[int, int]]:
    """Number and process of the events that began or ended, in that order."""
    file = folder / "code" / "seen"
    lines = file.read_text().splitlines() if file.exists() else []
    found = (line.split() for line in lines)
    return [(int(number), int(pid)) for said, number, pid in found if said == what]


def test_a_killed_proxy_loses_no_event_and_repeats_only_what_it_interrupted(
    tmp_path: Path,
) -> None:
    (tmp_path / "code").mkdir()
    code = f"import os; os.chdir({str(tmp_path / 'code')!r}); QUICK = {QUICK}\n{_CODE}"
    (tmp_path / "code" / "app.py").write_text(code)
    arn = "arn:aws:sqs:us-east-1:123456789012:done"
    resources = {
        "f": function(FunctionName="f", ReservedConcurrentExecutions=AT_ONCE, Timeout=120),
        "C": event_invoke("f", success=arn),
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    with dev("template.yaml", cwd=tmp_path) as command:
        for number in range(QUICK):
            _submit(command, number)
        until(lambda: len(_seen(tmp_path, "ended")) == QUICK)
        for number in range(QUICK, EVENTS):
            _submit(command, number)
        until(lambda: len(_seen(tmp_path, "began")) == QUICK + AT_ONCE)
        command.process.kill()
        command.process.wait(10)
    # Workers end by themselves, in the middle of what they were doing.
    interrupted = dict(_seen(tmp_path, "began")[QUICK:])
    until(lambda: not any(map(is_alive, interrupted.values())))
    (tmp_path / "code" / "go").touch()
    with dev("template.yaml", cwd=tmp_path) as command:
        clock = f"{command.endpoints['control']}/api/clock"

        def all_ended() -> bool:
            step = urllib.request.Request(clock, b'{"advance_s": 2}', _JSON)
            urllib.request.urlopen(step, timeout=10).close()
            return len(_seen(tmp_path, "ended")) == EVENTS

        until(all_ended, 120)
        began = Counter(number for number, _ in _seen(tmp_path, "began"))
    # They had no result, so that a retry of them was due.
    assert began == {number: 1 + (number in interrupted) for number in range(EVENTS)}
    assert {number for number, _ in _seen(tmp_path, "ended")} == set(range(EVENTS))
    records = (tmp_path / ".edgeproxy" / "destinations" / "sqs-done.jsonl").read_text()
    told = Counter(json.loads(line)["requestPayload"]["n"] for line in records.splitlines())
    assert told.keys() <= set(range(EVENTS))
    # What was being told at the time of the kill may be told again, and nothing else.
    assert told.total() <= len(told) + 4
