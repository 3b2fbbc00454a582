"""Custom runtimes for tests: a shell script, and a Python program that does what events say."""

import sys
from pathlib import Path
from typing import Any

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import Deployed, DeployFailed
from edgeproxy.runtimes.invocation import FunctionSpec, ResponseFlow
from tests.unit.runtimes.account import ARN, Account

__all__ = ["DRIVER", "SHELL", "CustomAccount", "Sink", "write_bootstrap"]

SHELL = """#!/bin/sh
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
  HEADERS="$(mktemp)"
  EVENT=$(curl -sS -LD "$HEADERS" "$API/invocation/next")
  ID=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)
  echo "got $EVENT"
  echo "to stderr" >&2
  curl -sS -X POST "$API/invocation/$ID/response" -d "{\\"echo\\": $EVENT}" > /dev/null
done
"""
"""The loop that AWS's tutorial makes people write."""

DRIVER = '''#!/usr/bin/env python3
"""Runs each event as Python code, with ``call`` at hand; ``say`` answers it."""
import base64, http.client, json, os, signal, socket, sys, time

HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime/"
connection = http.client.HTTPConnection(HOST)

def call(method, path, body=None, headers={}, base=BASE):
    connection.request(method, base + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())

def raw(text):
    """What comes back for these bytes, which may be no complete request."""
    host, port = HOST.split(":")
    with socket.create_connection((host, int(port))) as opened:
        opened.sendall(text)
        opened.shutdown(socket.SHUT_WR)
        return opened.makefile("rb").read().decode()

def say(value, headers={}):
    return call("POST", f"invocation/{ID}/response", json.dumps(value), headers)

def fail(document, headers={}):
    return call("POST", f"invocation/{ID}/error", document, headers)

NOTES = []
exec(os.environ.get("AT_START", ""))
while True:
    STATUS, EVENT, HEADERS = call("GET", "invocation/next")
    ID = HEADERS["Lambda-Runtime-Aws-Request-Id"]
    exec(json.loads(EVENT))
'''


def write_bootstrap(folder: Path, text: str, name: str = "bootstrap") -> Path:
    """An executable program in ``folder``; one in Python runs on the Python of the tests."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace("#!/usr/bin/env python3", f"#!{sys.executable} -S"))
    file.chmod(0o755)
    return file


class CustomAccount(Account):
    """An account whose function ``f`` has its own runtime."""

    def custom(self, bootstrap: str = DRIVER, **settings: Any) -> FunctionDefinition:
        root = self.folder / "f"
        root.mkdir(exist_ok=True)
        if bootstrap:
            write_bootstrap(root, bootstrap)
        settings = {"runtime": "provided.al2023", "handler": "any.thing", **settings}
        return FunctionDefinition("f", FunctionSpec("f", code_root=root, arn=ARN + "f", **settings))

    async def deploy_custom(
        self, bootstrap: str = DRIVER, **settings: Any
    ) -> Deployed | DeployFailed:
        definition = self.custom(bootstrap, **settings)
        return await self.service.deploy(definition, force=True, qualifier="")


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.flow: ResponseFlow | None = None

    def started(self, content_type: str, flow: ResponseFlow) -> None:
        self.told.append(content_type)
        self.flow = flow

    def data(self, chunk: bytes) -> None:
        self.told.append(chunk)

    def ended(self) -> None:
        self.told.append("ended")

    @property
    def body(self) -> bytes:
        return b"".join(chunk for chunk in self.told if isinstance(chunk, bytes))

    @property
    def size(self) -> int:
        return sum(len(chunk) for chunk in self.told if isinstance(chunk, bytes))
