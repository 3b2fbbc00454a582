"""The policy that a signature is over: which URLs it opens, until when, and to whom.

A canned policy is never sent: it is made again from the URL and the time of expiry. A custom
policy is sent, and may say more. Names in it are exact, so that a condition with a typing error
is refused rather than left out.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from edgeproxy.distribution.matching import wildcard

__all__ = ["MalformedPolicy", "SignedUrl", "SigningPolicy", "canned_policy", "parse_policy"]

_LAST_SECOND: Final = 2_147_483_647
_EXPIRES: Final = re.compile(r"[0-9]{1,10}")
_SCHEME: Final = re.compile(r"([A-Za-z*?]*)://")

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class MalformedPolicy(Exception):
    """The text is no policy; the message says why."""


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """The URL that a viewer asks for, in the sections of a resource; nothing is decoded."""

    scheme: str
    host: str
    path: str
    query: str | None
    """Without the parameters of the signature; None when there was nothing but them."""

    def __str__(self) -> str:
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{self.host}{self.path}{query}"


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """A policy and the bytes that are signed. Times are seconds since 1970."""

    text: bytes
    expires: int
    starts: int | None = None
    resource: str | None = None
    """None covers every URL; a canned policy needs none, since the URL is in what is signed."""
    source_ip: _Network | None = None

    def objection(self, url: SignedUrl, viewer_ip: str, now: float) -> str:
        """Why the policy does not let the viewer have ``url`` now, or an empty string."""
        if now >= self.expires:
            return f"the signature expired {now - self.expires:.0f} s ago"
        if self.starts is not None and now <= self.starts:
            return f"the signature is not valid before {self.starts}, in {self.starts - now:.0f} s"
        if self.source_ip is not None and not _is_in(self.source_ip, viewer_ip):
            return f"the policy is for viewers in {self.source_ip}, and this one is {viewer_ip}"
        if self.resource is not None and not _covers(self.resource, url):
            return f"the policy is for {self.resource}, which does not cover {url}"
        return ""


def canned_policy(url: SignedUrl, expires: str) -> SigningPolicy:
    """CDN-SGN-09. Raises :class:`MalformedPolicy` when ``expires`` is no time (CDN-SGN-14)."""
    if not _EXPIRES.fullmatch(expires) or int(expires) > _LAST_SECOND:
        raise MalformedPolicy(f"Expires is {expires!r}, not a time in seconds")
    text = (
        f'{{"Statement":[{{"Resource":"{url}","Condition":'
        f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    )
    return SigningPolicy(text.encode("utf-8", "surrogateescape"), int(expires))


def parse_policy(text: bytes) -> SigningPolicy:
    """A custom policy (CDN-SGN-13, CDN-SGN-14, CDN-SGN-16). Raises :class:`MalformedPolicy`."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedPolicy(f"the policy is not JSON: {error}") from error
    statements = _members(document, "the policy", "Statement")["Statement"]
    if not isinstance(statements, list) or len(statements) != 1:
        raise MalformedPolicy("Statement is not a list of exactly one statement")
    statement = _members(statements[0], "the statement", "Condition", "Resource")
    limits = ("DateGreaterThan", "IpAddress")
    condition = _members(statement["Condition"], "Condition", "DateLessThan", *limits)
    resource, starts, source = statement.get("Resource"), *map(condition.get, limits)
    if "Resource" in statement and not isinstance(resource, str):
        raise MalformedPolicy("Resource is not text")
    return SigningPolicy(
        text,
        _time(condition["DateLessThan"], "DateLessThan"),
        _time(starts, limits[0]) if limits[0] in condition else None,
        resource,
        _network(source) if limits[1] in condition else None,
    )


def _members(value: object, what: str, required: str, *optional: str) -> dict[str, Any]:
    """``value`` as an object with these names and no others."""
    if not isinstance(value, dict):
        raise MalformedPolicy(f"{what} is not an object")
    for name in value.keys() - {required, *optional}:
        raise MalformedPolicy(f"{what} has {name!r}, which is not known there")
    if required not in value:
        raise MalformedPolicy(f"{what} has no {required}")
    return value


def _time(value: object, name: str) -> int:
    time = _members(value, name, "AWS:EpochTime")["AWS:EpochTime"]
    if type(time) is not int or not 0 <= time <= _LAST_SECOND:
        raise MalformedPolicy(f"{name} is {time!r}, not a time in seconds")
    return time


def _network(value: object) -> _Network:
    source = _members(value, "IpAddress", "AWS:SourceIp")["AWS:SourceIp"]
    if isinstance(source, str):
        try:
            return ipaddress.ip_network(source, strict=False)
        except ValueError:
            pass
    raise MalformedPolicy(f"AWS:SourceIp is {source!r}, not an address or a range in CIDR form")


def _is_in(network: _Network, viewer_ip: str) -> bool:
    """Only IPv4 viewers are in anything (CDN-SGN-16)."""
    address = ipaddress.ip_address(viewer_ip)
    return address.version == 4 and address in network


def _covers(resource: str, url: SignedUrl) -> bool:
    sections = (url.scheme, url.host.lower(), url.path, url.query or "")
    return any(all(map(_matches, patterns, sections)) for patterns in _readings(resource))


def _matches(pattern: str, text: str) -> bool:
    return wildcard(pattern).fullmatch(text) is not None


def _readings(resource: str) -> Iterator[tuple[str, str, str, str]]:
    """Patterns of scheme, host, path and query (CDN-SGN-17 to CDN-SGN-20).

    Signers write the question mark before the query with a backslash and without one. Without,
    it may be the wildcard as well: both readings count.
    """
    found = _SCHEME.match(resource)
    if not found and not resource.startswith("*"):
        return  # It begins with no scheme, so it covers nothing.
    scheme, rest = (found[1], resource[found.end() :]) if found else ("*", resource)
    host, slash, rest = rest.partition("/")
    origin = scheme.lower(), host.lower()
    if not slash:
        yield *origin, *(("*", "*") if host.endswith("*") else ("/", ""))
        return
    path, mark, query = f"/{rest}".partition("\\?")
    if mark:
        yield *origin, path, query
        return
    yield *origin, path, "*" if path.endswith("*") else ""
    path, _, query = path.partition("?")
    if query:
        yield *origin, path, query
