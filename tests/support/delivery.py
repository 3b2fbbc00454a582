"""Distributions for tests of delivery, and an origin that misbehaves.

A template is long and a test is short: ``definition`` writes the one from the words of the other.
A selection of headers, cookies or query strings is its kind and the names: ``"whitelist a b"``.
"""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from edgeproxy.testing import Site

__all__ = [
    "ALL_METHODS",
    "ALL_VIEWER",
    "CACHING_DISABLED",
    "CACHING_OPTIMIZED",
    "CORS",
    "ORIGIN_CONTROLS",
    "RawOrigin",
    "cache_policy",
    "definition",
    "error_page",
    "legacy",
    "origin_request_policy",
    "raw",
    "response_headers_policy",
    "running_raw_origin",
]

Properties: TypeAlias = dict[str, Any]

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ORIGIN_CONTROLS = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
"""UseOriginCacheControlHeaders-QueryStrings: forwards all cookies."""
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
CORS = "60669652-455b-4ae9-85a4-c4c02393f86c"
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]

_POLICIES = {
    "cache": "CachePolicyId",
    "forward": "OriginRequestPolicyId",
    "respond": "ResponseHeadersPolicyId",
}


def cache_policy(
    min_ttl: int = 0,
    default_ttl: int = 86_400,
    max_ttl: int = 31_536_000,
    *,
    headers: str = "none",
    cookies: str = "none",
    query: str = "none",
    gzip: bool = False,
    brotli: bool = False,
) -> Properties:
    """A cache policy as a resource."""
    parameters = {
        **_selection("Header", headers),
        **_selection("Cookie", cookies),
        **_selection("QueryString", query),
        "EnableAcceptEncodingGzip": gzip,
        "EnableAcceptEncodingBrotli": brotli,
    }
    config = {
        "Name": "cache",
        "MinTTL": min_ttl,
        "DefaultTTL": default_ttl,
        "MaxTTL": max_ttl,
        "ParametersInCacheKeyAndForwardedToOrigin": parameters,
    }
    return {"Type": "AWS::CloudFront::CachePolicy", "Properties": {"CachePolicyConfig": config}}


def origin_request_policy(
    headers: str = "none", cookies: str = "none", query: str = "none"
) -> Properties:
    """An origin request policy as a resource."""
    config = {
        "Name": "forward",
        **_selection("Header", headers),
        **_selection("Cookie", cookies),
        **_selection("QueryString", query),
    }
    return {
        "Type": "AWS::CloudFront::OriginRequestPolicy",
        "Properties": {"OriginRequestPolicyConfig": config},
    }


def response_headers_policy(**config: Any) -> Properties:
    """A response headers policy as a resource."""
    return {
        "Type": "AWS::CloudFront::ResponseHeadersPolicy",
        "Properties": {"ResponseHeadersPolicyConfig": {"Name": "respond", **config}},
    }


def legacy(
    headers: list[str] | None = None,
    *,
    cookies: Properties | None = None,
    query: bool = False,
    query_keys: list[str] | None = None,
    **ttls: int,
) -> Properties:
    """The properties of a behavior with ``ForwardedValues``; ``ttls`` as in the template."""
    values: Properties = {
        "QueryString": query,
        "Cookies": cookies or {"Forward": "none"},
        "Headers": headers or [],
    }
    if query_keys:
        values["QueryStringCacheKeys"] = query_keys
    return {"ForwardedValues": values, **ttls}


def error_page(code: int, path: str = "", shown: int = 0, ttl: int | None = None) -> Properties:
    """One of ``CustomErrorResponses``."""
    entry: Properties = {"ErrorCode": code}
    if path:
        entry |= {"ResponsePagePath": path, "ResponseCode": shown or code}
    if ttl is not None:
        entry["ErrorCachingMinTTL"] = ttl
    return entry


def definition(
    behavior: Properties | None = None,
    behaviors: Mapping[str, Properties] | None = None,
    *,
    origin: Properties | None = None,
    origins: list[Properties] | None = None,
    **config: Any,
) -> Properties:
    """A template with the distribution ``Site`` in front of the custom origin ``web``.

    ``behaviors`` maps path patterns to behaviors. In a behavior ``cache``, ``forward`` and
    ``respond`` name a policy by its ID or are one; what is not said is CachingOptimized and all
    methods. ``origin`` adds to the origin, ``origins`` are further ones, ``config`` further parts
    of the distribution.
    """
    resources: Properties = {}
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        **(origin or {}),
    }
    cache_behaviors = [
        {"PathPattern": pattern, **_behavior(f"At{index}", properties, resources)}
        for index, (pattern, properties) in enumerate((behaviors or {}).items())
    ]
    distribution: Properties = {
        "Enabled": True,
        "Origins": [web, *(origins or [])],
        "DefaultCacheBehavior": _behavior("Default", behavior or {}, resources),
        **config,
    }
    if cache_behaviors:
        distribution["CacheBehaviors"] = cache_behaviors
    resources["Site"] = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": distribution},
    }
    return {"Resources": resources}


def _behavior(name: str, properties: Properties, resources: Properties) -> Properties:
    behavior: Properties = {
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": "allow-all",
        "AllowedMethods": ALL_METHODS,
    }
    if "ForwardedValues" not in properties:
        properties = {"cache": CACHING_OPTIMIZED, **properties}
    for key, value in properties.items():
        if key not in _POLICIES:
            behavior[key] = value
        elif isinstance(value, str):
            behavior[_POLICIES[key]] = value
        else:
            resource = f"{name}{key.capitalize()}"
            resources[resource] = _named(value, resource)
            behavior[_POLICIES[key]] = {"Ref": resource}
    return behavior


def _named(policy: Properties, name: str) -> Properties:
    """The policy under a name of its own, as in an account."""
    ((part, config),) = policy["Properties"].items()
    return {**policy, "Properties": {part: {**config, "Name": name}}}


def _selection(what: str, words: str) -> Properties:
    kind, *names = words.split()
    plural = {"QueryString": "QueryStrings"}.get(what, f"{what}s")
    config: Properties = {f"{what}Behavior": kind}
    if names:
        config[plural] = names
    return {f"{plural}Config": config}


def raw(site: Site, data: bytes, *, leaves: bool = False) -> bytes:
    """What comes back for these bytes, which need not be a request.

    Our half stays open until the answer is whole or the other side ends; an edge that sees it
    closed takes the viewer for gone. Bytes that nobody would answer need ``leaves``: our half is
    closed right after them.
    """
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(data)
        received = b""
        while not (leaves or _is_whole(received)) and (more := connection.recv(65_536)):
            received += more
        with suppress(OSError):  # the other side may be gone already
            connection.shutdown(socket.SHUT_WR)
        return received + b"".join(iter(lambda: connection.recv(65_536), b""))


def _is_whole(received: bytes) -> bool:
    """Whether an answer has come to the end that its framing tells of."""
    head, _, body = received.partition(b"\r\n\r\n")
    if length := re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE):
        return len(received) >= len(head) + 4 + int(length[1])
    return b"\r\ntransfer-encoding: chunked" in head.lower() and body.endswith(b"0\r\n\r\n")


class RawOrigin:
    """Answers every connection with the same bytes and closes it; notes the heads it got."""

    def __init__(self) -> None:
        self.says = b""
        self.connections = 0
        self.heads: list[bytes] = []
        self.url = ""
        self.keep_quiet = threading.Event()
        """When set, nothing is said and the connection stays open until the origin ends."""


@contextmanager
def running_raw_origin() -> Iterator[RawOrigin]:
    """A :class:`RawOrigin` on a free port of 127.0.0.1."""
    origin = RawOrigin()
    ended = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            origin.connections += 1
            with suppress(ConnectionError):
                is_tls = self.rfile.peek(1)[:1] == b"\x16"
                head = b""
                while not is_tls and (line := self.rfile.readline()).strip():
                    head += line
                origin.heads.append(head)
                if origin.keep_quiet.is_set():
                    ended.wait()
                self.wfile.write(origin.says)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        origin.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield origin
        finally:
            ended.set()
            server.shutdown()
            thread.join()
