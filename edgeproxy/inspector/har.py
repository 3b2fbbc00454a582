"""Recorded requests as an HTTP archive (HAR 1.2), which browsers' developer tools open."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl

from edgeproxy.exchange.model import Exchange
from edgeproxy.exchange.text import carried
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.inspector.documents import body_document, iso

__all__ = ["har"]


def har(exchanges: Iterable[Exchange]) -> dict[str, object]:
    """The archive, oldest first. Of bodies it has the part that is kept."""
    creator = {"name": "edgeproxy", "version": version("edgeproxy")}
    ordered = sorted(exchanges, key=lambda exchange: exchange.started)
    document = {
        "version": "1.2",
        "creator": creator,
        "pages": [],
        "entries": [_entry(exchange) for exchange in ordered],
    }
    return {"log": carried(document)}


def _entry(exchange: Exchange) -> dict[str, object]:
    whole_ms = exchange.duration_s * 1000
    first_ms = whole_ms if exchange.first_byte_s is None else exchange.first_byte_s * 1000
    return {
        "startedDateTime": iso(exchange.started),
        "time": whole_ms,
        "request": _request(exchange.request),
        "response": _response(exchange),
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": -1,
            "connect": -1,
            "ssl": -1,
            "send": 0,
            "wait": first_ms,
            "receive": max(0.0, whole_ms - first_ms),
        },
        # HAR lets whoever writes it add fields that begin so.
        "_edgeproxy": {
            "id": exchange.id,
            "name": exchange.name,
            "result_type": exchange.result_type,
            "why": exchange.why(),
        },
    }


def _request(request: Request) -> dict[str, object]:
    cookies = parse_cookies(request.headers.get_all("Cookie"))
    parameters = parse_qsl(request.query or "", keep_blank_values=True)
    document: dict[str, Any] = {
        "method": request.method,
        "url": f"{request.viewer.scheme}://{request.host}{request.target}",
        "httpVersion": _version(request),
        "cookies": [{"name": name, "value": value} for name, value in cookies],
        "headers": _headers(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in parameters],
        "headersSize": -1,
        "bodySize": request.body.passed,
    }
    body = body_document(request.body)
    if body["size"]:
        kind = request.headers.get("Content-Type") or "application/octet-stream"
        document["postData"] = {"mimeType": kind, "params": [], "text": body["preview"]}
        if body["encoding"] == "base64":
            document["postData"]["_encoding"] = "base64"
    return document


def _response(exchange: Exchange) -> dict[str, object]:
    response = exchange.response or Response(0)
    body = body_document(response.body)
    content = {
        "size": body["size"],
        "mimeType": response.headers.get("Content-Type") or "x-unknown",
        "text": body["preview"],
    }
    if body["encoding"] == "base64":
        content["encoding"] = "base64"
    set_cookies = [line.partition(";")[0] for line in response.headers.get_all("Set-Cookie")]
    return {
        "status": response.status,
        "statusText": response.reason,
        "httpVersion": _version(exchange.request),
        "cookies": [
            {"name": name.strip(), "value": value}
            for name, _, value in (line.partition("=") for line in set_cookies)
        ],
        "headers": _headers(response.headers),
        "content": content,
        "redirectURL": response.headers.get("Location"),
        "headersSize": -1,
        "bodySize": response.body.passed,
    }


def _version(request: Request) -> str:
    return f"HTTP/{request.version}"


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]
