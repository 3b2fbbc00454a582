"""A folder that answers like an S3 bucket behind its REST endpoint.

A key is the percent-decoded path; there are no index documents and no directory pages
(CDN-S3-01). Nothing outside the folder can be reached: a key with an empty, ``.`` or ``..``
part names no object, and neither does a link that leads out. Files are read in a thread, big ones
piece by piece, so memory stays flat and the event loop free.
"""

import asyncio
import base64
import hashlib
import mimetypes
import os
import re
import stat
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, unquote_to_bytes
from xml.sax.saxutils import escape

from cachetools import LRUCache

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.aws_names import bucket_of
from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.dates import format_date, parse_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["ERRORS", "FolderOrigin"]

_CHUNK_BYTES: Final = 2**18
"""Files up to this size are read whole."""

_REMEMBERED_DIGESTS: Final = 4096

_TYPES: Final = mimetypes.MimeTypes(filenames=())
"""Only Python's own table: what the machine has in /etc must not change an answer."""

for _suffix, _type in {
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _suffix)

_RESPONSE_PARAMETERS: Final = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

ERRORS: Final = {
    "AccessDenied": (403, "Access Denied"),
    "AccessForbidden": (403, "CORSResponse: CORS is not enabled for this bucket."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
}
"""Status and message of S3's errors by code."""

_REFUSED_METHODS: Final = {
    "DELETE": "AccessDenied",
    "OPTIONS": "AccessForbidden",
    "PUT": "AccessDenied",
}
"""What a bucket says that CloudFront may only read and that has no CORS rules."""


@dataclass(slots=True)
class _Object:
    """An open file and what S3 would know about it.

    ``etag`` is the MD5 of the content in quotes, as S3 makes it for a simple upload; ``data`` the
    content of a small file.
    """

    file: BufferedReader
    size: int
    modified_s: int
    etag: str
    data: bytes | None


class FolderOrigin:
    """A :data:`Handler` over a folder.

    A missing key is 403 ``AccessDenied``, as for a caller that may not list the bucket; with
    ``is_listable`` it is 404 ``NoSuchKey`` (CDN-S3-02, CDN-S3-17).
    """

    def __init__(
        self, folder: Path, clock: Clock, chance: Chance, *, is_listable: bool = False
    ) -> None:
        self._folder = folder.resolve()
        self._clock = clock
        self._chance = chance
        self._is_listable = is_listable
        self._lock = threading.Lock()
        self._digests: LRUCache[tuple[Path, int, int], str] = LRUCache(_REMEMBERED_DIGESTS)

    async def __call__(self, request: Request, *, bucket: str = "") -> Response:
        """The answer of S3, which finds ``bucket``, where one is given, by its name in Host."""
        if bucket and not _is_for(bucket, request.host):
            why = f"no bucket has the name in Host, {request.host} (send {bucket} there)"
            return self._error("NoSuchBucket", request, why)
        if request.method not in ("GET", "HEAD"):
            code = _REFUSED_METHODS.get(request.method, "MethodNotAllowed")
            response = self._error(code, request, "a folder takes GET and HEAD only")
            is_unknown = code == "MethodNotAllowed"
            return _with_headers(response, ("Allow", "GET, HEAD")) if is_unknown else response
        found = await asyncio.to_thread(self._open, request.path)
        if isinstance(found, str):
            return self._error("NoSuchKey" if self._is_listable else "AccessDenied", request, found)
        response = self._answer(request, found)
        if not isinstance(response.body, StreamBody):
            found.file.close()
        return response

    def _open(self, raw_path: str) -> _Object | str:
        """The object of a raw path, or why the folder has none."""
        key = unquote_to_bytes(raw_path.encode("utf-8", "surrogateescape")).removeprefix(b"/")
        name = os.fsdecode(key)
        parts = name.split("/")
        if not parts[-1]:
            return f"S3 has no index document for /{name}"
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            return f"no file can be called {name}"
        try:
            path = self._folder.joinpath(*parts).resolve(strict=True)
            if not path.is_relative_to(self._folder):
                return f"the link {name} leads outside {self._folder}"
            if path.is_dir():
                return f"{name} is a folder, and S3 has none"
            if not path.is_file():
                return f"{name} is no regular file"
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return f"no file {name} in {self._folder}"
        except (OSError, RuntimeError) as error:  # no right to read it, a loop of links
            return f"{name} cannot be read: {error}"
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            file.close()
            return f"{name} is no regular file"
        if status.st_size <= _CHUNK_BYTES:
            data = file.read(status.st_size)
            etag, size = _md5(data).hexdigest(), len(data)
        else:
            data = None
            etag, size = self._digest_of_big(path, status, file), status.st_size
        return _Object(file, size, int(status.st_mtime), f'"{etag}"', data)

    def _digest_of_big(self, path: Path, status: os.stat_result, file: BufferedReader) -> str:
        version = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            digest = self._digests.get(version)
        if digest is None:
            digest = hashlib.file_digest(file, _md5).hexdigest()
            with self._lock:
                self._digests[version] = digest
        return digest

    def _answer(self, request: Request, found: _Object) -> Response:
        headers = self._common_headers()
        headers += [
            ("Last-Modified", format_date(found.modified_s)),
            ("ETag", found.etag),
            ("Accept-Ranges", "bytes"),
        ]
        verdict = _judge_conditions(request.headers, found)
        if verdict == 304:
            return Response(304, Headers(headers))
        if verdict == 412:
            return self._error("PreconditionFailed", request)
        wanted = _parse_range(request.headers, found)
        if wanted is not None and wanted.start >= wanted.stop:
            response = self._error("InvalidRange", request)
            return _with_headers(response, ("Content-Range", f"bytes */{found.size}"))
        part = wanted or range(found.size)
        if wanted is not None:
            headers.append(("Content-Range", f"bytes {part.start}-{part.stop - 1}/{found.size}"))
        headers.append(("Content-Type", _content_type(request.path)))
        headers.append(("Content-Length", str(len(part))))
        response = Response(200 if wanted is None else 206, Headers(headers))
        response = _with_headers(response, *_overrides(request.query))
        if request.method == "HEAD":
            return response
        if found.data is not None:
            body = BytesBody(found.data[part.start : part.stop])
            return Response(response.status, response.headers, body)
        return Response(
            response.status, response.headers, StreamBody(_FilePart(found.file, part), len(part))
        )

    def _common_headers(self) -> list[tuple[str, str]]:
        return [
            ("x-amz-id-2", base64.b64encode(bytes.fromhex(self._chance.hex(112))).decode("ascii")),
            ("x-amz-request-id", self._chance.hex(16).upper()),
            ("Date", format_date(self._clock.now())),
            ("Server", "AmazonS3"),
        ]

    def _error(self, code: str, request: Request, why: str = "") -> Response:
        """S3's XML error document; without its body for HEAD."""
        status, message = ERRORS[code]
        why = f"{why or message}: S3 answers {status}"
        headers = self._common_headers()
        (_, host_id), (_, request_id), *_ = headers
        about = {
            "NoSuchKey": f"<Key>{escape(_printable_key(request.path))}</Key>",
            "NoSuchBucket": f"<BucketName>{escape(request.host)}</BucketName>",
            "MethodNotAllowed": f"<Method>{escape(request.method)}</Method>",
        }.get(code, "")
        document = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{message}</Message>{about}"
            f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
        ).encode()
        headers.append(("Content-Type", "application/xml"))
        if request.method == "HEAD":
            return Response(status, Headers(headers), why=why)
        headers.append(("Content-Length", str(len(document))))
        return Response(status, Headers(headers), BytesBody(document), why=why)


class _FilePart:
    """Part of an open file, read in a thread piece by piece; closes the file at the end."""

    def __init__(self, file: BufferedReader, part: range) -> None:
        self._file = file
        self._part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            position = self._part.start
            while position < self._part.stop:
                size = min(_CHUNK_BYTES, self._part.stop - position)
                chunk = await asyncio.to_thread(self._read, position, size)
                if not chunk:
                    raise EOFError("the file became shorter while it was being sent")
                position += len(chunk)
                yield chunk
        finally:
            await self.aclose()

    def _read(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)

    async def aclose(self) -> None:
        self._file.close()


def _md5(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)


def _with_headers(response: Response, *lines: tuple[str, str]) -> Response:
    headers = response.headers
    for name, value in lines:
        headers = headers.with_set(name, value)
    return replace(response, headers=headers)


def _is_for(bucket: str, host: str) -> bool:
    """LE-ORG-16, whichever of S3's endpoints either is spelled with."""
    return (bucket_of(host) or host.lower()) == (bucket_of(bucket) or bucket.lower())


def _printable_key(path: str) -> str:
    return _CONTROL.sub("\ufffd", unquote(path.removeprefix("/"), errors="replace"))


def _content_type(path: str) -> str:
    """By extension, without a charset; S3's own default for what nobody knows."""
    suffix = PurePosixPath(unquote(path)).suffix.lower()
    return _TYPES.types_map[1].get(suffix, "binary/octet-stream")


def _overrides(query: str | None) -> list[tuple[str, str]]:
    """What S3's read parameters put into the answer (CDN-S3-06)."""
    found = []
    for pair in (query or "").split("&"):
        name, _, value = pair.partition("=")
        header = _RESPONSE_PARAMETERS.get(name)
        text = unquote(value)
        if header and text and not _CONTROL.search(text):
            found.append((header, text))
    return found


def _judge_conditions(headers: Headers, found: _Object) -> int:
    """200, 304 or 412 by RFC 9110, 13.2.2."""
    if (tags := headers.joined("If-Match")) is not None:
        if not _names(tags, found.etag):
            return 412
    elif _is_true(headers, "If-Unmodified-Since", lambda since: found.modified_s > since):
        return 412
    if (tags := headers.joined("If-None-Match")) is not None:
        return 304 if _names(tags, found.etag) else 200
    if _is_true(headers, "If-Modified-Since", lambda since: found.modified_s <= since):
        return 304
    return 200


def _names(tags: str, etag: str) -> bool:
    """Whether a list of entity tags names ``etag``; S3's are strong and hold no comma."""
    listed = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    return "*" in listed or etag in listed or etag.strip('"') in listed


def _is_true(headers: Headers, name: str, test: Callable[[float], bool]) -> bool:
    date = parse_date(headers.get(name)) if name in headers else None
    return date is not None and test(date)


def _parse_range(headers: Headers, found: _Object) -> range | None:
    """The one range that was asked for; None sends everything, an empty one is beyond the end.

    S3 gives no several ranges at once, and ignores what it cannot read.
    """
    match = _RANGE.fullmatch(headers.get("Range").strip())
    if match is None or not _if_range_holds(headers, found):
        return None
    first, last = match[1], match[2]
    if not first:
        if not last:
            return None
        return range(max(0, found.size - int(last)), found.size if int(last) else 0)
    if last and int(last) < int(first):
        return None
    stop = min(found.size, int(last) + 1) if last else found.size
    return range(int(first), stop)


def _if_range_holds(headers: Headers, found: _Object) -> bool:
    condition = headers.get("If-Range").strip()
    if not condition or condition == found.etag:
        return True
    return parse_date(condition) == found.modified_s
