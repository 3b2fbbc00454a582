"""What keeps a caller at one version of an alias with weights: not AWS's, and off by default.

AWS draws anew for each request (LI-108). To try out two versions it can help when the same user
always gets the same one; so a header or a cookie may stand for the user (LI-112).
"""

import hashlib
from dataclasses import dataclass

from edgeproxy.errors import UsageError
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request

__all__ = ["StickyBy", "fraction_of", "parse_sticky"]


@dataclass(frozen=True, slots=True)
class StickyBy:
    """The header or the cookie whose value stands for a user."""

    kind: str
    name: str

    def value(self, request: Request) -> str:
        """The value in ``request``; empty for none, which makes the draw a free one."""
        if self.kind == "header":
            return request.headers.get(self.name)
        return next(
            (
                value
                for name, value in parse_cookies(request.headers.get_all("Cookie"))
                if name == self.name
            ),
            "",
        )


def parse_sticky(text: str) -> StickyBy | None:
    """The value of ``--sticky-alias``. Raises :class:`UsageError`."""
    if not text:
        return None
    kind, colon, name = text.partition(":")
    if kind not in ("header", "cookie") or not colon or not name:
        raise UsageError(
            f"--sticky-alias {text!r} is neither header:NAME nor cookie:NAME", rule="LI-112"
        )
    return StickyBy(kind, name)


def fraction_of(*parts: str) -> float:
    """A number from 0 up to but not including 1 that is always the same for the same texts."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48
