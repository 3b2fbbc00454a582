"""From a question of ``explain`` to the request that it is about."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from edgeproxy.app.doors import viewer_from
from edgeproxy.edge.location import without_local_headers
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.server.reading import Refused
from edgeproxy.settings import Settings

__all__ = ["request_for"]


def request_for(
    url: str, method: str, headers: Sequence[tuple[str, str]], settings: Settings
) -> Request:
    """The request that a viewer would send for ``url``, a whole URL or a path.

    Raises :class:`UsageError`.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}") from error
    if not (parts.netloc or url.startswith("/")):
        raise UsageError(f"{url!r} is neither a whole URL nor a path", remedy=f"try /{url}")
    lines = Headers(headers).with_default("Host", parts.netloc or "localhost")
    try:
        viewer = viewer_from(settings.viewer_ip, settings.viewer_country)("127.0.0.1", 0, lines)
    except Refused as refused:
        raise UsageError(refused.detail) from refused
    if parts.scheme == "https":
        viewer = replace(viewer, scheme="https")
    query = parts.query if "?" in url else None
    path = parts.path or "/"
    return without_local_headers(Request(method.upper(), path, query, headers=lines, viewer=viewer))
