"""The request that a viewer-request or origin-request function returned."""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from edgeproxy.distribution.model import EventType, Origin
from edgeproxy.distribution.quotas import MAX_HEAD_BYTES, MAX_URL_BYTES
from edgeproxy.events.lambda_edge_headers import (
    head_bytes,
    json_text,
    json_type,
    judge_headers,
    shown,
)
from edgeproxy.events.lambda_edge_judgement import Continue, InvalidKind, Refused
from edgeproxy.events.lambda_edge_origin import judge_origin
from edgeproxy.events.lambda_edge_response import decode_base64
from edgeproxy.events.restrictions import READ_ONLY
from edgeproxy.exchange.model import Finding
from edgeproxy.http.messages import Request

__all__ = ["judge_request"]

_KB: Final = 1024
_MB: Final = 1024 * 1024

_TEXT_BYTES: Final = {EventType.VIEWER_REQUEST: 40 * _KB, EventType.ORIGIN_REQUEST: _MB}
"""A replacement body given as text (LE-BODY-10)."""

_BASE64_CHARACTERS: Final = {
    EventType.VIEWER_REQUEST: int(53.2 * _KB),
    EventType.ORIGIN_REQUEST: int(1.33 * _MB),
}
"""A replacement body given as base64 (LE-BODY-10)."""

_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f#]")


def judge_request(
    event_type: EventType,
    result: Mapping[str, Any],
    request: Request,
    origin: Origin | None,
    exposed: bytes | None,
    notes: list[Finding],
    *,
    strict: bool,
) -> Continue:
    """What follows from a returned request. Raises :class:`Refused`."""
    changed = _request(event_type, result, request, notes, strict=strict)
    new_origin = None
    # Elsewhere the origin is informative (LE-ORG-01).
    if event_type is EventType.ORIGIN_REQUEST and origin is not None:
        if "origin" in result:  # Left out, it stays (LE-ORG-19, UNSURE).
            new_origin = judge_origin(result["origin"], origin, request.viewer.scheme, notes)
        if changed is not request or new_origin is not None:
            _judge_clashes(request, origin, changed, new_origin or origin, notes)
    body = _replacement(event_type, result, exposed, notes)
    return Continue(changed, new_origin, body, tuple(notes))


def _request(
    event_type: EventType,
    result: Mapping[str, Any],
    request: Request,
    notes: list[Finding],
    *,
    strict: bool,
) -> Request:
    # clientIp is read-only as well, but a change of it is ignored (LE-RET-08, UNSURE).
    method = result.get("method", request.method)
    if method != request.method:
        message = f"the function changed the read-only method to {json_text(method)}"
        remedy = "leave request.method as it is in the event"
        if strict:
            raise Refused(InvalidKind.READ_ONLY, "LE-RET-08", message, remedy)
        notes.append(Finding("LE-RET-08", f"{message}; ignored", remedy))
    path, query = _uri(result, request, notes, strict=strict)
    headers = judge_headers(
        result["headers"],
        request.headers,
        read_only=READ_ONLY[event_type],
        where="request",
        notes=notes,
    )
    if headers is request.headers and path is request.path and query is request.query:
        return request
    country = "CloudFront-Viewer-Country"
    if (
        event_type is EventType.VIEWER_REQUEST
        and country in headers
        and country not in request.headers
    ):
        raise Refused(
            InvalidKind.DISALLOWED,
            "LE-HDR-22",
            f"the function added {country} in a viewer request",
            "ask for the header in a cache or origin request policy",
        )
    changed = replace(request, path=path, query=query, headers=headers)
    line = f"{changed.method} {changed.target} HTTP/1.1\r\n\r\n"
    size = len(line.encode("utf-8", "surrogateescape")) + head_bytes(headers)
    # UNSURE whether output past the limit is refused: it is (LE-HDR-26).
    if size > MAX_HEAD_BYTES:
        raise Refused(
            InvalidKind.SIZE,
            "LE-HDR-26",
            f"the request without its body has {size} bytes; {MAX_HEAD_BYTES} are allowed",
            "add fewer or shorter headers",
        )
    return changed


def _uri(
    result: Mapping[str, Any], request: Request, notes: list[Finding], *, strict: bool
) -> tuple[str, str | None]:
    """Path and query; the very objects of ``request`` where they are unchanged."""
    uri, querystring = result["uri"], result.get("querystring", "")  # LE-RET-09, UNSURE
    same_path = uri == shown(request.path)
    same_query = querystring == shown(request.query or "")
    if same_path and same_query:
        return request.path, request.query
    for name, value in (("uri", uri), ("querystring", querystring)):
        if not isinstance(value, str):
            raise Refused(
                InvalidKind.URI,
                "LE-RET-09",
                f"request.{name} must be a string, not {json_type(value)}",
                f"return the {name} of the event, or text",
            )
    if not same_path:
        _judge_uri(uri, notes, strict=strict)
    if not same_query and (bad := _NOT_IN_URLS.search(querystring)):
        raise Refused(
            InvalidKind.URI,
            "LE-URI-03",
            f"request.querystring has {bad[0]!r}, which is not allowed there",
            "percent-encode it",
        )
    if len(uri) + len(querystring) >= MAX_URL_BYTES:  # LE-URI-02
        raise Refused(
            InvalidKind.URI,
            "LE-URI-02",
            f"uri and querystring have {len(uri) + len(querystring)} characters; they must have "
            f"fewer than {MAX_URL_BYTES}",
            "shorten them; longer data can go into a header or the body",
        )
    return (
        request.path if same_path else uri,
        request.query if same_query else querystring or None,
    )


def _judge_uri(uri: str, notes: list[Finding], *, strict: bool) -> None:
    if not uri.startswith("/"):
        raise Refused(
            InvalidKind.URI,
            "LE-URI-01",
            f"request.uri must begin with '/', but is {uri!r}",
            "give the path alone; to go to another host answer with a redirect or change origin",
        )
    if bad := _NOT_IN_URLS.search(uri):
        raise Refused(
            InvalidKind.URI,
            "LE-URI-04",
            f"request.uri has {bad[0]!r}, which is not allowed there",
            "percent-encode it",
        )
    if "?" in uri:
        message = f"request.uri has a question mark: {uri!r}"
        if strict:
            raise Refused(
                InvalidKind.URI, "LE-URI-10", message, "put the rest into request.querystring"
            )
        notes.append(Finding("LE-URI-10", message, "put the rest into request.querystring"))


def _judge_clashes(
    before: Request,
    old_origin: Origin,
    request: Request,
    origin: Origin,
    notes: list[Finding],
) -> None:
    """What must and should hold between the request's headers and the origin."""
    for name in origin.custom_headers.names():
        # A clash that the distribution itself makes is CloudFront's to solve (CDN-OCH-01).
        old = name in before.headers and name in old_origin.custom_headers
        if name in request.headers and not old:
            raise Refused(
                InvalidKind.ORIGIN,
                "LE-ORG-12",
                f"{name} is both in request.headers and in the customHeaders of the origin",
                "keep it in one of the two",
            )
    if origin.domain_name not in (old_origin.domain_name, request.host) and (
        request.host == before.host
    ):
        notes.append(
            Finding(
                "LE-ORG-16" if origin.is_s3 else "LE-ORG-15",
                f"the origin is {origin.domain_name} now, but Host is still {request.host}",
                "set request.headers.host to the new domain name",
            )
        )


def _replacement(
    event_type: EventType,
    result: Mapping[str, Any],
    exposed: bytes | None,
    notes: list[Finding],
) -> bytes | None:
    """The new request body, or None when it stays (LE-BODY-06 to LE-BODY-11)."""
    if "body" not in result:
        return None
    body = result["body"]
    if not isinstance(body, dict):
        raise Refused(
            InvalidKind.BODY,
            "LE-RET-07",
            f"request.body must be an object, not {json_type(body)}",
            "write {'action': 'replace', 'encoding': 'text', 'data': '...'}",
        )
    action, encoding = body.get("action", "read-only"), body.get("encoding", "base64")
    data = body.get("data", "")
    if action not in ("read-only", "replace"):
        raise Refused(
            InvalidKind.BODY,
            "LE-BODY-14",
            f"request.body.action must be 'read-only' or 'replace', but is {json_text(action)}",
            "use 'replace' to send request.body.data, and 'read-only' to leave the body alone",
        )
    if action == "read-only":
        shown_data = base64.b64encode(exposed or b"").decode("ascii")
        if (data, encoding) != (shown_data, "base64"):
            notes.append(
                Finding(
                    "LE-BODY-06",
                    "request.body was changed, but its action is 'read-only': ignored",
                    "set request.body.action to 'replace'",
                )
            )
        return None
    if encoding not in ("text", "base64"):
        raise Refused(
            InvalidKind.BODY,
            "LE-BODY-14",
            f"request.body.encoding must be 'base64' or 'text', but is {json_text(encoding)}",
            "use 'text' for text and 'base64' for bytes in base64",
        )
    if not isinstance(data, str):
        raise Refused(
            InvalidKind.BODY,
            "LE-RET-07",
            f"request.body.data must be a string, not {json_type(data)}",
            "turn it into text, for example with JSON.stringify or json.dumps",
        )
    if encoding == "text":
        new = data.encode("utf-8")
        size, limit = len(new), _TEXT_BYTES[event_type]
    else:
        new = decode_base64(data, "LE-BODY-09", "request.body.data")
        size, limit = len(data), _BASE64_CHARACTERS[event_type]
    if size > limit:
        raise Refused(
            InvalidKind.BODY,
            "LE-BODY-10",
            f"request.body.data has {size} bytes of {encoding}; {limit} are allowed",
            "shorten it, or leave the body read-only and change it at the origin",
        )
    return new
