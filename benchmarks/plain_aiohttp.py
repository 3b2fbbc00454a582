"""What one would write with aiohttp alone: a handler with a dictionary, and a client session.

Keeps every answer below `/hit/` and `/slow/` for good, and knows no other rule of HTTP caching: it
is here to show what the server and the client cost.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web
from origin import new_loop

_DROPPED = ("Connection", "Content-Length")
_ADDED = {
    "Age": "0",
    "Via": "1.1 aiohttp",
    "X-Cache": "Hit",
    "X-Amz-Cf-Pop": "SEA19-C1",
    "X-Amz-Cf-Id": "AuiJScq1rNFtL5cnIeKIgawxX_VWU8x-SCtQXrAKBH5kX4Kgt1WyQw==",
    "Connection": "keep-alive",
}


class Proxy:
    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._kept: dict[str, asyncio.Future[tuple[dict[str, str], bytes]]] = {}

    async def session(self, app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0)) as self._session:
            yield

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        if not path.startswith(("/hit/", "/slow/")):
            headers, body = await self._fetch(path)
        else:
            if path not in self._kept:
                self._kept[path] = asyncio.ensure_future(self._fetch(path))
            headers, body = await self._kept[path]
        return web.Response(body=body, headers=headers)

    async def _fetch(self, path: str) -> tuple[dict[str, str], bytes]:
        async with self._session.get(self._origin + path) as answer:
            headers = {name: text for name, text in answer.headers.items() if name not in _DROPPED}
            return headers | _ADDED, await answer.read()


def main() -> None:
    port, origin = sys.argv[1:]
    proxy = Proxy(origin)
    app = web.Application()
    app.router.add_get("/{path:.*}", proxy.handle)
    app.cleanup_ctx.append(proxy.session)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None, loop=new_loop())


if __name__ == "__main__":
    main()
