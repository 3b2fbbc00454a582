"""A response as a test looks at it."""

import json
from dataclasses import dataclass

from edgeproxy.http.headers import Headers

__all__ = ["SiteResponse"]


@dataclass(frozen=True, slots=True)
class SiteResponse:
    """Status, headers (with their case and order) and the whole body."""

    status: int
    headers: Headers
    body: bytes

    @property
    def x_cache(self) -> str:
        """The value of ``X-Cache``, such as ``Hit from cloudfront``; empty when absent."""
        return self.headers.get("X-Cache")

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode("utf-8")

    def json(self) -> object:
        """The body read as JSON."""
        return json.loads(self.body)
