"""Headers, cookies and query parameters as CloudFront Functions see and return them.

A field is ``{"value": …}``, with ``multiValue`` for a name that occurs again and ``attributes`` for
a response cookie (CFF-EVT-12, CFF-EVT-13, CFF-HDR-07).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from edgeproxy.events.restrictions import is_disallowed
from edgeproxy.exchange.model import Finding
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, reason_phrase
from edgeproxy.http.query import parse_query

__all__ = [
    "CONTROL",
    "Field",
    "Refused",
    "ascii_lower",
    "invalid",
    "is_reordered",
    "items_returned",
    "items_sent",
    "rebuilt",
    "shown_request",
    "shown_response",
    "unchanged",
    "with_generated",
]

Field: TypeAlias = dict[str, Any]

CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What may not stand in a value: control characters except the tab, and half characters."""

_WHOLE_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_ONE_LINE: Final = "Take control characters out, or encode the text with encodeURIComponent()."


class Refused(Exception):
    """Ends decoding with the finding that makes the result invalid."""

    def __init__(self, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.finding = Finding(rule, message, remedy)


def invalid(rule: str, where: str, why: str, remedy: str) -> Refused:
    return Refused(rule, f"The function returned an invalid value: {where}: {why}.", remedy)


def shown_request(request: Request, generated: Mapping[str, str]) -> dict[str, Any]:
    """The ``request`` of an event."""
    return {
        "method": request.method,
        "uri": _shown(request.path),
        "querystring": _grouped(
            (_shown(name), {"value": _shown(value or "")})
            for name, value in parse_query(request.query or "")
        ),
        "headers": _shown_headers(with_generated(request.headers, generated), "cookie"),
        "cookies": _grouped(
            (_shown(name), {"value": _shown(value)})
            for name, value in parse_cookies(request.headers.get_all("cookie"))
        ),
    }


def shown_response(response: Response) -> dict[str, Any]:
    """The ``response`` of an event."""
    return {
        "statusCode": response.status,
        "statusDescription": _shown(response.reason) or reason_phrase(response.status),
        "headers": _shown_headers(response.headers, "set-cookie"),
        "cookies": _grouped(map(_set_cookie, response.headers.get_all("set-cookie"))),
    }


def with_generated(headers: Headers, generated: Mapping[str, str]) -> Headers:
    """``headers`` with the CloudFront-* headers that the policies ask for (CFF-EVT-16)."""
    for name, value in generated.items():
        headers = headers.with_set(name, value)
    return headers


def _shown_headers(headers: Headers, cookie_name: str) -> dict[str, Field]:
    items = [
        (shown_name, {"value": value if value.isascii() else _shown(value)})
        for name, value in headers
        if (shown_name := _shown_name(name)) and shown_name != cookie_name
    ]
    fields = dict(items)
    return fields if len(fields) == len(items) else _grouped(items)


def _grouped(items: Iterable[tuple[str, Field]]) -> dict[str, Field]:
    """Fields by name; ``multiValue`` only where a name occurs again (CFF-EVT-12)."""
    fields: dict[str, Field] = {}
    for name, item in items:
        if name not in fields:
            fields[name] = item
            continue
        first = fields[name]
        if "multiValue" not in first:
            first["multiValue"] = [dict(first)]
        first["multiValue"].append(item)
    return fields


def _set_cookie(line: str) -> tuple[str, Field]:
    pair, _, attributes = _shown(line).partition(";")
    name, _, value = pair.partition("=")
    # CFF-EVT-13 (U): without attributes there is no such member.
    rest = {"attributes": attributes.strip()} if attributes.strip() else {}
    return name.strip(), {"value": value.strip(), **rest}


def _shown(text: str) -> str:
    """Text as functions see it: what is not UTF-8 counts as ISO-8859-1 (CFF-EVT-21)."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text


def ascii_lower(name: str) -> str:
    """Lower case for ASCII letters only (CFF-EVT-09)."""
    if name.isascii():
        return name.lower()
    return "".join(char.lower() if char.isascii() else char for char in name)


# The same few hundred names come again and again.
@lru_cache(maxsize=1024)
def _shown_name(name: str) -> str:
    """The name in an event, or nothing for a header that functions do not see (CFF-EVT-20)."""
    return "" if is_disallowed(name) else ascii_lower(name)


@lru_cache(maxsize=1024)
def _capitalised(name: str) -> str:
    """CFF-HDR-06, for a name in lower case; a letter that is not ASCII stays as it is."""
    return "-".join(
        word[:1].upper() + word[1:] if word[:1].isascii() else word for word in name.split("-")
    )


def _plain(field: Field) -> Field:
    return {name: value for name, value in field.items() if name in ("value", "attributes")}


def items_sent(fields: Mapping[str, Field]) -> dict[str, list[Field]]:
    """The values of each field of an event."""
    return {name: field.get("multiValue") or [field] for name, field in fields.items()}


def items_returned(
    returned: object, before: Mapping[str, Field], where: str
) -> dict[str, list[Field]]:
    """The values of each returned field, by the edit rule of CFF-HDR-09; ``before`` was sent."""
    if not isinstance(returned, dict):
        raise invalid(
            "CFF-HDR-07", where, "it must be an object", "Use names as keys: {name: {value: ''}}."
        )
    if returned == before:
        return items_sent(returned)
    items = {}
    for name, value in returned.items():
        sent = before.get(name, {})
        if value == sent and sent:
            items[name] = sent.get("multiValue") or [sent]
            continue
        if CONTROL.search(name):
            raise invalid(
                "LE-HDR-15", where, "a name has a line break or control character", _ONE_LINE
            )
        if found := _edited(sent, value, f"{where}['{name}']"):
            items[name] = found
    return items


def _edited(before: Field, returned: object, where: str) -> list[Field]:
    field = _field(returned, where, list_counts=True)
    many = field.get("multiValue")
    if many is None:
        return [_plain(field)]
    if not isinstance(many, list):
        raise invalid(
            "CFF-HDR-07",
            f"{where}.multiValue",
            "it must be an array",
            "Write [{value: ''}], with an object for each value.",
        )
    items = [
        _plain(_field(item, f"{where}.multiValue[{index}]")) for index, item in enumerate(many)
    ]
    if many == before.get("multiValue") and items and "value" in field:
        items[0] = _plain(field)
    return items


def _field(field: object, where: str, *, list_counts: bool = False) -> Field:
    if not isinstance(field, dict):
        raise invalid(
            "CFF-HDR-08", where, "it must be an object with a string value", "Write {value: ''}."
        )
    for member in ("value", "attributes"):
        text = field.get(member)
        needed = member == "value" and not (list_counts and "multiValue" in field)
        if text is None and member not in field and not needed:
            continue
        if not isinstance(text, str):
            raise invalid(
                "CFF-HDR-08",
                f"{where}.{member}",
                "it must be a string",
                "Turn it into one with String(), or delete the field.",
            )
        if CONTROL.search(text):
            raise invalid(
                "LE-HDR-15",
                f"{where}.{member}",
                "it has a line break or another control character",
                _ONE_LINE,
            )
    return field


def unchanged(original: Headers, generated: Collection[str]) -> Headers:
    """What :func:`rebuilt` makes of lines that the function left alone; often the very same.

    ``generated`` names the headers that only the event had.
    """
    if not generated and _stay(tuple([name for name, _ in original])):
        return original
    added = {name.lower() for name in generated}
    lines = [
        (_capitalised(folded), value)
        for name, value in original
        if (folded := name.lower()) not in added
    ]
    names = dict.fromkeys([name for name, _ in lines])
    if len(names) < len(lines):
        lines = [line for name in names for line in lines if line[0] == name]
    return original if lines == original.lines() else Headers(lines)


# A viewer sends the same names again and again.
@lru_cache(maxsize=256)
def _stay(names: tuple[str, ...]) -> bool:
    """Whether lines of these names stay as they are: each name once, and capitalised."""
    return len({name.lower() for name in names}) == len(names) and all(
        name == _capitalised(name.lower()) for name in names
    )


def is_reordered(returned: Mapping[str, object], sent: Mapping[str, object]) -> bool:
    """Whether fields of the same names stand in another order than JavaScript gave them.

    Its objects have whole numbers first, in ascending order; the others keep their order.
    """
    names = list(sent)
    if list(returned) == names:
        return False
    numbers = sorted(filter(_is_array_index, names), key=int)
    rest = [name for name in names if not _is_array_index(name)]
    return list(returned) != numbers + rest


def _is_array_index(name: str) -> bool:
    return _WHOLE_NUMBER.fullmatch(name) is not None and int(name) < 2**32 - 1


def rebuilt(original: Headers, decided: Mapping[str, Sequence[str]]) -> Headers:
    """The lines as decided: in the original's order, new names last, hidden headers kept."""
    lines: list[tuple[str, str]] = []
    rest = dict(decided)
    for name in original.names():
        values = rest.pop(name, ()) if _shown_name(name) else original.get_all(name)
        lines += [(_capitalised(name), value) for value in values]
    for name, values in rest.items():
        lines += [(_capitalised(name), value) for value in values]
    return Headers(lines)
