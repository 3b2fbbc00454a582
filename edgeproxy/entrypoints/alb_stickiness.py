"""The cookies that keep a client at its target group (AL-173 to AL-178).

Their content is a token that names the group and its own end, signed, so that a client can
neither choose its group nor prolong its stay.
"""

import base64
import hashlib
import hmac
from typing import Final

import orjson

from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.dates import format_date
from edgeproxy.http.messages import Request

__all__ = ["COOKIES", "Stickiness"]

COOKIES: Final = ("AWSALBTG", "AWSALBTGCORS")


class Stickiness:
    """Makes and reads the cookies of one load balancer; ``name`` makes its signatures its own."""

    def __init__(self, name: str) -> None:
        self._key = hashlib.blake2b(name.encode("utf-8")).digest()

    def group_of(self, request: Request, now: float) -> str:
        """The ARN of the group that the request is bound to; empty when it is not (AL-176)."""
        for name, value in parse_cookies(request.headers.get_all("Cookie")):
            if name in COOKIES and (arn := self._read(value, now)):
                return arn
        return ""

    def cookies(self, arn: str, now: float, duration_s: int) -> list[str]:
        """The ``Set-Cookie`` values that bind a client for ``duration_s`` (AL-174, AL-175)."""
        content = _encode(orjson.dumps([arn, int(now) + duration_s]))
        expires = format_date(int(now) + duration_s)
        cookie = f"{content}.{self._sign(content)}; Expires={expires}; Path=/"
        return [f"{COOKIES[0]}={cookie}", f"{COOKIES[1]}={cookie}; SameSite=None; Secure"]

    def _read(self, value: str, now: float) -> str:
        content, _, signature = value.partition(".")
        if not hmac.compare_digest(
            self._sign(content).encode(), signature.encode("utf-8", "replace")
        ):
            return ""
        arn, expires = orjson.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        return str(arn) if now < expires else ""

    def _sign(self, content: str) -> str:
        data = content.encode("utf-8", "surrogateescape")
        return _encode(hashlib.blake2b(data, key=self._key[:32], digest_size=16).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
