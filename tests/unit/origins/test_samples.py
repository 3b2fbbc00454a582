"""The sample origins start as real processes and answer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.support.ports import free_port

ORIGINS = Path(__file__).parents[3] / "origins"


@asynccontextmanager
async def running(name: str, *options: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose base is the sample origin ``name``, started on a free port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",
        str(ORIGINS / f"{name}.py"),
        "--port",
        str(port),
        *options,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        greeting = await asyncio.wait_for(process.stdout.readuntil(b"CTRL+C"), 20)
        assert f"http://127.0.0.1:{port}".encode() in greeting
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        process.terminate()
        await process.wait()
        await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["site", "echo", "slow", "flaky", "streaming", "websocket"])
async def test_every_sample_explains_itself_and_has_its_line_in_the_readme(name: str) -> None:
    file = f"{name}.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ORIGINS / file), "--help", stdout=asyncio.subprocess.PIPE
    )
    text, _ = await process.communicate()
    assert process.returncode == 0
    assert b"--port" in text
    assert f"[`{file}`]({file})" in (ORIGINS / "README.md").read_text()


@pytest.mark.parametrize("variant", ["a", "b"])
async def test_the_site_serves_every_file_with_validators(variant: str) -> None:
    files = sorted(path.name for path in (ORIGINS / "site" / variant).iterdir())
    assert {"index.html", "about.html", "styles.css", "logo.svg", "favicon.ico"} < {*files}
    async with running("site", "--variant", variant, "--max-age", "7") as session:
        for name in files:
            async with session.get(f"/{name}") as answer:
                assert answer.status == 200
                assert await answer.read() == (ORIGINS / "site" / variant / name).read_bytes()
                age = 7 if name.endswith(".html") else 86_400
                assert answer.headers["Cache-Control"] == f"public, max-age={age}"
                etag = answer.headers["ETag"]
            async with session.get(f"/{name}", headers={"If-None-Match": etag}) as answer:
                assert answer.status == 304
        async with session.get("/") as answer:
            assert answer.content_type == "text/html"
        async with session.get(URL("/%2e%2e/README.md", encoded=True)) as answer:
            assert answer.status == 404


async def test_the_two_variants_look_different() -> None:
    for name in ("index.html", "styles.css", "logo.svg", "photo.png"):
        a, b = (ORIGINS / "site" / variant / name for variant in "ab")
        assert a.read_bytes() != b.read_bytes()


async def test_echo_says_what_it_got() -> None:
    async with running("echo") as session:
        target = "/a/b?status=404&header=X-A:%201"
        async with session.post(URL(target, encoded=True), data=b"\0\xff") as answer:
            got = await answer.json()
            assert (answer.status, answer.headers["X-A"]) == (404, "1")
    assert (got["method"], got["target"], got["body"]) == ("POST", target, "AP8=")
    assert "Host" in [name for name, _ in got["headers"]]


async def test_slow_waits_and_stalls() -> None:
    loop = asyncio.get_running_loop()
    async with running("slow") as session:
        started = loop.time()
        async with session.get("/?ms=200&stall=200") as answer:
            assert loop.time() - started >= 0.2
            assert await answer.content.readany() == b"worth wai"
            assert await answer.read() == b"ting for\n"
            assert loop.time() - started >= 0.4


async def test_flaky_fails_every_nth_request() -> None:
    async with running("flaky", "--every", "2", "--how", "503") as session:
        statuses = []
        for _ in range(4):
            async with session.get("/") as answer:
                statuses.append(answer.status)
        assert statuses == [200, 503, 200, 503]
    async with running("flaky", "--every", "1", "--how", "reset") as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post("/")


async def test_streaming_streams() -> None:
    async with running("streaming") as session:
        async with session.get("/events?count=2&ms=1") as answer:
            assert answer.content_type == "text/event-stream"
            assert (await answer.text()).count("data: event") == 2
        async with session.get("/ticks?count=3&ms=1") as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert await answer.text() == "tick 1\ntick 2\ntick 3\n"
        async with session.get("/download?bytes=1000001") as answer:
            assert answer.content_length == 1_000_001
            assert len(await answer.read()) == 1_000_001


async def test_websocket_echoes() -> None:
    async with running("websocket") as session:
        async with session.get("/") as answer:
            assert "new WebSocket(" in await answer.text()
        async with session.ws_connect("/ws") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            await socket.send_bytes(b"\0\xff")
            assert await socket.receive_bytes() == b"\0\xff"
