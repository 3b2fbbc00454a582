"""The sample of Lambda's own doors, as the README tells it: two doors, a deployment, an event."""

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.asynchronous import until
from tests.support.command import Command, dev, run

SAMPLE = Path(__file__).parent.parent.parent / "functions" / "doors"


def _asked(url: str, body: object = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def _deployment(command: Command) -> tuple[str, float]:
    deployments = _asked(f"{command.endpoints['control']}/api/deployments")["deployments"]
    return (deployments[0]["status"], deployments[0]["weight"]) if deployments else ("", 0)


def _told(folder: Path, queue: str) -> list[Any]:
    file = folder / ".edgeproxy" / "destinations" / f"sqs-{queue}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_doors_the_deployment_and_the_events(tmp_path: Path) -> None:
    folder = tmp_path / "doors"
    shutil.copytree(SAMPLE, folder)
    with dev("template.yaml", cwd=folder) as command:
        control = command.endpoints["control"]
        url = command.endpoints["function_urls"]["ShopUrl"]["url"]
        listener = command.endpoints["load_balancers"]["LoadBalancer"]["listeners"][0]["url"]
        assert _asked(f"{url}lamp") == {"path": "/lamp", "version": "1"}
        assert _asked(f"{listener}/lamp") == {"path": "/lamp", "version": "1"}

        until(lambda: list(folder.glob(".edgeproxy/code/*/handler.py")))  # version 1 is kept
        code = folder / "shop" / "handler.py"
        code.write_text(code.read_text().replace('"path": path', '"route": path'))
        command.wait_for("reloaded shop in ")
        until(lambda: _deployment(command) == ("InProgress", 0.1))
        _asked(f"{control}/api/clock", {"advance_s": 300})
        until(lambda: _deployment(command)[0] == "Succeeded")
        assert _asked(f"{url}lamp") == {"route": "/lamp", "version": "2"}

        invoke = f"{control}/2015-03-31/functions/orders/invocations"
        order = json.loads((folder / "order.json").read_text())
        _asked(invoke, order, X_Amz_Invocation_Type="Event")
        until(lambda: bool(_told(folder, "packed")))
        assert _told(folder, "packed")[0]["responsePayload"] == {"order": 7, "parcels": 1}
        _asked(invoke, {"order": 8, "items": []}, X_Amz_Invocation_Type="Event")
        until(
            lambda: [each["attempts"] for each in _asked(f"{control}/api/events")["events"]] == [1]
        )
        _asked(f"{control}/api/clock", {"advance_s": 60})
        until(lambda: bool(_told(folder, "trouble")))
        record = _told(folder, "trouble")[0]
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["responsePayload"]["errorMessage"] == "there is nothing to pack"


def test_aws_would_take_it() -> None:
    checked = run("check", str(SAMPLE / "template.yaml"))
    assert checked.returncode == 0, checked.stdout
    assert "0 errors, 0 warnings" in checked.stdout
