"""Which listener rule a request meets (AL-140 to AL-150), and where a redirect leads."""

import ipaddress
import re
from functools import lru_cache

from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query
from edgeproxy.loadbalancing.model import AlbCondition, AlbListener, AlbRedirect, AlbRule

__all__ = ["host_name", "match_rule", "redirect_location"]


def match_rule(listener: AlbListener, request: Request) -> AlbRule:
    """The first rule all of whose conditions hold; the default rule, the last, has none."""
    *rules, default = listener.rules
    for rule in rules:
        if all(_holds(condition, request) for condition in rule.conditions):
            return rule
    return default


def host_name(request: Request) -> str:
    """The host of the request without its port."""
    name, colon, port = request.host.rpartition(":")
    return name if colon and port.isdigit() else request.host


def redirect_location(redirect: AlbRedirect, listener: AlbListener, request: Request) -> str:
    """The ``Location`` of a redirect (AL-154 to AL-156). UNSURE: the port is always written."""
    original = {
        "protocol": listener.protocol,
        "host": host_name(request),
        "port": str(listener.port),
        "path": request.path.removeprefix("/"),
        "query": request.query or "",
    }

    def filled(template: str) -> str:
        return re.sub(r"#\{(\w+)\}", lambda match: original.get(match[1], match[0]), template)

    query = filled(redirect.query)
    return (
        f"{filled(redirect.protocol).lower()}://{filled(redirect.host)}:{filled(redirect.port)}"
        f"{filled(redirect.path)}{'?' if query else ''}{query}"
    )


def _holds(condition: AlbCondition, request: Request) -> bool:
    """Whether one of the condition's values matches (AL-142)."""
    match condition.field:
        case "path-pattern":
            return _any_like(condition, [request.path], ignore_case=False)
        case "host-header":
            return _any_like(condition, [host_name(request)])
        case "http-header":
            return _any_like(condition, request.headers.get_all(condition.header_name))
        case "http-request-method":
            return request.method in condition.values
        case "query-string":
            pairs = [(name, value or "") for name, value in parse_query(request.query or "")]
            return any(_query_holds(value, pairs) for value in condition.values)
        case "source-ip":
            address = ipaddress.ip_address(request.viewer.ip)
            return any(
                address in ipaddress.ip_network(value, strict=False) for value in condition.values
            )
        case field:
            raise ValueError(f"no listener rule has a condition on {field!r}")


def _any_like(condition: AlbCondition, texts: list[str], *, ignore_case: bool = True) -> bool:
    """Whether a value, or a regular expression anywhere, fits one of ``texts`` (AL-151)."""
    flags = re.IGNORECASE if ignore_case else 0
    return any(
        any(_wildcard(each, ignore_case=ignore_case).fullmatch(text) for each in condition.values)
        or any(re.search(each, text, flags) for each in condition.regexes)
        for text in texts
    )


def _query_holds(wanted: str, pairs: list[tuple[str, str]]) -> bool:
    """``key=value`` or ``=value``, which any key may have (AL-149)."""
    key, _, value = wanted.partition("=")
    key_pattern = _wildcard(key or "*", ignore_case=True)
    value_pattern = _wildcard(value, ignore_case=True)
    return any(
        key_pattern.fullmatch(name) and value_pattern.fullmatch(text) for name, text in pairs
    )


@lru_cache(maxsize=1024)
def _wildcard(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    r"""``*`` for any text, ``?`` for one character, ``\*`` and ``\?`` for themselves (AL-144)."""
    parts = {"*": ".*", "?": "."}
    text = "".join(
        parts.get(piece, re.escape(piece.removeprefix("\\") if piece[1:] in ("*", "?") else piece))
        for piece in re.findall(r"\\[*?]|.", pattern, re.DOTALL)
    )
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
