"""Headers that are for this program alone and go no further: ``x-edgeproxy-…``."""

from typing import Final

from edgeproxy.http.messages import Request, Response

__all__ = ["LOCAL_PREFIX", "explained", "wants_explanation", "without_local_headers"]

LOCAL_PREFIX: Final = "x-edgeproxy-"


def wants_explanation(request: Request) -> bool:
    """Whether the answer is to say what became of the request."""
    return request.headers.get(f"{LOCAL_PREFIX}explain") == "1"


def without_local_headers(request: Request) -> Request:
    """``request`` without the headers that are for this program alone."""
    local = request.headers.names_with(LOCAL_PREFIX)
    return request.with_headers(request.headers.without(*local)) if local else request


def explained(response: Response, exchange_id: str, why: str) -> Response:
    """``response`` with the ID of its record, and why it is as it is."""
    # It may quote what a function said: one line of visible ASCII, whatever that was.
    why = why.encode("unicode_escape").decode("ascii")
    headers = response.headers.with_set(f"{LOCAL_PREFIX}exchange", exchange_id)
    return response.with_headers(headers.with_set(f"{LOCAL_PREFIX}why", why))
