import pytest

from edgeproxy.distribution.model import Origin, S3Origin
from edgeproxy.http.body import read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.destinations import Destinations
from tests.unit.origins.raw_origin import (
    OK,
    client,
    custom_origin,
    raw_origin,
    says,
)

HOST = Headers([("Host", "www.example.com")])


async def fetched(response: Response) -> bytes:
    return await read_at_most(response.body, 2**24)


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/", None, b"/"),
        ("/", "", b"/?"),
        ("//a/../b/./c", None, b"//a/../b/./c"),
        ("/%2f%2F%zz%", "a=%2&b=%C3%A9&b", b"/%2f%2F%zz%?a=%2&b=%C3%A9&b"),
        ('/a;b=1,2|{}"<>^`\\', "x=[1]&y={}&&?=", b'/a;b=1,2|{}"<>^`\\?x=[1]&y={}&&?='),
        ("/é/日本", "q=ü", "/é/日本?q=ü".encode()),
        ("/\udcff\udc80", "\udcfe", b"/\xff\x80?\xfe"),
        ("/a#b", "c#d", b"/a#b?c#d"),
        ("/a+b", "c+d=e f".replace(" ", "+"), b"/a+b?c+d=e+f"),
    ],
)
async def test_the_target_goes_out_as_it_came_in(
    path: str, query: str | None, target: bytes
) -> None:
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        await sender.fetch(Request("GET", path, query, headers=HOST), custom_origin())
    assert origin.requests[0].split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


async def test_header_lines_go_out_in_order_with_case_and_duplicates_and_nothing_else() -> None:
    headers = Headers(
        [
            ("Host", "www.example.com"),
            ("x-LOWER", "1"),
            ("X-Twice", "a"),
            ("X-Twice", "b"),
            ("X-Bytes", "\udcff é"),
            ("X-Empty", ""),
        ]
    )
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        await sender.fetch(Request("GET", "/", headers=headers), custom_origin())
    assert origin.requests[0] == (
        b"GET / HTTP/1.1\r\nHost: www.example.com\r\nx-LOWER: 1\r\nX-Twice: a\r\nX-Twice: b\r\n"
        b"X-Bytes: \xff " + "é".encode() + b"\r\nX-Empty: \r\nConnection: Keep-Alive\r\n\r\n"
    )


async def test_a_local_destination_gets_the_request_with_origin_path_and_custom_headers() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(204)

    origin = custom_origin(origin_path="/prod", custom_headers=Headers([("X-Key", "1")]))
    async with client(handlers={"WWW.example.com": handler}) as sender:
        response = await sender.fetch(Request("GET", "/a", headers=HOST), origin)
    assert response.status == 204
    assert seen[0].path == "/prod/a"
    assert seen[0].headers.get("X-Key") == "1"


async def test_a_folder_answers_below_the_origin_path(tmp_path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "a.txt").write_text("hello")
    origin = Origin("files", "b.s3.amazonaws.com", S3Origin(), origin_path="/v1")
    async with client({"files": str(tmp_path)}) as sender:
        response = await sender.fetch(Request("GET", "/a.txt"), origin)
    assert await fetched(response) == b"hello"


async def test_replaced_destinations_hold_for_the_next_request() -> None:
    async with raw_origin(says(OK)) as origin, client() as sender:
        sender.destinations = Destinations({"web": origin.url}, handlers={})
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        assert await fetched(response) == b"ok"


@pytest.mark.parametrize("name", ["host", "HOST"])
async def test_the_host_line_is_spelled_as_ever(name: str) -> None:
    request = Request("GET", "/", headers=Headers([("a", "b"), (name, "www.example.com")]))
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        assert await fetched(await sender.fetch(request, custom_origin())) == b"ok"
    assert origin.requests[0].startswith(b"GET / HTTP/1.1\r\na: b\r\nHost: www.example.com\r\n")
