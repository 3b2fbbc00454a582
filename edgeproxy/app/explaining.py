"""From a question of ``explain`` to the request that it is about."""

from dataclasses import replace
from urllib.parse import urlsplit

from edgeproxy.edge.explain import Question
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import Headers
from edgeproxy.http.local_headers import without_local_headers
from edgeproxy.http.messages import Request
from edgeproxy.server.listener import ViewerFrom
from edgeproxy.server.reading import Refused

__all__ = ["request_for"]


def request_for(question: Question, viewer_from: ViewerFrom) -> Request:
    """The request that a viewer would send. Raises :class:`UsageError`."""
    url = question.url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}") from error
    if not (parts.netloc or url.startswith("/")):
        raise UsageError(f"{url!r} is neither a whole URL nor a path", remedy=f"try /{url}")
    lines = Headers(question.headers).with_default("Host", parts.netloc or "localhost")
    try:
        viewer = viewer_from("127.0.0.1", 0, lines)
    except Refused as refused:
        raise UsageError(refused.detail) from refused
    if parts.scheme == "https":
        viewer = replace(viewer, scheme="https")
    query = parts.query if "?" in url else None
    path = parts.path or "/"
    request = Request(question.method.upper(), path, query, headers=lines, viewer=viewer)
    return without_local_headers(request)
