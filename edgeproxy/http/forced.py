"""What puts a viewer on one side of an experiment, and the request that comes of it."""

from dataclasses import dataclass
from typing import Literal

from edgeproxy.http.cookies import format_cookies, parse_cookies
from edgeproxy.http.messages import Request

__all__ = ["Forced"]


@dataclass(frozen=True, slots=True)
class Forced:
    """A cookie, a header (an empty value: none of that name), or the version of a function."""

    kind: Literal["cookie", "header", "function version"]
    name: str
    value: str

    def applied_to(self, request: Request) -> Request:
        """The request as a viewer on that side would send it; a version is no part of it."""
        headers = request.headers
        match self.kind:
            case "cookie":
                cookies = parse_cookies(headers.get_all("Cookie"))
                kept = [cookie for cookie in cookies if cookie[0] != self.name]
                value = format_cookies([*kept, (self.name, self.value)])
                return request.with_headers(headers.with_set("Cookie", value))
            case "header" if self.value:
                return request.with_headers(headers.with_set(self.name, self.value))
            case "header":
                return request.with_headers(headers.without(self.name))
            case "function version":
                return request
