"""Judges what a CloudFront Function returned and applies it to the message (CFF-RET to CFF-RES).

What the function did not change goes on byte for byte as it came (LE-URI-09); what it changed goes
on as UTF-8.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_fields import (
    CONTROL,
    Field,
    Refused,
    ascii_lower,
    invalid,
    is_reordered,
    items_returned,
    items_sent,
    rebuilt,
    unchanged,
    with_generated,
)
from edgeproxy.events.restrictions import CFF_READ_ONLY, is_disallowed
from edgeproxy.exchange.model import Finding
from edgeproxy.http.body import BytesBody
from edgeproxy.http.cookies import format_cookies, parse_cookies
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.query import format_query

__all__ = ["Decoder"]

MAX_URI_CHARACTERS: Final = 8_191
"""CFF-REQ-02: shorter than 8,192."""
GENERATED_BODY_WARNING_BYTES: Final = 40 * 1024
"""CFF-RES-15 (U): no limit is stated; beyond this a finding says so."""

_PERCENT_ENCODE: Final = "Percent-encode it, for example with encodeURIComponent()."
_REMEDIES: Final = {
    "CFF-HDR-08": "Write {value: ''} instead of a string.",
    "LE-URI-10": "Put what follows the question mark into request.querystring.",
}
"""For what is refused when strict; without one here the event's own value is what to return."""

_NOT_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f#\ud800-\udfff]")
_HEADER_NAME: Final = re.compile(r"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?={}]+")


class Decoder:
    """Turns one result into a message; raises :class:`Refused`, notes the rest."""

    def __init__(self, findings: list[Finding], strict: bool) -> None:
        self._findings = findings
        self._strict = strict

    def request(
        self,
        result: dict[str, Any],
        sent: dict[str, Any],
        request: Request,
        generated: Mapping[str, str],
    ) -> Request:
        if (
            result == sent
            and len(request.target) <= MAX_URI_CHARACTERS
            and not is_reordered(result["querystring"], sent["querystring"])
        ):
            lines = unchanged(request.headers, generated)
            return request if lines is request.headers else replace(request, headers=lines)
        for part in sorted(sent.keys() - result.keys()):
            self._tolerate("CFF-RET-09", f"request.{part} is missing", part in ("headers", "uri"))
            if not self._strict:
                result = {**result, part: sent[part]}
        if result.get("method", request.method) != request.method:
            self._tolerate("CFF-RET-08", "request.method is read-only", True)
        path, query = self._path(result, sent, request), self._query(result, sent, request)
        if len(path) + (0 if query is None else len(query) + 1) > MAX_URI_CHARACTERS:
            raise invalid(
                "CFF-REQ-02",
                "request.uri",
                "with query string it must be shorter than 8,192 characters",
                "Shorten it; longer data can go into a header.",
            )
        lines = self._lines(result, sent, request, generated)
        return replace(request, path=path, query=query, headers=lines)

    def _lines(
        self,
        result: dict[str, Any],
        sent: dict[str, Any],
        request: Request,
        generated: Mapping[str, str],
    ) -> Headers:
        """The header lines of the request, cookies included."""
        if all(result.get(member) == sent[member] for member in ("headers", "cookies")):
            return unchanged(request.headers, generated)
        seen = with_generated(request.headers, generated)
        headers = self._headers(result, sent, seen, "request", EventType.VIEWER_REQUEST)
        cookies = self._items(result, sent, "request", "cookies")
        added = headers.pop("cookie", [])
        if added:
            self._merged("cookie", "request")
        if added or cookies != items_sent(sent["cookies"]):
            pairs = [(name, item["value"]) for name, items in cookies.items() for item in items]
            line = format_cookies([*pairs, *parse_cookies(added)])
            headers["cookie"] = [line] if line else []
        else:
            headers["cookie"] = request.headers.get_all("cookie")
        for name, value in generated.items():
            if headers.get(name.lower()) == [value]:
                del headers[name.lower()]
        return rebuilt(request.headers, headers)

    def generated(self, result: dict[str, Any]) -> Response:
        status, body = self._status(result), self._body(result)
        headers = self._response_headers(result, {}, Headers())
        data = body or b""
        length = headers.pop("content-length", [])
        if length and length != [str(len(data))]:
            self._note(
                "CFF-RES-07",
                "response.headers['content-length'] is not the length of the body",
                "Leave it out.",
            )
        if len(data) > GENERATED_BODY_WARNING_BYTES:
            self._note(
                "CFF-RES-15",
                f"The body has {len(data)} bytes",
                "AWS states no limit, but memory and code size bound it.",
            )
        reason = self._reason(result)
        return Response(status, rebuilt(Headers(), headers), BytesBody(data), reason)

    def changed(self, result: dict[str, Any], sent: dict[str, Any], response: Response) -> Response:
        status, body = self._status(result), self._body(result)
        if result == sent:
            lines = unchanged(response.headers, ())
            return response if lines is response.headers else replace(response, headers=lines)
        headers = self._response_headers(result, sent, response.headers)
        reason = self._reason(result)
        if reason == sent["statusDescription"]:
            reason = response.reason if status == response.status else ""
        if body is None:
            lines = rebuilt(response.headers, headers)
            return replace(response, status=status, reason=reason, headers=lines)
        headers.pop("content-length", None)
        encoding = headers.get("content-encoding", [])
        if body and encoding and encoding == response.headers.get_all("content-encoding"):
            self._note(
                "CFF-RES-07",
                f"The body was replaced but content-encoding is still {encoding[0]}",
                "Delete response.headers['content-encoding'].",
            )
        return replace(
            response,
            status=status,
            reason=reason,
            headers=rebuilt(response.headers, headers),
            body=BytesBody(body),
        )

    def _path(self, result: dict[str, Any], sent: dict[str, Any], request: Request) -> str:
        uri = result.get("uri")
        if uri == sent["uri"]:
            return request.path
        if not isinstance(uri, str) or not uri.startswith("/"):
            raise invalid(
                "CFF-REQ-01",
                "request.uri",
                "it must be a string that begins with /",
                "Give the path alone; to go to another host return a redirect.",
            )
        if _NOT_IN_TARGET.search(uri):
            raise invalid(
                "LE-URI-04",
                "request.uri",
                "it has a space, a control character or #",
                _PERCENT_ENCODE,
            )
        if "?" in uri:
            self._tolerate("LE-URI-10", "request.uri contains a question mark", True)
        return uri

    def _query(self, result: dict[str, Any], sent: dict[str, Any], request: Request) -> str | None:
        returned = result.get("querystring", {})
        if isinstance(returned, str):
            query = returned
            if query.startswith("?"):
                self._note(
                    "CFF-QS-03",
                    "request.querystring begins with a question mark",
                    "Leave it out; it was sent as it is.",
                )
        else:
            items = self._items(result, sent, "request", "querystring")
            seen = items_sent(sent["querystring"])
            if items == seen and not is_reordered(items, seen):
                return request.query
            # CFF-QS-05 (U): in the order of the object's members.
            query = format_query(
                (name, item["value"]) for name, values in items.items() for item in values
            )
        if _NOT_IN_TARGET.search(query):
            raise invalid(
                "CFF-QS-04",
                "request.querystring",
                "it has a space, a control character or #",
                _PERCENT_ENCODE,
            )
        return query or None

    def _status(self, result: dict[str, Any]) -> int:
        status = result["statusCode"]
        # CFF-RES-02 (U): AWS states no range.
        if type(status) is not int or not 200 <= status <= 599:
            raise invalid(
                "CFF-RES-02",
                "response.statusCode",
                "it must be an integer from 200 to 599",
                "Give a number, not a string.",
            )
        return status

    def _reason(self, result: dict[str, Any]) -> str:
        reason = result.get("statusDescription", "")
        if not isinstance(reason, str) or CONTROL.search(reason):
            raise invalid(
                "CFF-RES-01",
                "response.statusDescription",
                "it must be a string of one line",
                "Give one line of text, or leave it out.",
            )
        return reason

    def _body(self, result: dict[str, Any]) -> bytes | None:
        """The new body, or None when the result has none (CFF-RES-03 to 05)."""
        if "body" not in result:
            return None
        match result["body"]:
            case None:
                return b""
            case str(text) | {"data": str(text), "encoding": "text"}:
                return text.encode("utf-8", "replace")
            case {"data": str(text), "encoding": "base64"}:
                try:
                    return base64.b64decode(text, validate=True)
                except (binascii.Error, ValueError):
                    raise invalid(
                        "CFF-RES-04",
                        "response.body",
                        "its data is not base64",
                        "Encode it with btoa(), or say encoding: 'text'.",
                    ) from None
            case {"data": "", **rest} if "encoding" not in rest:
                return b""
            case _:
                raise invalid(
                    "CFF-RES-04",
                    "response.body",
                    'it must be a string, or {encoding: "text" or "base64", data: string}',
                    "Turn objects into text with JSON.stringify().",
                )

    def _response_headers(
        self, result: dict[str, Any], sent: dict[str, Any], original: Headers
    ) -> dict[str, list[str]]:
        headers = self._headers(result, sent, original, "response", EventType.VIEWER_RESPONSE)
        cookies = self._items(result, sent, "response", "cookies")
        added = headers.pop("set-cookie", [])
        if added:
            self._merged("set-cookie", "response")
        if cookies == items_sent(sent.get("cookies", {})):
            lines = original.get_all("set-cookie")
        else:
            lines = [
                "; ".join(
                    part for part in (f"{name}={item['value']}", item.get("attributes")) if part
                )
                for name, items in cookies.items()
                for item in items
            ]
        headers["set-cookie"] = [*lines, *added]
        return headers

    def _headers(
        self,
        result: dict[str, Any],
        sent: dict[str, Any],
        original: Headers,
        part: str,
        event_type: EventType,
    ) -> dict[str, list[str]]:
        """Values by lower-case name, cookies not included; as received where unchanged."""
        shown = items_sent(sent.get("headers", {}))
        values: dict[str, list[str]] = {}
        items_by_name = self._items(result, sent, part, "headers")
        for name, items in items_by_name.items():
            if items == shown.get(name):
                values[name] = original.get_all(name)
                continue
            where = f"{part}.headers['{name}']"
            if name != ascii_lower(name):
                raise invalid(
                    "CFF-HDR-05",
                    where,
                    "names of headers must be in lower case",
                    f"Write '{ascii_lower(name)}'.",
                )
            if not _HEADER_NAME.fullmatch(name):
                raise invalid(
                    "CFF-HDR-05",
                    where,
                    "this is not a name of a header",
                    "Use letters, digits and hyphens, and no colon or space.",
                )
            if is_disallowed(name):
                raise invalid(
                    "CFF-HDR-01",
                    where,
                    "functions may not add this header",
                    "Leave it out, or use a name of your own.",
                )
            values[name] = [item["value"] for item in items]
        # Nothing was sent for a generated response, so nothing of it is read-only.
        for name in CFF_READ_ONLY[event_type] if sent else ():
            if items_by_name.get(name, []) != shown.get(name, []):
                rule = "CFF-HDR-02" if part == "request" else "CFF-HDR-03"
                where = f"{part}.headers['{name}']"
                raise invalid(
                    rule,
                    where,
                    "this header is read-only; it was added, changed or deleted",
                    "Return it as it was in the event.",
                )
        return values

    def _items(
        self, result: dict[str, Any], sent: dict[str, Any], part: str, member: str
    ) -> dict[str, list[Field]]:
        returned, where = result.get(member, {}), f"{part}.{member}"
        if not self._strict and isinstance(returned, dict):
            for name, value in returned.items():
                if isinstance(value, str):
                    self._tolerate("CFF-HDR-08", f"{where}['{name}'] is a string", True)
                    returned = {**returned, name: {"value": value}}
        return items_returned(returned, sent.get(member, {}), where)

    def _merged(self, name: str, part: str) -> None:
        # CFF-HDR-11 (U)
        self._note(
            "CFF-HDR-11",
            f"{part}.headers has {name}",
            f"Use {part}.cookies; it was merged with them.",
        )

    def _note(self, rule: str, message: str, remedy: str) -> None:
        self._findings.append(Finding(rule, f"{message}.", remedy))

    def _tolerate(self, rule: str, message: str, matters: bool) -> None:
        """Refuse when strict and it ``matters``, else note."""
        if self._strict and matters:
            remedy = _REMEDIES.get(rule, "Return it as it was in the event.")
            raise Refused(rule, f"The function returned an invalid value: {message}.", remedy)
        self._note(rule, message, "AWS does not say what becomes of it: do not rely on it.")
