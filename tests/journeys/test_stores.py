"""Objects on disk and in Redis through restarts, crashes and stalls, with real edges."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command, dev, run
from tests.support.origin import Answer, Origin
from tests.support.redis_server import RedisServer

LARGE = bytes(range(256)) * 8192
"""2 MiB: several blocks."""
DISK = ("--cache-store", "disk")


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    # The host is part of the cache key; the port in it would be another one after a restart.
    lines = {"Host": "site.example"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=lines, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, dict(response.headers.items()), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers.items()), error.read()


def x_cache(url: str) -> str:
    return get(url)[1]["X-Cache"]


def post(url: str, document: object) -> Any:
    body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())


def bodies(folder: Path) -> list[Path]:
    return list((folder / ".edgeproxy" / "cache" / "bodies").iterdir())


def viewer_of(command: Command) -> str:
    viewer: str = command.endpoints["viewer"]
    return viewer


def test_a_restart_keeps_objects_their_age_and_their_end(tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600", "ETag": '"1"'}, body=LARGE)
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        viewer = viewer_of(command)
        assert x_cache(viewer + "/a") == "Miss from cloudfront"
        stored = time.time()
        assert x_cache(viewer + "/b") == "Miss from cloudfront"
        assert command.stop() == 0
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        viewer, control = viewer_of(command), command.endpoints["control"]
        asked = time.time()
        status, headers, body = get(viewer + "/a")
        assert (status, headers["X-Cache"], body) == (200, "Hit from cloudfront", LARGE)
        assert int(asked - stored) <= int(headers["Age"]) <= time.time() - stored + 2
        dropped = post(control + "/api/invalidations", {"paths": ["/b"]})
        assert dropped["dropped"] == 1
        assert x_cache(viewer + "/b") == "Miss from cloudfront"
        post(control + "/api/clock", {"advance_s": 600 - (time.time() - stored) + 1})
        assert len(origin.got) == 3
        origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"new")
        status, headers, body = get(viewer + "/a")
        assert (status, headers["X-Cache"], body) == (200, "Miss from cloudfront", b"new")
        assert get(viewer + "/a")[2] == b"new"
        assert len(origin.got) == 4


@pytest.mark.rule("CDN-RNG-01", "CDN-MTH-07")
def test_an_object_on_disk_answers_ranges_conditions_and_head(
    tmp_path: Path, origin: Origin
) -> None:
    origin.answer = Answer(
        headers={"Cache-Control": "max-age=600", "ETag": '"1"'}, body=LARGE, chunked=True
    )
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        url = viewer_of(command) + "/a"
        assert get(url)[2] == LARGE
        status, headers, body = get(url, Range="bytes=262100-1000000")
        assert (status, headers["Content-Range"]) == (206, "bytes 262100-1000000/2097152")
        assert body == LARGE[262100:1000001]
        status, headers, body = get(url, Range="bytes=0-9,300000-300009")
        assert status == 206
        assert body.count(b"\r\n\r\n" + LARGE[:10] + b"\r\n--") == 1
        assert body.count(b"\r\n\r\n" + LARGE[300000:300010] + b"\r\n--") == 1
        assert int(headers["Content-Length"]) == len(body)
        status, headers, body = get(url, "HEAD")
        assert (status, headers["Content-Length"], body) == (200, "2097152", b"")
        assert get(url, If_None_Match='"1"')[0] == 304
        assert len(origin.got) == 1


def test_a_damaged_object_is_fetched_anew(tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"as it was")
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        assert x_cache(viewer_of(command) + "/a") == "Miss from cloudfront"
        command.stop()
    (file,) = bodies(tmp_path)
    file.write_bytes(b"as it wax")
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        _, headers, body = get(viewer_of(command) + "/a")
        assert (headers["X-Cache"], body) == ("Miss from cloudfront", b"as it was")
        command.wait_for("was damaged; it is dropped")
        assert x_cache(viewer_of(command) + "/a") == "Hit from cloudfront"


def test_a_transfer_is_cut_where_an_object_is_damaged(tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=LARGE)
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        url = viewer_of(command) + "/a"
        assert x_cache(url) == "Miss from cloudfront"
        (file,) = bodies(tmp_path)
        with file.open("r+b") as opened:
            opened.seek(1_000_000)
            opened.write(b"harm")
        with pytest.raises(IncompleteRead) as cut:
            get(url)
        assert 0 < len(cut.value.partial) < 1_000_000
        assert LARGE.startswith(cut.value.partial)
        assert "Traceback" not in command.wait_for("was damaged; it is dropped")
        _, headers, body = get(url)
        assert (headers["X-Cache"], body) == ("Miss from cloudfront", LARGE)


def test_a_second_edge_in_the_same_folder_is_refused(tmp_path: Path, origin: Origin) -> None:
    with dev(origin.url, *DISK, cwd=tmp_path) as command:
        viewer_of(command)
        second = run("dev", origin.url, *DISK, "--port", "0", "--control-port", "0", cwd=tmp_path)
        assert second.returncode == 2
        assert "another edge keeps its objects there" in second.stderr
        assert "--state-dir" in second.stderr
        assert "Traceback" not in second.stderr
        assert get(viewer_of(command) + "/a")[0] == 200


class Halting:
    """An origin that stops in the middle of ``/large`` until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked: list[str] = []
        halting = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                halting.asked.append(self.path)
                body = LARGE if self.path == "/large" else b"small"
                self.send_response_only(200)
                self.send_header("Cache-Control", "max-age=600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                middle = len(body) // 2
                self.wfile.write(body[:middle])
                self.wfile.flush()
                if self.path == "/large":
                    halting.go_on.wait(30)
                self.wfile.write(body[middle:])

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                """Whoever asked was killed."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def halting() -> Iterator[Halting]:
    origin = Halting()
    thread = threading.Thread(target=origin.server.serve_forever)
    thread.start()
    yield origin
    origin.go_on.set()
    origin.server.shutdown()
    thread.join()
    origin.server.server_close()


def test_a_kill_in_the_middle_of_storing_loses_only_what_was_stored(
    tmp_path: Path, halting: Halting
) -> None:
    with dev(halting.url, *DISK, cwd=tmp_path) as command:
        viewer = viewer_of(command)
        assert x_cache(viewer + "/small") == "Miss from cloudfront"
        with urllib.request.urlopen(viewer + "/large", timeout=20) as response:
            assert response.read(1) == LARGE[:1]
            deadline = time.monotonic() + 20
            while sum(file.stat().st_size for file in bodies(tmp_path)) < len(LARGE) // 4:
                assert time.monotonic() < deadline, "nothing was written"
            command.process.kill()
            command.process.wait(10)
    halting.go_on.set()
    assert len(bodies(tmp_path)) == 2
    with dev(halting.url, *DISK, cwd=tmp_path) as command:
        viewer = viewer_of(command)
        assert len(bodies(tmp_path)) == 1
        assert x_cache(viewer + "/small") == "Hit from cloudfront"
        _, headers, body = get(viewer + "/large")
        assert (headers["X-Cache"], body) == ("Miss from cloudfront", LARGE)
        assert x_cache(viewer + "/large") == "Hit from cloudfront"
    assert halting.asked == ["/small", "/large", "/large"]


# Redis -------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with RedisServer(folder) as server:
        yield server


@contextmanager
def edges(count: int, origin_url: str, store_url: str, tmp_path: Path) -> Iterator[list[Command]]:
    """Edges of one distribution that share a server."""
    with ExitStack() as stack:
        commands = []
        for number in range(count):
            folder = tmp_path / f"edge{number}"
            folder.mkdir()
            options = ("--cache-store", store_url, "--cache-size-mb", "16")
            commands.append(stack.enter_context(dev(origin_url, *options, cwd=folder)))
        yield commands


def until(happens: Callable[[], bool]) -> None:
    """Ask again until it is so: there is no event that says when a server is back in use."""
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_edges_share_what_one_of_them_fetched(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600", "ETag": '"1"'}, body=LARGE)
    with edges(2, origin.url, server.url, tmp_path) as (one, two):
        first, second = viewer_of(one), viewer_of(two)
        assert x_cache(first + "/a") == "Miss from cloudfront"
        _, headers, body = get(second + "/a")
        assert (headers["X-Cache"], body) == ("Hit from cloudfront", LARGE)
        assert get(second + "/a", Range="bytes=262100-300000")[2] == LARGE[262100:300001]
        dropped = post(two.endpoints["control"] + "/api/invalidations", {"paths": ["/*"]})
        assert dropped["dropped"] == 1
        origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"new")
        _, headers, body = get(first + "/a")
        assert (headers["X-Cache"], body) == ("Miss from cloudfront", b"new")
        until(lambda: x_cache(second + "/a") == "Hit from cloudfront")
        assert get(second + "/a")[2] == b"new"
        assert one.stop() == 0
        assert two.stop() == 0


def test_an_edge_starts_without_its_server_and_uses_it_later(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"body")
    server.kill()
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        viewer = viewer_of(edge)
        assert [x_cache(viewer + "/a") for _ in range(3)] == ["Miss from cloudfront"] * 3
        server.start()
        edge.wait_for("can be used again")
        until(lambda: x_cache(viewer + "/a") == "Hit from cloudfront")
        assert edge.console.count("cannot be used") == 1


def test_a_server_that_is_killed_and_comes_back(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=LARGE)
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        viewer = viewer_of(edge)
        assert x_cache(viewer + "/a") == "Miss from cloudfront"
        assert x_cache(viewer + "/a") == "Hit from cloudfront"
        stopping, bodies_got, cut_off = threading.Event(), list[bytes](), list[bytes]()

        def ask() -> None:
            while not stopping.is_set():
                try:
                    bodies_got.append(get(viewer + "/a")[2])
                except IncompleteRead as cut:  # its blocks went while they were sent
                    cut_off.append(cut.partial)

        viewers = [threading.Thread(target=ask) for _ in range(3)]
        for thread in viewers:
            thread.start()
        server.kill()
        edge.wait_for("cannot be used")
        answered = len(bodies_got)
        until(lambda: len(bodies_got) > answered + 5)
        server.start()
        edge.wait_for("can be used again")
        until(lambda: x_cache(viewer + "/a") == "Hit from cloudfront")
        stopping.set()
        for thread in viewers:
            thread.join(20)
        assert set(bodies_got) == {LARGE}
        assert all(map(LARGE.startswith, cut_off))
        assert edge.console.count("cannot be used") == 1
        assert "Traceback" not in edge.console


def test_a_server_that_stalls_costs_no_request_more_than_once(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"body")
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        viewer = viewer_of(edge)
        assert x_cache(viewer + "/a") == "Miss from cloudfront"
        server.signal(signal.SIGSTOP)
        assert get(viewer + "/a")[2] == b"body"
        began = time.monotonic()
        for _ in range(20):
            assert x_cache(viewer + "/a") == "Miss from cloudfront"
        assert time.monotonic() - began < 5
        server.signal(signal.SIGCONT)
        edge.wait_for("can be used again")
        until(lambda: x_cache(viewer + "/a") == "Hit from cloudfront")


def test_what_is_invalidated_while_the_server_is_away_is_made_up_for(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"old")
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        viewer = viewer_of(edge)
        get(viewer + "/a")
        server.signal(signal.SIGSTOP)
        paths = {"paths": ["/a"]}
        assert post(edge.endpoints["control"] + "/api/invalidations", paths)["dropped"] == 0
        origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"new")
        server.signal(signal.SIGCONT)
        edge.wait_for("can be used again")
        assert get(viewer + "/a")[2] == b"new"


def test_a_full_server_is_told_once_and_used_again_when_there_is_room(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=b"body")
    server.client.config_set("maxmemory-policy", "noeviction")
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        viewer = viewer_of(edge)
        assert x_cache(viewer + "/a") == "Miss from cloudfront"
        server.client.config_set("maxmemory", "1")
        assert [x_cache(viewer + f"/{number}") for number in range(3)] == [
            "Miss from cloudfront"
        ] * 3
        assert x_cache(viewer + "/a") == "Hit from cloudfront"
        assert edge.wait_for("does not keep objects").count("does not keep objects") == 1
        # Also without memory for the log.
        dropped = post(edge.endpoints["control"] + "/api/invalidations", {"paths": ["/a"]})
        assert dropped["dropped"] == 1
        assert x_cache(viewer + "/a") == "Miss from cloudfront"
        server.client.config_set("maxmemory", "100mb")
        until(lambda: x_cache(viewer + "/a") == "Hit from cloudfront")
        edge.wait_for("keeps objects again")


def test_a_damaged_object_in_redis_is_fetched_anew(
    tmp_path: Path, origin: Origin, server: RedisServer
) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"}, body=LARGE)
    with edges(1, origin.url, server.url, tmp_path) as (edge,):
        url = viewer_of(edge) + "/a"
        assert x_cache(url) == "Miss from cloudfront"
        (block,) = server.client.keys("*:b:*:3")
        server.client.setrange(block, 1000, b"harm")
        with pytest.raises(IncompleteRead) as cut:
            get(url)
        assert LARGE.startswith(cut.value.partial)
        assert "Traceback" not in edge.wait_for("was damaged; it is dropped")
        _, headers, body = get(url)
        assert (headers["X-Cache"], body) == ("Miss from cloudfront", LARGE)


def test_a_store_that_cannot_be_chosen_is_an_error(tmp_path: Path) -> None:
    for choice, word in (("redid://x", "redis://localhost"), ("redis://h:port/0", "port")):
        refused = run("dev", "http://127.0.0.1:9", "--cache-store", choice, cwd=tmp_path)
        assert refused.returncode == 2
        assert "--cache-store" in refused.stderr
        assert word in refused.stderr.lower()
        assert "Traceback" not in refused.stderr
