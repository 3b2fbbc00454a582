"""Hits of 1 KB over TLS, asked for by h2load in both versions of HTTP, in turn."""

import os
import re
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme
from definitions import plain
from machine import cores, free_port, pinned, tool
from servers import NGINX, Server, Servers

__all__ = ["HTTP_2", "Spoken", "measure_http2"]

HTTP_2: Final = "hit-http2"
_CONNECTIONS: Final = 32
_REQUESTS: Final = 20_000
"""Of a burst, for each second that bursts of other loads take."""
_VERSIONS: Final = {
    "HTTP/1.1": ["--h1"],
    "HTTP/2": ["-m", "1"],
    "HTTP/2, 10 at a time": ["-m", "10"],
}
_NGINX: Final = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1000; }}
http {{
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  access_log off;
  keepalive_requests 1000000000;
  proxy_cache_path {folder}/cache keys_zone=kept:10m;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    location / {{ proxy_pass {origin}; proxy_cache kept; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Medians of one server in one version."""

    requests_per_s: float
    cpu_us: float


def measure_http2(
    servers: Servers, folder: Path, seconds: float, rounds: int
) -> dict[str, dict[str, Spoken]]:
    """By server and version. Nothing where h2load is missing (Debian: nghttp2-client)."""
    if tool("h2load") is None:
        print("\nno h2load: apt-get install nghttp2-client")
        return {}
    print("\nhits of 1 KB over TLS (goal: HTTP/2 at least as fast as HTTP/1.1)")
    found: dict[str, dict[str, list[Spoken]]] = {}
    with ExitStack() as held:
        running = dict(_started(servers, folder, held))
        for turn in range(rounds + 1):
            for name, server in running.items():
                for version, options in _VERSIONS.items():
                    burst = _burst(server, options, seconds)
                    if turn:  # The first brings the object, and is no measurement.
                        found.setdefault(name, {}).setdefault(version, []).append(burst)
    medians = {
        name: {
            version: Spoken(
                statistics.median(each.requests_per_s for each in bursts),
                statistics.median(each.cpu_us for each in bursts),
            )
            for version, bursts in versions.items()
        }
        for name, versions in found.items()
    }
    for name, versions in medians.items():
        for version, each in versions.items():
            rate = each.requests_per_s / versions["HTTP/1.1"].requests_per_s
            print(
                f"{name + ', ' + version:<34}{each.requests_per_s:10,.0f} /s"
                f"{each.cpu_us:9.1f} µs of CPU   {rate:.2f} of the rate of HTTP/1.1"
            )
    return medians


def _started(servers: Servers, folder: Path, held: ExitStack) -> Iterator[tuple[str, Server]]:
    folder = folder / "http2"
    folder.mkdir()
    if (nginx := tool("nginx")) and (behind := servers.get(NGINX)):
        server = _nginx(nginx, folder, behind.doors["viewer"])
        yield NGINX, held.enter_context(server)
    os.environ["XDG_DATA_HOME"] = str(folder)  # Its authority is not the user's.
    port = free_port()
    edge = held.enter_context(servers.edge(folder, plain(), "--https-port", str(port)))
    yield "edgeproxy", Server(edge.process, {"viewer": f"https://localhost:{port}"})


@contextmanager
def _nginx(program: str, folder: Path, origin: str) -> Iterator[Server]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(user=user, folder=folder, port=port, origin=origin))
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    command = [*pinned(cores()[0]), program, "-c", str(file), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    try:
        yield Server(process.pid, {"viewer": f"https://localhost:{port}"})
    finally:
        process.terminate()
        process.wait(30)


def _burst(server: Server, options: list[str], seconds: float) -> Spoken:
    command = [
        tool("h2load") or "h2load", "-c", str(_CONNECTIONS), "-n", str(int(seconds * _REQUESTS)),
        *options, f"{server.doors['viewer']}/hit/1024/0",
    ]  # fmt: skip
    before = server.cpu_s()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu_s = server.cpu_s() - before
    rate = re.search(r"([\d.]+) req/s", said)
    result = re.search(r"(\d+) succeeded, 0 failed, 0 errored", said)
    if rate is None or result is None:
        raise SystemExit(f"h2load failed at {command[-1]}:\n{said}")
    return Spoken(float(rate[1]), cpu_s / int(result[1]) * 1e6)
