"""A folder in place of a bucket's website endpoint."""

from pathlib import Path

import pytest

from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.http.body import read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.origins.raw_origin import client

SITE = Origin("web", "site.s3-website.eu-west-1.amazonaws.com", CustomOrigin())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "docs" / "index.html").write_text("docs")
    (tmp_path / "a.txt").write_text("text")
    return tmp_path


async def ask(folder: Path, path: str, method: str = "GET", **headers: str) -> tuple[Response, str]:
    async with client({"web": str(folder)}) as sender:
        request = Request(method, path, "x=1", headers=Headers(list(headers.items())))
        response = await sender.fetch(request, SITE)
        return response, (await read_at_most(response.body, 10_000)).decode()


@pytest.mark.parametrize(
    ("path", "content"), [("/", "home"), ("/docs/", "docs"), ("/a.txt", "text")]
)
@pytest.mark.rule("CDN-S3-03")
async def test_a_slash_at_the_end_is_the_index_document(
    folder: Path, path: str, content: str
) -> None:
    response, text = await ask(folder, path)
    assert (response.status, text) == (200, content)


@pytest.mark.rule("CDN-S3-03")
async def test_a_folder_with_an_index_document_redirects(folder: Path) -> None:
    response, _ = await ask(folder, "/docs")
    assert (response.status, response.headers.get("Location")) == (302, "/docs/")
    assert (await ask(folder, "/empty"))[0].status == 403


@pytest.mark.rule("CDN-S3-03")
async def test_errors_are_pages_and_the_site_s_own_if_it_has_one(folder: Path) -> None:
    response, text = await ask(folder, "/missing")
    assert (response.status, response.headers.get("x-amz-error-code")) == (403, "AccessDenied")
    assert response.headers.get("Content-Type") == "text/html; charset=utf-8"
    assert "<h1>403 Forbidden</h1>" in text
    assert response.headers.get("x-amz-request-id")
    (folder / "error.html").write_text("own")
    response, text = await ask(folder, "/missing")
    assert (response.status, text, response.headers.get("Content-Type")) == (
        403,
        "own",
        "text/html",
    )
    assert "no file missing" in response.why


async def test_head_conditions_and_other_methods(folder: Path) -> None:
    response, text = await ask(folder, "/missing", "HEAD")
    assert (response.status, text) == (403, "")
    assert (await ask(folder, "/a.txt", **{"If-None-Match": "*"}))[0].status == 304
    assert (await ask(folder, "/docs", "PUT"))[0].status == 405
    assert (await ask(folder, "/a.txt", Range="bytes=9-"))[0].status == 416
    assert (await ask(folder, "/../a.txt"))[0].status == 403
