"""A function that is invoked asynchronously, with what it saw and what its destinations got."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from edgeproxy.testing import Edge, Site

__all__ = ["ACCOUNT", "Queue", "event_invoke", "function", "until"]

ACCOUNT = "us-east-1:123456789012"

_CODE = """
import json, os, time
def handler(event, context):
    with open({seen!r}, "a") as file:
        trace = os.environ["_X_AMZN_TRACE_ID"]
        file.write(json.dumps([context.aws_request_id, event, trace]) + "\\n")
    if isinstance(event, dict):
        time.sleep(event.get("sleep", 0))
        while "until" in event and not os.path.exists(event["until"]):
            time.sleep(0.01)
        if "fail" in event:
            raise Exception(event["fail"])
    return {{"done": 1}}
"""


def until(condition: Callable[[], Any], within_s: float = 20) -> Any:
    """What ``condition`` gives as soon as that is something."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.01)
    return value


def function(**properties: Any) -> dict[str, Any]:
    """A resource for the function that :class:`Queue` writes."""
    given = {"Runtime": "python3.12", "Handler": "app.handler", "Code": "code", **properties}
    return {"Type": "AWS::Lambda::Function", "Properties": given}


def event_invoke(name: str, success: str = "", failure: str = "", **more: Any) -> dict[str, Any]:
    """A configuration for a function, or with ``Qualifier`` for one of its aliases."""
    config = {
        key: {"Destination": arn}
        for key, arn in (("OnSuccess", success), ("OnFailure", failure))
        if arn
    }
    properties = {"FunctionName": name, "Qualifier": "$LATEST", "DestinationConfig": config, **more}
    return {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": properties}


class Queue:
    """Serves ``resources``; all their functions have the same code."""

    def __init__(
        self, edge: Edge, folder: Path, resources: dict[str, Any], **options: object
    ) -> None:
        self.edge = edge
        self.state = folder / "state"
        self._seen = folder / "seen.jsonl"
        code = folder / "code"
        code.mkdir(exist_ok=True)
        (code / "app.py").write_text(_CODE.format(seen=str(self._seen)))
        template = folder / "template.yaml"
        template.write_text(yaml.safe_dump({"Resources": resources}))
        self.site: Site = edge.serve(template, state_dir=self.state, **options)
        self.api = boto3.client(
            "lambda",
            endpoint_url=self.site.endpoints["control"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def submit(self, event: object, name: str = "f", **more: Any) -> str:
        """Have an event accepted; its request ID."""
        answer = self.api.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **more
        )
        assert answer["StatusCode"] == 202
        return str(answer["ResponseMetadata"]["RequestId"])

    def seen(self, count: int) -> list[Any]:
        """Request ID, event and trace header of each run, once there are ``count``."""
        return self._lines(self._seen, count)

    def told(self, target: str, count: int = 1) -> list[Any]:
        """What the file of a destination holds, once there are ``count`` lines."""
        return self._lines(self.state / "destinations" / f"{target}.jsonl", count)

    def retried_after(self, seconds: float) -> None:
        """Move the clock once the last attempt is over: nothing runs, and something waits."""
        program = self.site.running.program
        until(lambda: program.events.is_waiting)
        self.edge.clock.advance(seconds=seconds)

    def due_in_s(self) -> float:
        """How long the oldest event still waits for its next attempt."""
        text = self.site.get("/api/events?limit=1", url=self.site.endpoints["control"]).text
        (event,) = json.loads(text)["events"]
        due_s = datetime.fromisoformat(event["due"]).timestamp()
        return due_s - self.site.running.program.clock.now()

    def metric(self, name: str, function_name: str = "f") -> float:
        """The sum of one of Lambda's metrics for a function."""
        text = self.site.get("/api/metrics", url=self.site.endpoints["control"]).text
        dimensions = {"FunctionName": function_name}
        return sum(
            metric["sum"]
            for metric in json.loads(text)["metrics"]
            if metric["name"] == name and metric["dimensions"] == dimensions
        )

    def _lines(self, file: Path, count: int) -> list[Any]:
        def lines() -> list[str] | None:
            found = file.read_text().splitlines() if file.exists() else []
            return found if len(found) >= count else None

        return [json.loads(line) for line in until(lines)]
