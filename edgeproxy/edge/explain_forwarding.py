"""What an origin would be sent for a request, what would be kept from it, and because of what."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from edgeproxy.distribution.forwarded import Part, plan_of, taken_by
from edgeproxy.distribution.model import Behavior, Origin
from edgeproxy.distribution.viewer_headers import GENERATED_NAMES
from edgeproxy.edge.signature import Identity
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query
from edgeproxy.origins.forwarding import origin_request, ruling, with_custom_headers
from edgeproxy.origins.signing import is_signed

__all__ = ["forwarded"]

_COMPOSED: Final = {
    "via": "always sent: the viewer's Via and this edge location",
    "x-amz-cf-id": "always sent: the ID of this request",
    "x-forwarded-for": "always sent: the viewer's own X-Forwarded-For and its address",
    "cookie": "the cookies that the settings take",
}
_ITEM: Final = {"cookies": "cookie", "query strings": "query string"}


def forwarded(
    request: Request, behavior: Behavior, origin: Origin, generated: Mapping[str, str]
) -> dict[str, object]:
    """The request to ``origin`` before its functions, as a JSON document.

    ``headers`` are those sent, ``passed`` the cookies and query strings among it, ``withheld`` what
    the viewer sent and the origin does not get, each with the reason. ``signed_by`` is the origin
    access control whose signature comes on top, or None.
    """
    sent = with_custom_headers(
        origin_request(
            request,
            behavior,
            origin,
            generated=generated,
            request_id="<request id>",
            via=Identity().via(request.version),
        ),
        origin,
    )
    sent = replace(sent, path=origin.origin_path + sent.path)
    items = [*_items("cookies", request, behavior), *_items("query strings", request, behavior)]
    withheld = [(part, "no setting names it") for part, because in items if not because]
    withheld += [
        (f"header {name}", ruling(name, request.method, behavior).because)
        for name in request.headers.names()
        if name not in sent.headers and name != "cookie"
    ]
    return {
        "origin": origin.id,
        "domain_name": origin.domain_name,
        "method": sent.method,
        "target": sent.target,
        "headers": [
            {"name": name, "value": value, "because": _why_sent(name, request, behavior, origin)}
            for name, value in sent.headers
        ],
        "signed_by": _signature(sent, origin),
        "passed": _reasons((part, because) for part, because in items if because),
        "withheld": _reasons(withheld),
    }


def _signature(sent: Request, origin: Origin) -> str | None:
    if not is_signed(sent, origin):
        return None
    control = origin.access_control
    return "origin access identity" if control is None else f"origin access control {control.id}"


def _reasons(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"part": part, "because": because} for part, because in pairs]


def _items(part: Part, request: Request, behavior: Behavior) -> Iterator[tuple[str, str]]:
    """The viewer's cookies or parameters, with the setting that takes each, or nothing."""
    if part == "cookies":
        names = [name for name, _ in parse_cookies(request.headers.get_all("Cookie"))]
    else:
        names = [name for name, _ in parse_query(request.query or "")]
    for name in dict.fromkeys(names):
        yield f"{_ITEM[part]} {name}", taken_by(behavior, part, name)


def _why_sent(name: str, request: Request, behavior: Behavior, origin: Origin) -> str:
    lower = name.lower()
    setting = taken_by(behavior, "headers", name)
    if lower in origin.custom_headers.names():
        return f"a custom header of the origin {origin.id}"
    if lower == "host":
        return setting or "the origin's own name: no setting takes the viewer's"
    if lower == "user-agent" and not setting:
        return "CloudFront's own: no setting takes the viewer's"
    if lower in _COMPOSED:
        return _COMPOSED[lower]
    if lower == "accept-encoding":
        codings = plan_of(behavior).codings
        known = " and ".join(codings)
        return f"the viewer's, reduced to {known}, or identity" if codings else setting
    if lower in GENERATED_NAMES:
        return f"made by CloudFront; {setting}"
    return setting or ruling(name, request.method, behavior).because
