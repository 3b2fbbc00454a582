"""The demo: sample origins, and in front of them the edge that ``edgeproxy.yaml`` describes.

    python origins/demo.py

Starts the origins that are processes on free ports, then runs ``edgeproxy dev`` until Ctrl-C, and
says what to try. Arguments are passed on to ``edgeproxy dev``.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

ORIGINS = Path(__file__).parent
ROOT = ORIGINS.parent

TOUR = """
Open {viewer}/ in a browser: a reload shows the same variant, a private window may show the
other one. {viewer}/chat talks over a WebSocket. In another terminal:

  curl -i {viewer}/             the page, the A/B cookie, CloudFront's headers
  curl -i {viewer}/old          redirected by a Python function
  curl -i {viewer}/members      basic auth in Node.js (let in with -u demo:demo)
  curl -s {viewer}/echo         what an origin gets from CloudFront
  curl -s "{api}hello?name=you"    the function URL
  curl -s "{control}/api/exchanges?limit=1"    what the edge recorded
"""


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A port for each; all are held until the last is found, so that no two are the same."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {name: server.getsockname()[1] for name, server in zip(names, servers, strict=True)}


def show_tour(endpoints_file: Path, edge: subprocess.Popen[bytes]) -> None:
    """Print the tour once the edge is ready."""
    while not endpoints_file.exists():
        if edge.poll() is not None:
            return
        time.sleep(0.02)
    endpoints = json.loads(endpoints_file.read_text("utf-8"))
    api = endpoints["function_urls"]["ApiUrl"]["url"]
    print(
        TOUR.format(viewer=endpoints["viewer"], control=endpoints["control"], api=api), flush=True
    )


def main() -> int:
    ports = free_ports(("echo", "streaming", "websocket", "slow", "flaky"))
    origins = [
        subprocess.Popen(
            [sys.executable, ORIGINS / f"{name}.py", "--port", str(port)],
            stdout=subprocess.DEVNULL,
        )
        for name, port in ports.items()
    ]
    mapped = [f"SiteA={ORIGINS / 'site' / 'a'}", f"SiteB={ORIGINS / 'site' / 'b'}"]
    mapped += [f"{name.capitalize()}=http://127.0.0.1:{port}" for name, port in ports.items()]
    options = [part for mapping in mapped for part in ("--origin", mapping)]
    with tempfile.TemporaryDirectory() as folder:
        # A file that the caller names comes later on the command line, and so wins.
        endpoints_file = Path(folder) / "endpoints.json"
        options += ["--endpoints-file", str(endpoints_file), *sys.argv[1:]]
        if "--endpoints-file" in sys.argv[1:-1]:
            endpoints_file = Path(sys.argv[sys.argv.index("--endpoints-file") + 1])
        edge = subprocess.Popen(
            [sys.executable, "-m", "edgeproxy", "dev", ROOT / "edgeproxy.yaml", *options]
        )
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the edge, which ends first.
        signal.signal(signal.SIGTERM, lambda *_: edge.terminate())
        threading.Thread(target=show_tour, args=(endpoints_file, edge), daemon=True).start()
        try:
            return edge.wait()
        finally:
            for origin in origins:
                origin.terminate()
                origin.wait()


if __name__ == "__main__":
    sys.exit(main())
