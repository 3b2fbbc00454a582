"""The inspector's page: the package's own files, and nothing else.

What may be asked for is a table made from the package; no path of a request is ever joined to a
folder. Files are read anew for each request, so that a browser sees them as they are.
"""

from collections.abc import Iterator
from functools import cached_property
from hashlib import blake2b
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

from aiohttp import web

__all__ = ["Page"]

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


class Page:
    """Serves the files of ``folder``, of the types that a page is made of."""

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder

    def routes(self) -> list[web.RouteDef]:
        """The page at ``/``, its parts under ``/static/``."""
        return [web.get("/", self._index), web.get("/static/{path:.+}", self._part)]

    @cached_property
    def _files(self) -> dict[str, Traversable]:
        return dict(_files_of(self._folder, ""))

    async def _index(self, request: web.Request) -> web.Response:
        return self._answer(request, "index.html")

    async def _part(self, request: web.Request) -> web.Response:
        return self._answer(request, request.match_info["path"])

    def _answer(self, request: web.Request, path: str) -> web.Response:
        file = self._files.get(path)
        if file is None:
            raise web.HTTPNotFound
        content = file.read_bytes()
        tag = blake2b(content, digest_size=12).hexdigest()
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if any(known.value in (tag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = _TYPES[PurePosixPath(path).suffix]
        return web.Response(body=content, headers=headers)


def _files_of(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir() if folder.is_dir() else ():
        path = f"{prefix}{each.name}"
        if each.is_dir():
            yield from _files_of(each, f"{path}/")
        elif PurePosixPath(path).suffix in _TYPES:
            yield path, each
