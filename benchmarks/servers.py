"""The servers that are compared, each on the servers' core, in front of the same origin.

All of them keep what the origin lets them keep below `/hit/`, `/stale/` and `/slow/`, pass on what
is below `/pass/`, and answer a hit with fifteen headers. Only those whose name says so write a log
of requests to a file; what they record otherwise is left as it is by default.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from definitions import plain, with_functions
from edges import COMMAND, edge
from machine import cores, cpu_s, free_port, pinned, tool

__all__ = [
    "ASYNCIO",
    "CONSOLE",
    "CONSTANT",
    "CONSTANT_ASYNCIO",
    "EDGE",
    "FUNCTIONS",
    "LOGGING",
    "NGINX",
    "NGINX_LOGGING",
    "REDIS",
    "Server",
    "Servers",
    "listening",
]

EDGE, FUNCTIONS = "edgeproxy", "edgeproxy with functions"
LOGGING, ASYNCIO, REDIS = "edgeproxy, access log", "edgeproxy, asyncio", "edgeproxy, Redis"
CONSOLE = "edgeproxy, console"
NGINX, NGINX_LOGGING = "nginx", "nginx, access log"
CONSTANT, CONSTANT_ASYNCIO = "constant", "constant, asyncio"

_HERE: Final = Path(__file__).parent
_WITHOUT_UVLOOP: Final = (
    "import sys; sys.modules['uvloop'] = None; from edgeproxy.cli import main; sys.exit(main())"
)
_NGINX: Final = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 12000; }}
http {{
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  access_log {access_log};
  keepalive_requests 1000000000;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=kept:200m max_size=8g inactive=2h;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  add_header Age 0;
  add_header Via "1.1 nginx";
  add_header X-Cache $upstream_cache_status;
  add_header X-Amz-Cf-Pop SEA19-C1;
  add_header X-Amz-Cf-Id $request_id;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_cache kept;
      proxy_cache_revalidate on;
      proxy_cache_lock on;
    }}
    location /pass/ {{ proxy_pass http://origin; }}
  }}
}}
"""
_VARNISH: Final = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{
  unset req.http.Cookie;
  if (req.url ~ "^/pass/") {{ return (pass); }}
}}
sub vcl_backend_response {{
  set beresp.grace = 0s;
  set beresp.keep = 1h;
}}
sub vcl_deliver {{ set resp.http.X-Cache = obj.hits; }}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """``doors`` are URLs without a slash at the end: `viewer`, and other doors of an edge."""

    process: int
    doors: Mapping[str, str]

    def cpu_s(self) -> float:
        """CPU time so far of all its processes."""
        return cpu_s(self.process)


class Servers:
    """Starts servers when they are first asked for, and the origin before them."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self._folder = folder
        self._held = held
        self._running: dict[str, Server | None] = {}
        self._origin = self._held.enter_context(_started_origin())
        self._starts: dict[str, Callable[[Path], Server | None]] = {
            NGINX: self._nginx,
            NGINX_LOGGING: lambda at: self._nginx(at, f"{at}/access.log combined"),
            "Varnish": self._varnish,
            "aiohttp": self._aiohttp,
            CONSTANT: lambda at: self._constant("uvloop"),
            CONSTANT_ASYNCIO: lambda at: self._constant("asyncio"),
            EDGE: lambda at: self._kept(self.edge(at, plain())),
            LOGGING: lambda at: self._kept(
                self.edge(at, plain(), "--access-log", str(at / "access.log"))
            ),
            CONSOLE: lambda at: self._kept(self.edge(at, plain(), quiet=False)),
            ASYNCIO: self._asyncio,
            REDIS: self._redis,
            FUNCTIONS: lambda at: self._kept(self.edge(at, with_functions())),
        }

    def get(self, name: str) -> Server | None:
        """The server, or None when its program is not installed."""
        if name not in self._running:
            folder = self._folder / f"server-{len(self._running)}"
            folder.mkdir()
            self._running[name] = self._starts[name](folder)
        return self._running[name]

    def asked_of_origin(self) -> int:
        """How many requests the origin has had."""
        with urlopen(f"http://127.0.0.1:{self._origin}/count") as answer:
            return int(answer.read())

    @contextmanager
    def edge(
        self,
        folder: Path,
        template: dict[str, Any],
        *options: str,
        command: Sequence[str] = COMMAND,
        quiet: bool = True,
    ) -> Iterator[Server]:
        """An edge for the duration of a block."""
        definition = folder / "template.json"
        definition.write_text(json.dumps(template))
        where = ("--origin", f"web=http://127.0.0.1:{self._origin}", "--cache-size-mb", "8192")
        pin = [*pinned(cores()[0]), *command]
        with edge(folder, str(definition), *where, *options, command=pin, quiet=quiet) as running:
            doors = {"viewer": running.endpoints["viewer"], "control": running.control}
            for url in running.endpoints["function_urls"].values():
                doors["function URL"] = url["url"].rstrip("/")
            for balancer in running.endpoints["load_balancers"].values():
                doors["load balancer"] = balancer["listeners"][0]["url"]
            yield Server(running.process.pid, doors)

    def _asyncio(self, folder: Path) -> Server | None:
        try:
            import uvloop  # noqa: F401
        except ImportError:
            return None  # all of them run without it
        command = (sys.executable, "-c", _WITHOUT_UVLOOP)
        return self._kept(self.edge(folder, plain(), command=command))

    def _redis(self, folder: Path) -> Server | None:
        """Its CPU time is that of the edge, without the server of the store."""
        server = tool("valkey-server") or tool("redis-server")
        if server is None or find_spec("redis") is None:
            return None
        port = free_port()
        files = ["--dir", str(folder), "--save", "", "--appendonly", "no"]
        self._started(port, [server, "--bind", "127.0.0.1", "--port", str(port), *files])
        store = ("--cache-store", f"redis://127.0.0.1:{port}/0")
        return self._kept(self.edge(folder, plain(), *store))

    def _nginx(self, folder: Path, access_log: str = "off") -> Server | None:
        if (nginx := tool("nginx")) is None:
            return None
        port = free_port()
        file = folder / "nginx.conf"
        # Started by root it would run as a user who may not read a temporary folder.
        user = "user root;" if os.geteuid() == 0 else ""
        file.write_text(
            _NGINX.format(
                user=user, folder=folder, port=port, origin=self._origin, access_log=access_log
            )
        )
        return self._started(port, [nginx, "-c", str(file), "-e", str(folder / "error.log")])

    def _varnish(self, folder: Path) -> Server | None:
        if (varnish := tool("varnishd")) is None:
            return None
        port = free_port()
        file = folder / "default.vcl"
        file.write_text(_VARNISH.format(origin=self._origin))
        listen = f"127.0.0.1:{port}"
        return self._started(
            port,
            [varnish, "-F", "-j", "none", "-n", str(folder / "work"), "-a", listen,
             "-f", str(file), "-s", "malloc,8g"],
        )  # fmt: skip

    def _aiohttp(self, folder: Path) -> Server:
        port = free_port()
        script = str(_HERE / "plain_aiohttp.py")
        origin = f"http://127.0.0.1:{self._origin}"
        return self._started(port, [sys.executable, script, str(port), origin])

    def _constant(self, loop: str) -> Server:
        port = free_port()
        return self._started(port, [sys.executable, str(_HERE / "constant.py"), str(port), loop])

    def _started(self, port: int, command: list[str]) -> Server:
        return self._kept(listening([*pinned(cores()[0]), *command], port))

    def _kept(self, server: AbstractContextManager[Server]) -> Server:
        """It runs until all of them are stopped."""
        return self._held.enter_context(server)


@contextmanager
def _started_origin() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(_HERE / "origin.py"), str(port)]
    with listening([*pinned(cores()[1]), *command], port):
        yield port


@contextmanager
def listening(command: list[str], port: int) -> Iterator[Server]:
    """A server that accepts connections."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            while not _accepts(port):
                if process.poll() is not None:
                    said.seek(0)
                    raise SystemExit(f"{' '.join(command)} ended:\n{said.read().decode()}")
                time.sleep(0.01)
            yield Server(process.pid, {"viewer": f"http://127.0.0.1:{port}"})
        finally:
            process.terminate()
            process.wait(30)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
