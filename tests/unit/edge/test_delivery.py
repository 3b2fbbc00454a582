import pytest

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Miss
from edgeproxy.edge.delivery import shape
from edgeproxy.http.body import Body, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.cache.scenes import Edge, ManualBody, ScriptedOrigin, answer, read

NOW = 1_800_000_000.0


def missed(body: Body, *lines: tuple[str, str], status: int = 200) -> Obtained:
    return Obtained(Miss("not stored"), "Miss", Response(status, Headers(lines), body))


def test_a_miss_passes_as_it_is() -> None:
    obtained = missed(ManualBody(), ("ETag", '"1"'))
    conditions = Headers([("If-None-Match", '"1"'), ("Range", "bytes=0-0")])
    assert shape(Request("GET", "/a", headers=conditions), obtained, NOW) is obtained.response


@pytest.mark.rule("CDN-MTH-07")
async def test_a_stored_object_answers_head() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    await edge.get(origin)
    response = shape(Request("HEAD", "/a"), await edge.get(origin), NOW)
    assert (response.status, response.headers.get("Content-Length")) == (200, "5")
    assert await read(response.body) == b""


async def test_the_origins_own_answer_to_head_keeps_its_length() -> None:
    obtained = missed(BytesBody(b""), ("Content-Length", "5000"))
    assert shape(Request("HEAD", "/a"), obtained, NOW).headers.get("Content-Length") == "5000"


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_streamed_body_is_released_unread_for_head(delivered: bool) -> None:
    body = ManualBody()
    response = shape(Request("HEAD", "/a"), missed(body), NOW)
    assert response.body.length == 0
    if delivered:
        assert await read(response.body) == b""
    else:
        await response.body.close()
    assert body.closed


async def test_a_condition_on_another_method_is_not_looked_at() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=60", etag='"1"'))
    await edge.get(origin)
    request = Request("OPTIONS", "/a", headers=Headers([("If-None-Match", '"1"')]))
    assert shape(request, await edge.get(origin), NOW).status == 200


@pytest.mark.parametrize("status", [301, 404])
async def test_only_a_200_is_not_modified(status: int) -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(status, cache_control="max-age=60", etag='"1"'))
    await edge.get(origin)
    request = Request("GET", "/a", headers=Headers([("If-None-Match", '"1"')]))
    assert shape(request, await edge.get(origin), NOW).status == status


async def test_an_object_without_validators_is_modified_for_everybody_but_star() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    await edge.get(origin)
    for condition, status in (('"1"', 200), ("*", 304)):
        request = Request("GET", "/a", headers=Headers([("If-None-Match", condition)]))
        assert shape(request, await edge.get(origin), NOW).status == status
