"""moto's server in a process of its own: queues, streams, topics and buckets to test against."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

__all__ = ["Moto", "running_moto"]

_START_S = 30


class Moto:
    """The server at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextmanager
def running_moto(packages: Path, port: int) -> Iterator[Moto]:
    """A server at a port, with moto from the folder ``packages``."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/data.json").close()
                break
            except urllib.error.URLError:
                assert server.poll() is None, "moto's server ended"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.05)
        yield Moto(url)
    finally:
        server.terminate()
        server.wait()
