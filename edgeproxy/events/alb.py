"""Events of an Application Load Balancer out of requests, and responses out of results.

Nothing is decoded: names and values of queries go into the event as the client sent them.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from edgeproxy.exchange.model import Finding
from edgeproxy.http.body import EMPTY_BODY, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.query import parse_query

__all__ = ["Decoded", "Malformed", "decode_result", "encode_event", "trace_header"]

_RESPONSE_HEAD_BYTES: Final = 32 * 1024
"""The header section of an answer (AL-083)."""

_TRACE_BYTES: Final = 7 * 1024
"""A longer trace header is written anew (AL-054)."""

_NOT_IN_EVENTS: Final = frozenset({"expect", "transfer-encoding"})
"""The load balancer deals with these itself (AL-039, UNSURE)."""

_NOT_IN_ANSWERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""AL-080."""

_TEXT_TYPES: Final = frozenset({"application/json", "application/javascript", "application/xml"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A usable answer; findings name what was tolerated but does not do what it seems to."""

    response: Response
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """An answer that the load balancer refuses with 502, ``LambdaInvalidResponse``."""

    rule: str
    why: str


def encode_event(
    target_group_arn: str, request: Request, body: bytes, *, multi_value: bool
) -> bytes | None:
    """The event as JSON text (AL-020 to AL-035), None when text in it is not UTF-8 (AL-036).

    ``request`` has the headers that the load balancer adds already.
    """
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": target_group_arn}},
        "httpMethod": request.method,
        "path": request.path,
    }
    query = [(name, value or "") for name, value in parse_query(request.query or "")]
    headers = _event_headers(request)
    if multi_value:
        event["multiValueQueryStringParameters"] = _all_values(query)
        event["multiValueHeaders"] = _all_values(headers)
    else:
        # The last one counts (AL-025, AL-030).
        event["queryStringParameters"] = dict(query)
        event["headers"] = dict(headers)
    is_text = not body or _is_text(request.headers)
    try:
        event["body"] = body.decode("utf-8") if is_text else base64.b64encode(body).decode("ascii")
        event["isBase64Encoded"] = not is_text
        return orjson.dumps(event)
    except (UnicodeDecodeError, orjson.JSONEncodeError):
        return None


def decode_result(payload: bytes, *, multi_value: bool, strict: bool = True) -> Decoded | Malformed:
    """The response to the client (AL-070 to AL-085), without the load balancer's own headers.

    Lenient is the second reading of AL-074 and AL-077. The body of a HEAD request is the sender's
    to drop.
    """
    try:
        result = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return Malformed("AL-072", f"the result is not valid JSON: {error}")
    if not isinstance(result, dict):
        return Malformed("AL-072", "the result is not an object")
    status = result.get("statusCode")
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return Malformed("AL-072", f"statusCode must be a number, but is {status!r}")
    if status < 200:
        return Malformed("AL-085", f"statusCode {status} is not final")
    for member in ("body", "headers", "multiValueHeaders", "statusDescription"):
        if result.get(member, "") is None:
            return Malformed("AL-073", f"{member} is null; leave it out instead")
    reason = _reason(result)
    if isinstance(reason, Malformed):
        return reason
    findings: list[Finding] = []
    lines = _lines(result, findings, multi_value=multi_value, strict=strict)
    if isinstance(lines, Malformed):
        return lines
    body = _body(result)
    if isinstance(body, Malformed):
        return body
    if status in (204, 304):
        body = b""  # AL-084
    response = Response(status, Headers(lines), BytesBody(body) if body else EMPTY_BODY, reason)
    return Decoded(response, tuple(findings))


def trace_header(received: str, fresh: str) -> str:
    """``X-Amzn-Trace-Id`` for the target (AL-054); ``fresh`` is an ID that nobody has yet."""
    if not received or len(received) > _TRACE_BYTES:
        return f"Root={fresh}"
    fields = [field.strip() for field in received.split(";")]
    kept = [field for field in fields if field and not field.startswith("Self=")]
    ours = "Self" if any(field.startswith("Root=") for field in kept) else "Root"
    return ";".join([f"{ours}={fresh}", *kept])


def _event_headers(request: Request) -> list[tuple[str, str]]:
    lines = [
        (folded, value)
        for name, value in request.headers
        if (folded := name.lower()) not in _NOT_IN_EVENTS
    ]
    cookies = request.headers.get_all("Cookie")
    if request.version.startswith("2") and len(cookies) > 1:
        # HTTP/2 may send a cookie header in pieces (AL-193, UNSURE).
        lines = [line for line in lines if line[0] != "cookie"]
        lines.append(("cookie", "; ".join(cookies)))
    return lines


def _all_values(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _is_text(headers: Headers) -> bool:
    """Whether a body goes in as it is (AL-034, AL-035)."""
    if "Content-Encoding" in headers:
        return False
    media_type = headers.get("Content-Type").partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in _TEXT_TYPES


def _reason(result: Mapping[str, Any]) -> str | Malformed:
    """The reason phrase in ``statusDescription``; empty for the standard one (AL-075)."""
    if "statusDescription" not in result:
        return ""
    text = result["statusDescription"]
    if isinstance(text, str) and (match := re.fullmatch(r"[0-9]{3} ([^\x00-\x1f\x7f]+)", text)):
        return match[1]
    # UNSURE what other forms do (AL-075).
    return Malformed("AL-075", f"statusDescription must be like '200 OK', but is {text!r}")


def _lines(
    result: Mapping[str, Any], findings: list[Finding], *, multi_value: bool, strict: bool
) -> list[tuple[str, str]] | Malformed:
    """The header lines of the form that the target group's setting asks for (AL-076 to AL-078)."""
    member = "multiValueHeaders" if multi_value else "headers"
    if multi_value and member not in result and "headers" in result:
        # UNSURE (AL-077): they are lost, or taken when lenient.
        findings.append(
            Finding(
                "AL-077",
                "the target group has multi-value headers on, but the function returned 'headers': "
                + ("they are lost" if strict else "AWS may lose them"),
                "return 'multiValueHeaders' with an array for each name",
            )
        )
        if not strict:
            member = "headers"
    headers = result.get(member, {})
    if not isinstance(headers, dict):
        return Malformed("AL-074", f"{member} is not an object")
    lines: list[tuple[str, str]] = []
    for name, given in headers.items():
        several = member == "multiValueHeaders"
        if several and not isinstance(given, list):
            return Malformed("AL-074", f"{member}[{name!r}] is not an array of strings")
        for value in given if several else [given]:
            text = _header_text(value, strict=strict)
            if text is None or not _NAME.fullmatch(name) or _CONTROL.search(text):
                return Malformed("AL-074", f"{member}[{name!r}] cannot be {value!r}")
            if name.lower() not in _NOT_IN_ANSWERS:
                lines.append((name, text))
    size = sum(len(name) + len(text.encode("utf-8")) + 4 for name, text in lines)
    if size > _RESPONSE_HEAD_BYTES:
        return Malformed("AL-083", f"the headers have {size} bytes")
    return lines


def _header_text(value: object, *, strict: bool) -> str | None:
    """The text of a header value, None for what it cannot be (AL-074; UNSURE for numbers)."""
    if isinstance(value, str):
        return value
    if not strict and isinstance(value, int | float) and not isinstance(value, bool):
        return orjson.dumps(value).decode()
    return None


def _body(result: Mapping[str, Any]) -> bytes | Malformed:
    body = result.get("body", "")
    if not isinstance(body, str):
        return Malformed("AL-070", "body is not a string")
    if result.get("isBase64Encoded") is not True:
        return body.encode("utf-8")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        return Malformed("AL-079", f"body is not valid base64: {error}")
