"""The demo: sample origins, and in front of them the edge that ``edgeproxy.yaml`` describes.

    python origins/demo.py

Starts the origins that are processes on free ports, then runs ``edgeproxy dev`` until Ctrl-C.
Arguments are passed on to it.
"""

import signal
import socket
import subprocess
import sys
from pathlib import Path

ORIGINS = Path(__file__).parent
ROOT = ORIGINS.parent

TOUR = """
Open http://127.0.0.1:8080/ in a browser: a reload shows the same variant, a private window may
show the other one. http://127.0.0.1:8080/chat talks over a WebSocket. In another terminal:

  curl -i http://127.0.0.1:8080/             the page, the A/B cookie, CloudFront's headers
  curl -i http://127.0.0.1:8080/old          redirected by a Python function
  curl -i http://127.0.0.1:8080/members      basic auth in Node.js (let in with -u demo:demo)
  curl -s http://127.0.0.1:8080/echo         what an origin gets from CloudFront
  curl -s "http://127.0.0.1:8081/api/exchanges?limit=1"    what the edge recorded
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main() -> int:
    ports = {name: free_port() for name in ("echo", "streaming", "websocket", "slow", "flaky")}
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
    print(TOUR, flush=True)
    edge = subprocess.Popen(
        [sys.executable, "-m", "edgeproxy", "dev", ROOT / "edgeproxy.yaml", *options, *sys.argv[1:]]
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the edge, which ends first.
    signal.signal(signal.SIGTERM, lambda *_: edge.terminate())
    try:
        return edge.wait()
    finally:
        for origin in origins:
            origin.terminate()
            origin.wait()


if __name__ == "__main__":
    sys.exit(main())
