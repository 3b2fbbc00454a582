"""Function URL events (payload format 2.0) out of requests, and responses out of results.

Paths and raw queries stay as the caller sent them; what is decoded is decoded in the members that
AWS decodes, and nowhere else.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from edgeproxy.events.lambda_edge_headers import shown
from edgeproxy.http.body import EMPTY_BODY, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.query import parse_query

__all__ = [
    "Malformed",
    "UrlCaller",
    "UrlContext",
    "decode_metadata",
    "decode_result",
    "encode_event",
    "head_of",
]

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Request headers that are not in the event (FU-028)."""

# UNSURE for function URLs, known of the same front end (FU-073): these names come out as
# x-amzn-remapped-<name>, other hop-by-hop headers and those of the service itself not at all.
_REMAPPED: Final = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "date",
        "host",
        "server",
        "www-authenticate",
    }
)
_DROPPED: Final = frozenset(
    {
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)

_TEXT_TYPES: Final = frozenset({"application/json", "application/javascript", "application/xml"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class UrlCaller:
    """Whose signature a request carries (FU-037)."""

    access_key: str
    account: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class UrlContext:
    """What the service knows about a request beside the request itself."""

    url_id: str
    request_id: str
    trace_id: str
    """The value of ``x-amzn-trace-id``."""
    now_s: float
    account_id: str = ""
    """The owner's account for ``AWS_IAM``; empty for ``NONE`` (FU-036)."""
    caller: UrlCaller | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A result that is no response; the caller gets 502 (FU-074)."""

    rule: str
    why: str


def encode_event(context: UrlContext, request: Request, body: bytes) -> bytes:
    """The event as JSON text (FU-020 to FU-042)."""
    now = datetime.fromtimestamp(context.now_s, UTC)
    host = request.host
    cookies = [
        cookie
        for line in request.headers.get_all("Cookie")
        for part in line.split(";")
        if (cookie := part.strip())
    ]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": shown(request.path) or "/",
        "rawQueryString": shown(request.query or ""),
    }
    if cookies:
        event["cookies"] = [shown(cookie) for cookie in cookies]
    event["headers"] = _event_headers(context, request)
    if parameters := _parameters(request.query):
        event["queryStringParameters"] = parameters
    event["requestContext"] = {
        # UNSURE what stands here without a caller's identity (FU-036).
        "accountId": context.account_id or "anonymous",
        "apiId": context.url_id,
        "domainName": _without_port(host),
        "domainPrefix": context.url_id,
        "http": {
            "method": request.method,
            "path": event["rawPath"],
            # UNSURE for HTTP/2 (FU-038).
            "protocol": f"HTTP/{request.version if request.version.startswith('1') else '1.1'}",
            "sourceIp": request.viewer.ip,
            "userAgent": shown(request.headers.get("User-Agent")),
        },
        "requestId": context.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(context.now_s * 1000),
    }
    if context.caller is not None:
        event["requestContext"]["authorizer"] = {"iam": _iam(context.caller)}
    text = _as_text(request.headers, body)
    if body:  # FU-031
        event["body"] = base64.b64encode(body).decode("ascii") if text is None else text
    event["isBase64Encoded"] = text is None
    return orjson.dumps(event)


def decode_result(payload: bytes, *, strict: bool = True) -> Response | Malformed:
    """The response to the caller (FU-060 to FU-075), without the headers of the service.

    Lenient is the second reading of FU-067. The body of a HEAD request is the sender's to drop.
    """
    try:
        result = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return Malformed("FU-061", f"the result is not valid JSON: {error}")
    if isinstance(result, dict) and "statusCode" in result:
        return _full_response(result, strict=strict)
    match result:
        case str():
            body = result.encode("utf-8")  # FU-063
        case dict() | list():
            body = orjson.dumps(result)  # FU-062
        case _:
            body = payload.strip()  # FU-064; null is UNSURE and sent as it is.
    return Response(200, Headers([("content-type", "application/json")]), BytesBody(body))


def decode_metadata(text: bytes) -> Response | Malformed:
    """The head of a streamed response, told ahead of its body (FU-081)."""
    try:
        metadata = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Malformed("FU-081", f"the metadata are not valid JSON: {error}")
    if not isinstance(metadata, dict):
        return Malformed("FU-081", "the metadata are not a JSON object")
    return head_of(metadata)


def head_of(metadata: Mapping[str, Any]) -> Response | Malformed:
    """Status, headers and cookies of a streamed response.

    UNSURE what counts for members that are missing (FU-083).
    """
    status = _status(metadata.get("statusCode", 200))
    if status is None:
        return Malformed("FU-081", f"statusCode is {metadata['statusCode']!r}")
    lines = _response_lines(metadata)
    if isinstance(lines, Malformed):
        return lines
    if not any(name == "content-type" for name, _ in lines):
        lines.append(("content-type", "application/octet-stream"))
    return Response(status, Headers(lines))


def _iam(caller: UrlCaller) -> dict[str, str | None]:
    """FU-037; nobody here belongs to an organization."""
    return {
        "accessKey": caller.access_key,
        "accountId": caller.account,
        "callerId": caller.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.user_id,
    }


def _event_headers(context: UrlContext, request: Request) -> dict[str, str]:
    """Header names in lower case, repeated ones joined (FU-025, FU-027, FU-029)."""
    named = {name.strip().lower() for name in request.headers.get("Connection").split(",")}
    hidden = _HOP_BY_HOP | named
    if context.account_id:
        hidden |= {"authorization"}  # FU-042
    headers = {
        name: shown((";" if name == "cookie" else ",").join(request.headers.get_all(name)))
        for name in request.headers.names()
        if name not in hidden
    }
    if "cookie" in headers:
        headers["cookie"] = "; ".join(
            part.strip() for part in headers["cookie"].split(";") if part.strip()
        )
    # UNSURE whether a caller's own list is extended (FU-030).
    earlier = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{earlier}, {request.viewer.ip}" if earlier else request.viewer.ip
    headers["x-forwarded-port"] = "443"
    headers["x-forwarded-proto"] = "https"
    headers["x-amzn-tls-version"] = "TLSv1.3"
    headers["x-amzn-tls-cipher-suite"] = "TLS_AES_128_GCM_SHA256"
    headers["x-amzn-trace-id"] = context.trace_id
    return headers


def _parameters(query: str | None) -> dict[str, str]:
    """Decoded parameters, repeated ones joined (FU-023). UNSURE: no value, and plus (FU-024)."""
    parameters: dict[str, str] = {}
    for raw_name, raw_value in parse_query(query or ""):
        name, value = unquote_plus(shown(raw_name)), unquote_plus(shown(raw_value or ""))
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _as_text(headers: Headers, body: bytes) -> str | None:
    """A body that is shown as text, None for one that goes in as base64 (FU-032 to FU-034)."""
    if not body:
        return ""
    media_type = headers.get("Content-Type").partition(";")[0].strip().lower()
    # UNSURE which types are text (FU-033).
    if not (
        media_type.startswith("text/")
        or media_type in _TEXT_TYPES
        or media_type.endswith(("+json", "+xml"))
    ):
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _full_response(result: Mapping[str, Any], *, strict: bool) -> Response | Malformed:
    status = _status(result["statusCode"])
    if status is None:
        return Malformed("FU-074", f"statusCode is {result['statusCode']!r}")
    lines = _response_lines(result)
    if isinstance(lines, Malformed):
        return lines
    body = _response_body(result, strict=strict)
    if isinstance(body, Malformed):
        return body
    if not any(name.lower() == "content-type" for name, _ in lines):
        lines.append(("content-type", "application/json"))  # FU-065
    if status in (204, 304):
        body = b""  # FU-075
    return Response(status, Headers(lines), BytesBody(body) if body else EMPTY_BODY)


def _status(value: object) -> int | None:
    """A final HTTP status, number or text (FU-066, FU-074)."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    # HTTP has no final answer with a status below 200.
    if isinstance(text, str) and re.fullmatch("[2-5][0-9]{2}", text, re.ASCII):
        return int(text)
    return None


def _response_lines(result: Mapping[str, Any]) -> list[tuple[str, str]] | Malformed:
    """Headers, then one ``set-cookie`` for each cookie (FU-069 to FU-073)."""
    headers, cookies = _member(result, "headers", {}), _member(result, "cookies", [])
    if not isinstance(headers, dict):
        return Malformed("FU-074", "headers is not an object")
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        return Malformed("FU-074", "cookies is not an array of strings")
    lines: list[tuple[str, str]] = []
    for name, value in [*headers.items(), *(("set-cookie", cookie) for cookie in cookies)]:
        text = value if isinstance(value, str) else _scalar(value)
        if text is None or not _NAME.fullmatch(name) or _CONTROL.search(text):
            return Malformed("FU-074", f"the header {name!r} cannot have the value {value!r}")
        folded = name.lower()
        if folded in _REMAPPED:
            lines.append((f"x-amzn-remapped-{folded}", text))
        elif folded not in _DROPPED:
            lines.append((folded, text))
    return lines


def _member(result: Mapping[str, Any], name: str, absent: object) -> Any:
    """A member of a response; null is as good as not there (FU-067, UNSURE)."""
    value = result.get(name)
    return absent if value is None else value


def _scalar(value: object) -> str | None:
    """Numbers and booleans as JSON text (FU-071; UNSURE for booleans), else None."""
    return orjson.dumps(value).decode() if isinstance(value, bool | int | float) else None


def _response_body(result: Mapping[str, Any], *, strict: bool) -> bytes | Malformed:
    body = _member(result, "body", "")
    if not isinstance(body, str):
        # UNSURE (FU-067): refused, or sent as its JSON text when lenient.
        return Malformed("FU-067", "body is not a string") if strict else orjson.dumps(body)
    if result.get("isBase64Encoded") is not True:
        return body.encode("utf-8")
    try:
        return base64.b64decode(body, validate=True)  # FU-068
    except (binascii.Error, ValueError) as error:
        return Malformed("FU-068", f"body is not valid base64: {error}")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
