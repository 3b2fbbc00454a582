"""What puts a viewer on one side of an experiment, and the request that comes of it."""

from dataclasses import dataclass
from typing import Literal

from edgeproxy.http.cookies import format_cookies, parse_cookies
from edgeproxy.http.messages import Request

__all__ = ["Forced"]


@dataclass(frozen=True, slots=True)
class Forced:
    """A header (an empty value: none of that name), the version of a function, or cookies.

    ``value`` of cookies is as in ``Cookie``; they have no name of their own.
    """

    kind: Literal["cookies", "header", "function version"]
    name: str
    value: str

    def applied_to(self, request: Request) -> Request:
        """The request as a viewer on that side would send it; a version is no part of it."""
        headers = request.headers
        match self.kind:
            case "cookies":
                own = parse_cookies([self.value])
                names = {name for name, _ in own}
                cookies = parse_cookies(headers.get_all("Cookie"))
                kept = [cookie for cookie in cookies if cookie[0] not in names]
                return request.with_headers(
                    headers.with_set("Cookie", format_cookies([*kept, *own]))
                )
            case "header" if self.value:
                return request.with_headers(headers.with_set(self.name, self.value))
            case "header":
                return request.with_headers(headers.without(self.name))
            case "function version":
                return request
