"""The page's files, over a real socket: what is served, as what, and what is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import web

from edgeproxy.inspector.page import Page
from edgeproxy.inspector.protection import guard, harden

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    """``await ask(target, "Name: value")`` is status, headers in lower case, and body."""
    folder = tmp_path / "static"
    (folder / "views").mkdir(parents=True)
    for name, text in {
        "index.html": "<!doctype html><title>page</title>",
        "app.js": "export {};",
        "views/list.mjs": "export {};",
        "look.css": "a {}",
        "notes.md": "not of the page",
    }.items():
        (folder / name).write_text(text)
    (tmp_path / "secret.js").write_text("secret")

    async def api(request: web.Request) -> web.Response:
        return web.json_response({"called": request.path})

    application = web.Application(middlewares=[guard(["edge.test"])])
    application.on_response_prepare.append(harden)
    application.add_routes([*Page(folder).routes(), web.route("*", "/{path:(?:api|2015).*}", api)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def send(
        target: str, *lines: str, method: str = "GET", host: str = "localhost"
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
        writer.write("\r\n".join([*head, "", ""]).encode())
        head_bytes, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        first, *fields = head_bytes.decode().split("\r\n")
        named = (field.split(": ", 1) for field in fields)
        return int(first.split()[1]), {name.lower(): value for name, value in named}, body

    yield send
    await runner.cleanup()


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/views/list.mjs", "text/javascript; charset=utf-8"),
        ("/static/look.css", "text/css; charset=utf-8"),
    ],
)
async def test_a_file_of_the_page(ask: Ask, target: str, kind: str) -> None:
    status, headers, body = await ask(target)
    assert (status, headers["content-type"]) == (200, kind)
    assert body
    policy = headers["content-security-policy"].split("; ")
    assert policy[:3] == ["default-src 'none'", "script-src 'self'", "style-src 'self'"]
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in part for part in policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-cache"
    again, confirmed, nothing = await ask(target, f"If-None-Match: {headers['etag']}")
    assert (again, nothing, confirmed["etag"]) == (304, b"", headers["etag"])


@pytest.mark.parametrize(
    "target",
    [
        "/static/../secret.js",
        "/static/..%2fsecret.js",
        "/static/%2e%2e/secret.js",
        "/static/views/../../secret.js",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/app.js%00.css",
        "/static/app.js/",
        "/static/views",
        "/static/notes.md",
        "/static/..\\secret.js",
        "/index.html",
    ],
)
async def test_nothing_else_is_served(ask: Ask, target: str) -> None:
    status, _, body = await ask(target)
    assert status in (400, 404)
    assert b"secret" not in body.replace(b"secret.js", b"")


@pytest.mark.parametrize(
    "host", ["localhost", "a.localhost:81", "127.0.0.1:81", "[::1]", "EDGE.test"]
)
async def test_own_names(ask: Ask, host: str) -> None:
    assert (await ask("/api/x", host=host))[0] == 200


@pytest.mark.parametrize("target", ["/", "/static/app.js", "/api/x", "/2015-03-31/functions/"])
@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "edge.test.attacker.example",
        "[::1",
    ],
)
async def test_a_rebound_name_is_refused(ask: Ask, target: str, host: str) -> None:
    assert (await ask(target, host=host))[0] in (400, 403)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "line",
    [
        "Origin: http://attacker.example",
        "Origin: null",
        "Origin: https://localhost",
        "Origin: http://localhost:8080",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
async def test_another_sites_page_does_not_call_the_api(ask: Ask, method: str, line: str) -> None:
    status, _, body = await ask("/api/x", line, method=method)
    assert (status, b"ForeignOrigin" in body) == (403, True)


async def test_the_page_itself_and_programs_do(ask: Ask) -> None:
    own = ("Origin: http://localhost", "Sec-Fetch-Site: same-origin")
    assert (await ask("/api/x", *own, method="POST"))[0] == 200
    assert (await ask("/api/x"))[0] == 200
    # Somebody follows a link on another page, or types the address.
    assert (await ask("/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"))[0] == 200
    assert (await ask("/", "Sec-Fetch-Site: none"))[0] == 200


async def test_answers_of_the_api_are_for_the_page_alone(ask: Ask) -> None:
    _, headers, _ = await ask("/api/x")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    # What AWS's APIs answer is theirs.
    assert "content-security-policy" not in (await ask("/2015-03-31/functions/"))[1]
