"""The response that a function returned: generated at the edge, or the origin's, changed."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from edgeproxy.distribution.model import EventType
from edgeproxy.distribution.quotas import (
    MAX_GENERATED_ORIGIN_RESPONSE_BYTES,
    MAX_GENERATED_VIEWER_RESPONSE_BYTES,
)
from edgeproxy.events.lambda_edge_headers import (
    head_bytes,
    json_text,
    json_type,
    judge_headers,
    read_header_map,
    refuse_names,
    refuse_read_only,
    shown,
)
from edgeproxy.events.lambda_edge_judgement import Changed, Generated, InvalidKind, Refused
from edgeproxy.events.restrictions import READ_ONLY, is_disallowed
from edgeproxy.exchange.model import Finding
from edgeproxy.http.body import EMPTY_BODY, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response, reason_phrase

__all__ = [
    "decode_base64",
    "judge_generated",
    "judge_origin_response",
    "judge_viewer_response",
    "status_description",
]

_GENERATED_BYTES: Final = {
    EventType.VIEWER_REQUEST: MAX_GENERATED_VIEWER_RESPONSE_BYTES,
    EventType.ORIGIN_REQUEST: MAX_GENERATED_ORIGIN_RESPONSE_BYTES,
}
"""Headers and body of a generated response (LE-GEN-09)."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def judge_generated(
    event_type: EventType, result: Mapping[str, Any], notes: list[Finding]
) -> Generated:
    """A response made by a request function. Raises :class:`Refused`."""
    status = _status(result["status"], "LE-GEN-03")
    lines = read_header_map(result.get("headers", {}), "response.headers", notes)
    refuse_names(lines, is_disallowed, "LE-GEN-13", "response.headers")
    for name in lines:
        if name in READ_ONLY[event_type]:
            remedy = "leave it out: CloudFront writes it itself where it is needed"
            refuse_read_only(name, "add", "LE-GEN-14", remedy)
    headers = Headers(line for several in lines.values() for line in several)
    body = _body(result, "LE-GEN-05", "LE-GEN-06") or b""
    if status == 204 and body:
        # UNSURE for origin requests, and whether an empty string counts: it does not (LE-GEN-08).
        rule = "LE-GEN-07" if event_type is EventType.VIEWER_REQUEST else "LE-GEN-08"
        raise Refused(
            InvalidKind.BODY,
            rule,
            "a response with status 204 must not have a body",
            "leave the body out, or answer with status 200",
        )
    if status in (205, 304) and body:
        body = b""
        notes.append(
            Finding(
                "LE-GEN-08",
                f"the body of a response with status {status} is dropped",
                "leave the body out",
            )
        )
    # UNSURE how a base64 body is measured: decoded (LE-GEN-10).
    _judge_size(headers, body, _GENERATED_BYTES[event_type], "LE-GEN-09")
    response = Response(
        status,
        headers,
        BytesBody(body) if body else EMPTY_BODY,
        _description(result, reason_phrase(status)),
    )
    return Generated(response, tuple(notes))


def judge_origin_response(
    result: Mapping[str, Any], response: Response, notes: list[Finding]
) -> Changed:
    """The origin's response as the function left it. Raises :class:`Refused`."""
    status = _status(result["status"], "LE-ORES-02")
    headers = _headers(EventType.ORIGIN_RESPONSE, result, response, notes)
    reason = _description(result, reason_phrase(status))
    body = _body(result, "LE-ORES-04", "LE-ORES-04")
    if body is None:  # LE-ORES-03
        if (
            headers is response.headers
            and status == response.status
            and reason == status_description(response)
        ):
            return Changed(response, findings=tuple(notes))
        changed = replace(response, status=status, headers=headers, reason=reason)
        return Changed(changed, findings=tuple(notes))
    _judge_size(headers, body, MAX_GENERATED_ORIGIN_RESPONSE_BYTES, "LE-ORES-05")
    encoding = headers.get("Content-Encoding")
    if encoding not in ("", "identity") and result.get("bodyEncoding") != "base64" and body:
        notes.append(
            Finding(
                "LE-ORES-06",
                f"the body is text, but Content-Encoding still says {encoding}",
                "delete response.headers['content-encoding'] with the body's replacement",
            )
        )
    if status in (204, 304) and body:
        notes.append(
            Finding(
                "LE-ORES-04",
                f"the body of a response with status {status} does not reach the viewer",
                "leave the body out, or change the status",
            )
        )
    # LE-ORES-06: the length is CloudFront's to compute.
    headers = headers.without("Transfer-Encoding").with_set("Content-Length", str(len(body)))
    return Changed(
        replace(response, status=status, headers=headers, reason=reason, body=BytesBody(body)),
        body_replaced=True,
        findings=tuple(notes),
    )


def judge_viewer_response(
    result: Mapping[str, Any], response: Response, notes: list[Finding]
) -> Changed:
    """The response to the viewer with the function's headers. Raises :class:`Refused`.

    Changes of the status and a body are ignored and reported, strict or not: that is the default
    of two rules that are UNSURE (LE-VRES-02, LE-VRES-03).
    """
    headers = _headers(EventType.VIEWER_RESPONSE, result, response, notes)
    for name, before in (
        ("status", str(response.status)),
        ("statusDescription", status_description(response)),
    ):
        after = result.get(name, before)
        if not isinstance(after, str | int):
            raise Refused(
                InvalidKind.SHAPE,
                "LE-RET-07",
                f"{name} must be a string, not {json_type(after)}",
                f"return the {name} of the event",
            )
        if str(after) != before:
            notes.append(
                Finding(
                    "LE-VRES-02",
                    f"the function changed the {name} from {before} to {after}: ignored",
                    f"change the {name} in an origin-response function",
                )
            )
    if "body" in result:
        notes.append(
            Finding(
                "LE-VRES-03",
                "the function returned a body: ignored",
                "replace the body in an origin-response function",
            )
        )
    changed = response if headers is response.headers else replace(response, headers=headers)
    return Changed(changed, findings=tuple(notes))


def status_description(response: Response) -> str:
    """``statusDescription`` as an event shows it (LE-EVT-21)."""
    return shown(response.reason) or reason_phrase(response.status)


def decode_base64(text: str, rule: str, where: str) -> bytes:
    """The bytes behind ``text``. Raises :class:`Refused` where it is not strictly base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(
            InvalidKind.BODY,
            rule,
            f"{where} is not valid base64: {error}",
            "encode the bytes with the standard alphabet and padding, without line breaks",
        ) from error


def _headers(
    event_type: EventType, result: Mapping[str, Any], response: Response, notes: list[Finding]
) -> Headers:
    return judge_headers(
        result.get("headers", {}),
        response.headers,
        read_only=READ_ONLY[event_type],
        where="response",
        notes=notes,
    )


def _status(value: object, rule: str) -> int:
    """A status from 200 to 599, string or number (LE-GEN-02, LE-GEN-03, LE-ORES-02)."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch("[2-5][0-9]{2}", text, re.ASCII):
        raise Refused(
            InvalidKind.STATUS,
            rule,
            f"status must be from 200 to 599, but is {json_text(value)}",
            "give three digits, for example '200'",
        )
    return int(text)


def _description(result: Mapping[str, Any], default: str) -> str:
    """The reason phrase, free text (LE-GEN-04)."""
    text = result.get("statusDescription", default)
    if not isinstance(text, str) or _CONTROL.search(text):
        raise Refused(
            InvalidKind.SHAPE,
            "LE-RET-07",
            f"statusDescription must be one line of text, but is {json_text(text)}",
            "give one line of text, or leave statusDescription out",
        )
    return text


def _body(result: Mapping[str, Any], type_rule: str, encoding_rule: str) -> bytes | None:
    """The bytes of ``body``, None when there is no such field."""
    encoding = result.get("bodyEncoding", "text")
    if encoding not in ("text", "base64"):
        raise Refused(
            InvalidKind.BODY,
            encoding_rule,
            f"bodyEncoding must be 'text' or 'base64', but is {json_text(encoding)}",
            "leave bodyEncoding out for text; write 'base64' for bytes in base64",
        )
    if "body" not in result:
        return None
    body = result["body"]
    if not isinstance(body, str):
        raise Refused(
            InvalidKind.BODY,
            type_rule,
            f"body must be a string, not {json_type(body)}",
            "turn objects into text, for example with JSON.stringify or json.dumps",
        )
    if encoding == "base64":
        return decode_base64(body, encoding_rule, "body")
    return body.encode("utf-8")


def _judge_size(headers: Headers, body: bytes, limit: int, rule: str) -> None:
    size = head_bytes(headers) + len(body)
    if size > limit:
        raise Refused(
            InvalidKind.BODY,
            rule,
            f"headers and body have {size} bytes together; {limit} are allowed",
            "shorten the body, or keep it at an origin and redirect there",
        )
