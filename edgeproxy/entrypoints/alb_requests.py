"""What a load balancer changes in a request on its way to a target (AL-031, AL-050 to AL-057)."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from edgeproxy.events.alb import trace_header
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer
from edgeproxy.loadbalancing.model import AlbAttributes, AlbListener, AlbRewrite

__all__ = ["forwarded", "rewritten", "without_invalid_headers"]

_VALID_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_GROUP: Final = re.compile(r"\$(\d)")
_USUAL_TLS: Final = ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
"""What is told of clients of an HTTPS listener that come over HTTP here."""


def without_invalid_headers(request: Request) -> Request:
    """``request`` without headers whose names have more than letters, digits and ``-`` (AL-057)."""
    lines = [(name, value) for name, value in request.headers if _VALID_NAME.fullmatch(name)]
    return replace(request, headers=Headers(lines))


def forwarded(
    request: Request, attributes: AlbAttributes, listener: AlbListener, trace_id: str
) -> Request:
    """``request`` with the headers of the load balancer; nobody else has ``trace_id``."""
    headers = request.headers
    if attributes.forwarded_for == "remove":
        headers = headers.without("X-Forwarded-For")
    elif attributes.forwarded_for == "append":
        earlier = headers.joined("X-Forwarded-For")
        client = _address(request.viewer, with_port=attributes.names_client_port)
        headers = headers.with_set("X-Forwarded-For", f"{earlier}, {client}" if earlier else client)
    if attributes.tells_tls and listener.protocol == "HTTPS":
        viewer = request.viewer
        told = (viewer.tls_protocol, viewer.tls_cipher) if viewer.tls_protocol else _USUAL_TLS
        headers = headers.with_set("X-Amzn-Tls-Version", told[0])
        headers = headers.with_set("X-Amzn-Tls-Cipher-Suite", told[1])
    headers = (
        headers.with_set("X-Forwarded-Proto", listener.protocol.lower())
        .with_set("X-Forwarded-Port", str(listener.port))
        .with_set("X-Amzn-Trace-Id", trace_header(headers.get("X-Amzn-Trace-Id"), trace_id))
    )
    return replace(request, headers=headers)


def rewritten(request: Request, rewrites: Iterable[AlbRewrite]) -> Request | None:
    """``request`` as the rule's transforms leave it; None when no URL is left (AL-152).

    A URL is path and query here. What matches first is replaced.
    """
    for rewrite in rewrites:
        is_host = rewrite.subject == "host-header-rewrite"
        text = request.host if is_host else request.target
        template = _GROUP.sub(r"\\g<\1>", rewrite.replacement.replace("\\", r"\\"))
        text = re.sub(rewrite.regex, template, text, count=1)
        if is_host:
            request = replace(request, headers=request.headers.with_set("Host", text))
            continue
        if not text.startswith("/"):
            return None
        path, mark, query = text.partition("?")
        request = replace(request, path=path, query=query if mark else None)
    return request


def _address(viewer: Viewer, *, with_port: bool) -> str:
    if not with_port:
        return viewer.ip
    host = f"[{viewer.ip}]" if ":" in viewer.ip else viewer.ip
    return f"{host}:{viewer.port}"
