"""A real origin for tests: records what it gets, answers as told."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Got", "Origin", "running_origin"]


@dataclass(frozen=True)
class Got:
    """One request as the origin received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """All values of a header joined by a comma, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True)
class Answer:
    """What the origin says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"from the origin"
    chunked: bool = False


class Origin:
    """``answer`` may be an :class:`Answer` or a function of the request; it may be replaced."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Answer | Callable[[Got], Answer] = Answer()
        self.url = ""

    @property
    def targets(self) -> list[str]:
        """The request targets so far, in order."""
        return [got.target for got in self.got]

    def reply_to(self, got: Got) -> Answer:
        self.got.append(got)
        return self.answer if isinstance(self.answer, Answer) else self.answer(got)


@contextmanager
def running_origin(tls: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """An origin on a free port of 127.0.0.1; over TLS with a server's context."""
    origin = Origin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or a body waits 40 ms until its head is acknowledged

        def _serve(self) -> None:
            body = self._body()
            got = Got(self.command, self.requestline.split(" ")[1], self.headers.items(), body)
            answer = origin.reply_to(got)
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            has_body = self.command != "HEAD" and answer.status not in (204, 304)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            elif answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if not has_body:
                return
            if answer.chunked:
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer.body), answer.body))
            else:
                self.wfile.write(answer.body)

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing on standard error."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            """Say nothing when whoever asked has left."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        origin.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield origin
        finally:
            server.shutdown()
            thread.join()
