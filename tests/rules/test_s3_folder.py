"""A folder answers like a bucket's REST endpoint (CDN-S3)."""

import hashlib
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.http.body import StreamBody, read_at_most
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.files import FolderOrigin

CONTENT = b"0123456789"
MODIFIED = 1_790_000_000
DATE = format_date(MODIFIED)
ETAG = f'"{hashlib.md5(CONTENT).hexdigest()}"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "dir").mkdir(parents=True)
    (site / "index.html").write_bytes(b"<p>home</p>")
    (site / "dir" / "index.html").write_bytes(b"<p>dir</p>")
    (site / "ten.txt").write_bytes(CONTENT)
    os.utime(site / "ten.txt", (MODIFIED, MODIFIED))
    (site / "a b+c%é.txt").write_bytes(b"odd")
    (site / "empty").write_bytes(b"")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return site


def bucket(folder: Path, **options: bool) -> FolderOrigin:
    return FolderOrigin(folder, Clock(), Chance(7), **options)


async def ask(
    folder: Path, path: str, method: str = "GET", query: str | None = None, **headers: str
) -> Response:
    lines = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return await bucket(folder)(Request(method, path, query, headers=lines))


async def content(response: Response) -> bytes:
    return await read_at_most(response.body, 2**30)


@pytest.mark.rule("CDN-S3-07", "CDN-S3-08")
async def test_an_object_comes_with_s3s_headers(folder: Path) -> None:
    response = await ask(folder, "/ten.txt")
    assert (response.status, await content(response)) == (200, CONTENT)
    headers = dict(response.headers)
    assert len(headers.pop("x-amz-id-2")) == 76
    assert len(headers.pop("x-amz-request-id")) == 16
    assert headers.pop("Date").endswith(" GMT")
    assert headers == {
        "Last-Modified": DATE,
        "ETag": ETAG,
        "Accept-Ranges": "bytes",
        "Content-Type": "text/plain",
        "Content-Length": "10",
        "Server": "AmazonS3",
    }


async def test_head_has_the_same_headers_and_no_body(folder: Path) -> None:
    response = await ask(folder, "/ten.txt", "HEAD")
    assert (response.status, await content(response)) == (200, b"")
    assert response.headers.get("Content-Length") == "10"
    assert response.headers.get("ETag") == ETAG


@pytest.mark.parametrize("path", ["/", "/dir", "/dir/", "//ten.txt", "/ten.txt/", "/nothing"])
@pytest.mark.rule("CDN-S3-01", "CDN-S3-02")
async def test_there_are_no_index_documents_and_no_directory_pages(folder: Path, path: str) -> None:
    assert (await ask(folder, path)).status == 403


@pytest.mark.rule("CDN-S3-02", "CDN-S3-17")
async def test_a_missing_key_is_403_access_denied_by_default(folder: Path) -> None:
    response = await ask(folder, "/nothing")
    assert response.status == 403
    assert response.headers.get("Content-Type") == "application/xml"
    error = ET.fromstring(await content(response))
    assert (error.tag, error.findtext("Code")) == ("Error", "AccessDenied")
    assert error.findtext("Message") == "Access Denied"
    assert error.findtext("RequestId") == response.headers.get("x-amz-request-id")
    assert error.findtext("HostId") == response.headers.get("x-amz-id-2")


@pytest.mark.rule("CDN-S3-02", "CDN-S3-17")
async def test_a_missing_key_is_404_when_the_bucket_may_be_listed(folder: Path) -> None:
    response = await bucket(folder, is_listable=True)(Request("GET", "/no%3Cthing%00"))
    error = ET.fromstring(await content(response))
    assert (response.status, error.findtext("Code")) == (404, "NoSuchKey")
    assert error.findtext("Key") == "no<thing\ufffd"


async def test_an_error_to_head_has_no_body(folder: Path) -> None:
    response = await ask(folder, "/nothing", "HEAD")
    assert (response.status, await content(response)) == (403, b"")


@pytest.mark.parametrize(
    ("method", "code"),
    [("PUT", "AccessDenied"), ("DELETE", "AccessDenied"), ("OPTIONS", "AccessForbidden")],
)
async def test_a_bucket_that_may_only_be_read_refuses_the_rest(
    folder: Path, method: str, code: str
) -> None:
    response = await ask(folder, "/ten.txt", method)
    assert (response.status, "Allow" in response.headers) == (403, False)
    assert ET.fromstring(await content(response)).findtext("Code") == code


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_other_methods_are_405(folder: Path, method: str) -> None:
    response = await ask(folder, "/ten.txt", method)
    assert (response.status, response.headers.get("Allow")) == (405, "GET, HEAD")
    error = ET.fromstring(await content(response))
    assert (error.findtext("Code"), error.findtext("Method")) == ("MethodNotAllowed", method)


@pytest.mark.parametrize("path", ["/a%20b+c%25%C3%A9.txt", "/a%20b%2Bc%25é.txt"])
async def test_the_key_is_the_decoded_path(folder: Path, path: str) -> None:
    assert await content(await ask(folder, path)) == b"odd"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/dir/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/.%2E/secret.txt",
        "/..%2fsecret.txt",
        "/dir/..%2f..%2fsecret.txt",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/ten.txt%00",
        "/ten.txt%00.html",
        "/./ten.txt",
        "/dir/../ten.txt",
        "/" + "a" * 5000,
        "/" + "a/" * 5000,
        "/link.txt",
        "/linked/secret.txt",
        "/loop",
        "/pipe",
    ],
)
async def test_nothing_outside_the_folder_can_be_reached(folder: Path, path: str) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    response = await ask(folder, path)
    assert response.status == 403
    assert b"secret" not in await content(response)


async def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder / "ten.txt")
    assert await content(await ask(folder, "/link.txt")) == CONTENT


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html"),
        ("a.CSS", "text/css"),
        ("a.js", "text/javascript"),
        ("a.mjs", "text/javascript"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("a.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.unknown", "binary/octet-stream"),
        ("plain", "binary/octet-stream"),
    ],
)
async def test_the_content_type_follows_the_extension(
    folder: Path, name: str, content_type: str
) -> None:
    (folder / name).write_bytes(b"x")
    assert (await ask(folder, f"/{name}")).headers.get("Content-Type") == content_type


LATER, EARLIER = format_date(MODIFIED + 1), format_date(MODIFIED - 1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_None_Match": ETAG}, 304),
        ({"If_None_Match": f'"other", W/{ETAG}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": LATER}, 200),
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": LATER}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_Match": ETAG}, 200),
        ({"If_Match": '"other"'}, 412),
        ({"If_Unmodified_Since": DATE}, 200),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Match": ETAG, "If_Unmodified_Since": EARLIER}, 200),
    ],
)
async def test_conditional_requests(folder: Path, headers: dict[str, str], status: int) -> None:
    response = await ask(folder, "/ten.txt", **headers)
    assert response.status == status
    if status == 304:
        assert await content(response) == b""
        assert response.headers.get("ETag") == ETAG
        assert response.headers.get("Last-Modified") == DATE


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, CONTENT, "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=3-1", 200, CONTENT, ""),
        ("bytes=0-1,3-4", 200, CONTENT, ""),
        ("bytes=-", 200, CONTENT, ""),
        ("bytes=" + "9" * 5000 + "-", 200, CONTENT, ""),
        ("lines=0-1", 200, CONTENT, ""),
    ],
)
async def test_one_range(
    folder: Path, asked: str, status: int, part: bytes | None, content_range: str
) -> None:
    response = await ask(folder, "/ten.txt", Range=asked)
    assert response.status == status
    assert response.headers.get("Content-Range") == content_range
    if part is None:
        assert ET.fromstring(await content(response)).findtext("Code") == "InvalidRange"
    else:
        assert await content(response) == part
        assert response.headers.get("Content-Length") == str(len(part))


@pytest.mark.parametrize(
    ("condition", "status"), [(ETAG, 206), (DATE, 206), ('"other"', 200), (EARLIER, 200)]
)
async def test_if_range(folder: Path, condition: str, status: int) -> None:
    response = await ask(folder, "/ten.txt", Range="bytes=0-0", If_Range=condition)
    assert response.status == status


@pytest.mark.rule("CDN-S3-06")
async def test_read_parameters_change_the_answers_headers(folder: Path) -> None:
    query = (
        "response-content-type=text%2Fx&response-cache-control=no-store&x=1&response-expires=%0A"
    )
    response = await ask(folder, "/ten.txt", query=query)
    assert response.headers.get_all("Content-Type") == ["text/x"]
    assert response.headers.get("Cache-Control") == "no-store"
    assert "Expires" not in response.headers


async def test_an_empty_object(folder: Path) -> None:
    response = await ask(folder, "/empty")
    assert (response.status, await content(response)) == (200, b"")
    assert response.headers.get("Content-Length") == "0"


async def test_a_changed_file_is_a_new_version(folder: Path) -> None:
    origin = bucket(folder)
    before = await origin(Request("GET", "/ten.txt"))
    (folder / "ten.txt").write_bytes(b"9876543210")
    os.utime(folder / "ten.txt", (MODIFIED, MODIFIED))
    after = await origin(Request("GET", "/ten.txt"))
    assert await content(after) == b"9876543210"
    assert before.headers.get("ETag") != after.headers.get("ETag")


async def test_a_big_file_is_read_piece_by_piece(folder: Path) -> None:
    data = os.urandom(1_000_003)
    (folder / "big.bin").write_bytes(data)
    origin = bucket(folder)
    for _ in range(2):
        response = await origin(Request("GET", "/big.bin"))
        assert isinstance(response.body, StreamBody)
        assert response.headers.get("ETag") == f'"{hashlib.md5(data).hexdigest()}"'
        chunks = [chunk async for chunk in response.body]
        assert b"".join(chunks) == data
        assert max(map(len, chunks)) <= 2**18
    part = await origin(Request("GET", "/big.bin", headers=Headers([("Range", "bytes=5-900000")])))
    assert part.body.length == 899_996
    assert await content(part) == data[5:900_001]


async def test_a_big_file_that_shrinks_breaks_the_body_off(folder: Path) -> None:
    big = folder / "big.bin"
    big.write_bytes(bytes(1_000_000))
    response = await ask(folder, "/big.bin")
    os.truncate(big, 1000)
    with pytest.raises(EOFError, match="shorter"):
        await content(response)


async def test_closing_an_unread_body_closes_the_file(folder: Path) -> None:
    (folder / "big.bin").write_bytes(bytes(1_000_000))
    response = await ask(folder, "/big.bin")
    await response.body.close()  # an open file would be a ResourceWarning, hence an error


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/nothing", "no file nothing in {}"),
        ("/ten.txt/x", "no file ten.txt/x in {}"),
        ("/", "S3 has no index document for /"),
        ("/dir/", "S3 has no index document for /dir/"),
        ("/dir", "dir is a folder, and S3 has none"),
        ("/dir/../ten.txt", "no file can be called dir/../ten.txt"),
        ("/out", "the link out leads outside {}"),
        ("/loop", "loop cannot be read"),
    ],
)
async def test_the_record_gets_the_reason_and_the_viewer_does_not(
    folder: Path, path: str, why: str
) -> None:
    (folder / "out").symlink_to(folder.parent / "secret.txt")
    (folder / "loop").symlink_to("loop")
    response = await ask(folder, path)
    assert response.why.startswith(why.format(folder))
    assert response.why.endswith(": S3 answers 403")
    assert why.encode() not in await content(response)
    assert (await ask(folder, "/ten.txt")).why == ""
