"""A folder that answers like a bucket's website endpoint (CDN-S3-03).

A path that ends with a slash is its index document; one that names a folder with such a document is
sent there with a redirect; an error is a page, the site's own if there is one.
"""

from dataclasses import replace
from html import escape
from typing import Final

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, reason_phrase
from edgeproxy.origins.files import ERRORS, FolderOrigin

__all__ = ["WebsiteOrigin"]

_INDEX: Final = "index.html"
_ERROR_PAGE: Final = "/error.html"
_SHOWN: Final = ("AccessDenied", "NoSuchKey", "PreconditionFailed", "InvalidRange")
_CODES: Final = {ERRORS[code][0]: code for code in _SHOWN}
_OF_EVERY_ANSWER: Final = ("x-amz-id-2", "x-amz-request-id", "Date", "Server")


class WebsiteOrigin:
    """A :data:`Handler` over the objects of a folder."""

    def __init__(self, objects: FolderOrigin) -> None:
        self._objects = objects

    async def __call__(self, request: Request) -> Response:
        """The answer of the website."""
        path = request.path + _INDEX if request.path.endswith("/") else request.path
        response = await self._objects(replace(request, path=path, query=None))
        if request.method not in ("GET", "HEAD"):
            return _error_page(request, response, "MethodNotAllowed")
        if response.status in (403, 404) and path == request.path:
            index = await self._objects(Request("HEAD", f"{path}/{_INDEX}"))
            if index.status == 200:
                return _page(request, response, 302, ("Location", f"{path}/"))
        if response.status < 400:
            return response
        own = await self._objects(Request(request.method, _ERROR_PAGE))
        if own.status == 200:
            return replace(own, status=response.status, why=response.why)
        await own.body.close()
        return _error_page(request, response, _CODES[response.status])


def _error_page(request: Request, answer: Response, code: str) -> Response:
    status, message = ERRORS[code]
    about = (("x-amz-error-code", code), ("x-amz-error-message", message))
    return _page(request, answer, status, *about)


def _page(request: Request, answer: Response, status: int, *about: tuple[str, str]) -> Response:
    """S3's page for ``status``, with the IDs of ``answer``."""
    title = f"{status} {reason_phrase(status)}"
    items = "".join(f"<li>{name}: {escape(value)}</li>" for name, value in about)
    document = (
        f"<html><head><title>{title}</title></head>"
        f"<body><h1>{title}</h1><ul>{items}</ul></body></html>\n"
    ).encode()
    lines = [(name, answer.headers.get(name)) for name in _OF_EVERY_ANSWER]
    lines += [*about, ("Content-Type", "text/html; charset=utf-8")]
    lines.append(("Content-Length", str(len(document))))
    body = BytesBody(b"" if request.method == "HEAD" else document)
    return Response(status, Headers(lines), body, why=answer.why)
