"""A command finds the running edge and understands its answers, and whatever else answers."""

import argparse
import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from edgeproxy.cli.running import add_control_options, control_url, post
from edgeproxy.errors import UsageError

Serve = Callable[[web.Response], Awaitable[str]]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_control_options(parser)
    return parser.parse_args(arguments)


class TestControlUrl:
    def test_the_default(self) -> None:
        assert control_url(parse()) == "http://127.0.0.1:8081"

    def test_a_url_wins_over_a_file(self, tmp_path: Path) -> None:
        options = parse("--control", "http://edge:1/", "--endpoints-file", str(tmp_path / "none"))
        assert control_url(options) == "http://edge:1"

    def test_an_endpoints_file(self, tmp_path: Path) -> None:
        file = tmp_path / "endpoints.json"
        file.write_text(json.dumps({"control": "http://127.0.0.1:4711"}))
        assert control_url(parse("--endpoints-file", str(file))) == "http://127.0.0.1:4711"

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"control": null}', "nonsense"])
    def test_a_file_of_something_else(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "endpoints.json"
        file.write_text(text)
        with pytest.raises(UsageError, match="is not an endpoints file"):
            control_url(parse("--endpoints-file", str(file)))

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is the edge running with --endpoints-file"):
            control_url(parse("--endpoints-file", str(tmp_path / "none")))

    @pytest.mark.parametrize("url", ["localhost:8081", "ftp://localhost", "http://", "http:///x"])
    def test_what_is_no_url(self, url: str) -> None:
        with pytest.raises(UsageError, match="is not a URL"):
            control_url(parse("--control", url))


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves one fixed answer to ``POST /api/x``; the URL."""
    runners: list[web.AppRunner] = []

    async def start(response: web.Response) -> str:
        async def answer(request: web.Request) -> web.Response:
            assert request.content_type == "application/json"
            assert await request.json() == {"a": 1}
            return response

        application = web.Application()
        application.router.add_post("/api/x", answer)
        runner = web.AppRunner(application)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


class TestPost:
    async def test_the_answer(self, serve: Serve) -> None:
        url = await serve(web.json_response({"dropped": 3}, status=201))
        assert await asyncio.to_thread(post, url, "/api/x", {"a": 1}) == {"dropped": 3}

    async def test_an_error_is_the_edge_s_own_message(self, serve: Serve) -> None:
        problem = {"error": {"code": "InvalidArgument", "message": "no such distribution"}}
        url = await serve(web.json_response(problem, status=400))
        with pytest.raises(UsageError, match=r"^no such distribution$"):
            await asyncio.to_thread(post, url, "/api/x", {"a": 1})

    async def test_an_error_of_another_program(self, serve: Serve) -> None:
        url = await serve(web.Response(status=500, text="oops"))
        with pytest.raises(UsageError, match=f"{url} answered 500"):
            await asyncio.to_thread(post, url, "/api/x", {"a": 1})

    @pytest.mark.parametrize("text", ["<html>", "[]", ""])
    async def test_an_answer_of_another_program(self, serve: Serve, text: str) -> None:
        url = await serve(web.Response(text=text))
        with pytest.raises(UsageError, match="no running edge answers at"):
            await asyncio.to_thread(post, url, "/api/x", {"a": 1})

    async def test_what_does_not_speak_http(self) -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"220 mail.example\r\n")
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(UsageError, match="no running edge answers at"):
                await asyncio.to_thread(post, url, "/api/x", {"a": 1})

    def test_nobody_there(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # Bound and not listening: every connection is refused.
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(UsageError, match="start one with `edgeproxy dev`"):
                post(url, "/api/x", {"a": 1})

    @pytest.mark.parametrize("url", ["http://[::1", "http://localhost:port", "http://a b/"])
    def test_a_url_that_cannot_be_used(self, url: str) -> None:
        with pytest.raises(UsageError, match="no running edge answers at"):
            post(url, "/api/x", {"a": 1})

    async def test_proxies_of_the_environment_have_no_say(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        url = await serve(web.json_response({}))
        assert await asyncio.to_thread(post, url, "/api/x", {"a": 1}) == {}
