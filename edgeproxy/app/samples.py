"""Made-up messages for a behavior: what a viewer may ask there, and what its origin may answer."""

from collections.abc import Iterator
from mimetypes import guess_type
from typing import Final

from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    Distribution,
    Origin,
    Selection,
    SelectionKind,
)
from edgeproxy.http.body import BytesBody
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer

__all__ = ["first_origin", "sample_path", "sample_request", "sample_response"]

_WORD: Final = "sample"
_VIEWER: Final = Viewer(
    "198.51.100.178",
    46532,
    "https",
    "US",
    tls_protocol="TLSv1.3",
    tls_cipher="TLS_AES_128_GCM_SHA256",
)
_USUAL: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
}
_SENT: Final = b'{"sample": true}'
_PAGE: Final = b"<!doctype html><title>Sample</title><p>A sample page.</p>"
_YEAR_S: Final = 365 * 24 * 3600.0


def sample_path(pattern: str) -> str:
    """A path that ``pattern`` matches: ``/api/sample`` for ``/api/*``."""
    path = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
    path = path.replace("?", "a")
    if path.startswith("*"):
        path = f"/{path}"
    return path.replace("/*", f"/{_WORD}").replace("*", "")


def sample_request(distribution: Distribution, behavior: Behavior) -> Request:
    """A viewer's request that the behavior takes, with a body where its functions may read one.

    Headers, cookies and query strings that its policies name are there, except Authorization.
    """
    host = next(
        (each for each in distribution.aliases if "*" not in each), distribution.domain_name
    )
    headers = Headers([("Host", host), *_USUAL.items()])
    for selection in _selections(behavior, "headers"):
        for name in selection.names:
            is_made = name.lower().startswith("cloudfront-") or name.lower() == "authorization"
            if name not in headers and not is_made:
                value = f"https://{host}" if name.lower() in ("origin", "referer") else _WORD
                headers = headers.with_added(name, value)
    if cookies := _named(behavior, "cookies"):
        headers = headers.with_added("Cookie", "; ".join(f"{each}={_WORD}" for each in cookies))
    query = "&".join(f"{each}={_WORD}" for each in _named(behavior, "query_strings")) or None
    path = sample_path(behavior.path_pattern)
    reads_body = any(each.include_body for each in behavior.functions)
    if not (reads_body and "POST" in behavior.allowed_methods):
        return Request("GET", path, query, "2.0", headers, viewer=_VIEWER)
    headers = headers.with_added("Content-Type", "application/json")
    headers = headers.with_added("Content-Length", str(len(_SENT)))
    return Request("POST", path, query, "2.0", headers, BytesBody(_SENT), _VIEWER)


def sample_response(origin: Origin, path: str, now: float) -> Response:
    """A page as the origin would send it at ``now``, in seconds since the epoch."""
    content_type = guess_type(path)[0] or "text/html"
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(_PAGE))),
        ("Date", format_date(now)),
        ("Last-Modified", format_date(now - _YEAR_S)),
        ("ETag", '"9d4bc2f8"'),
        ("Cache-Control", "max-age=60"),
        ("Server", "AmazonS3" if origin.is_s3 else "nginx"),
    ]
    return Response(200, Headers(headers), BytesBody(_PAGE), "OK")


def first_origin(distribution: Distribution, behavior: Behavior) -> Origin:
    """The behavior's origin, of an origin group the primary."""
    group = distribution.origin_groups.get(behavior.target_origin_id)
    return distribution.origins[group.primary if group else behavior.target_origin_id]


def _selections(behavior: Behavior, what: str) -> Iterator[Selection]:
    """The lists of names in the behavior's settings; ``what`` is a field of policies."""
    for settings in (behavior.cache, behavior.origin_request_policy):
        selection = getattr(settings, what, None)
        if isinstance(selection, Selection) and selection.kind is not SelectionKind.ALL_EXCEPT:
            yield selection
    if what == "query_strings" and not isinstance(behavior.cache, CachePolicy):
        yield Selection(SelectionKind.WHITELIST, behavior.cache.query_string_cache_keys)


def _named(behavior: Behavior, what: str) -> list[str]:
    names = [name for each in _selections(behavior, what) for name in each.names]
    return list(dict.fromkeys(name for name in names if "*" not in name and "?" not in name))
