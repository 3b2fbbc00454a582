import asyncio
import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeproxy.cache.cache import Cache, Obtained
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.parts import Part, Table
from edgeproxy.edge.delivery import shape
from edgeproxy.http.body import Body, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.ranges import ByteRange
from tests.unit.cache.scenes import FLEXIBLE, Edge, answer, key, read, stream

SIZE = 60


@dataclass
class Live:
    """An object at an origin that knows ranges and conditions; each byte is its version."""

    version: int = 1
    etag: str = '"{}"'
    ignores_if_range: bool = False
    streams: bool = False

    async def __call__(self, asked: Headers) -> Fetched:
        etag, data = self.etag.format(self.version), bytes([self.version]) * SIZE
        headers = {"etag": etag, "cache_control": "max-age=30"}
        if etag and asked.get("If-None-Match") == etag:
            return answer(304, b"", **headers)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.get("Range"))
        version = asked.get("If-Range")
        if span is None or (version not in ("", etag) and not self.ignores_if_range):
            return answer(200, self._body(data), **headers)
        first, last = int(span[1]), min(int(span[2]), SIZE - 1)
        content_range = f"bytes {first}-{last}/{SIZE}"
        return answer(
            206, self._body(data[first : last + 1]), content_range=content_range, **headers
        )

    def _body(self, data: bytes) -> bytes | Body:
        if not self.streams:
            return data
        return stream([data[index : index + 7] for index in range(0, len(data), 7)], len(data))


async def ask(edge: Edge, live: Live, span: tuple[int, int] | None) -> tuple[Response, Obtained]:
    lines = [] if span is None else [("Range", f"bytes={span[0]}-{span[1]}")]
    request = Request("GET", "/a", headers=Headers(lines))

    async def fill(conditions: Headers | None) -> Fetched:
        return await live(request.headers if conditions is None else conditions)

    obtained = await edge.cache.obtain(key(), FLEXIBLE, fill, asked=request.headers)
    response = shape(request, obtained, edge.clock.now())
    body = BytesBody(await read(response.body))
    await edge.landed()
    return Response(response.status, response.headers, body), obtained


spans = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
steps = st.one_of(
    st.tuples(st.just("ask"), st.none() | spans),
    st.tuples(st.just("change"), st.none()),
    st.tuples(st.just("wait"), st.none()),
    st.tuples(st.just("evict"), st.integers(0, 20)),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps, max_size=25),
    st.builds(
        Live,
        etag=st.sampled_from(['"{}"', 'W/"{}"', ""]),
        ignores_if_range=st.booleans(),
        streams=st.booleans(),
    ),
)
def test_whatever_happens_no_two_versions_are_mixed(steps: list, live: Live) -> None:
    """And the right bytes are where they belong, whichever parts the store has lost."""

    async def story() -> None:
        edge = Edge()
        for what, argument in steps:
            match what:
                case "change":
                    live.version += 1
                case "wait":
                    edge.clock.advance(20)
                case "evict":
                    digests = list(edge.store._entries)
                    if digests:
                        await edge.store.delete(digests[argument % len(digests)])
                case _:
                    response, _ = await ask(edge, live, argument)
                    check(response, argument)
        await edge.tasks.close()

    def check(response: Response, span: tuple[int, int] | None) -> None:
        assert isinstance(response.body, BytesBody)
        data = response.body.data
        assert len(set(data)) == 1
        if response.status == 200:
            assert len(data) == SIZE
        else:
            assert span is not None
            assert response.status == 206
            last = min(span[1], SIZE - 1)
            assert response.headers.get("Content-Range") == f"bytes {span[0]}-{last}/{SIZE}"
            assert len(data) == last - span[0] + 1

    asyncio.run(story())


async def test_an_evicted_part_is_fetched_again() -> None:
    edge, live = Edge(), Live()
    await ask(edge, live, (0, 19))
    await ask(edge, live, (40, 59))
    table = await edge.store.get(key().digest)
    assert table is not None
    for digest in [each for each in edge.store._entries if each != key().digest][:1]:
        await edge.store.delete(digest)
    response, obtained = await ask(edge, live, (0, 59))
    assert (response.status, obtained.outcome) == (206, "Miss")
    response, obtained = await ask(edge, live, (0, 59))
    assert obtained.outcome == "Hit"


async def test_a_part_that_is_invalidated_on_its_way_is_not_stored() -> None:
    edge, live = Edge(), Live()
    gate = asyncio.Event()

    async def fill(conditions: Headers | None) -> Fetched:
        await gate.wait()
        return await live(Headers([("Range", "bytes=0-9")]))

    asked = Headers([("Range", "bytes=0-9")])
    asking = asyncio.create_task(edge.cache.obtain(key(), FLEXIBLE, fill, asked=asked))
    await edge.settle()
    await edge.cache.invalidate("E1", ["/a"])
    gate.set()
    assert (await asking).response.status == 206
    await edge.landed()
    assert len(edge.store) == 0


async def test_without_the_viewers_headers_a_part_is_passed_on_only() -> None:
    edge, live = Edge(), Live()
    fetched = await live(Headers([("Range", "bytes=0-9")]))

    async def fill(conditions: Headers | None) -> Fetched:
        return fetched

    assert (await edge.cache.obtain(key(), FLEXIBLE, fill)).response.status == 206
    assert len(edge.store) == 0


async def test_a_part_of_a_length_that_was_not_announced_must_have_it() -> None:
    edge = Edge()
    asked = Headers([("Range", "bytes=0-9")])
    for size, entries in ((9, 0), (10, 2)):
        body = stream([b"x" * size])
        fetched = answer(206, body, content_range="bytes 0-9/20", cache_control="max-age=9")

        async def fill(conditions: Headers | None, fetched: Fetched = fetched) -> Fetched:
            return fetched

        obtained = await edge.cache.obtain(key(), FLEXIBLE, fill, asked=asked)
        await read(obtained.response.body)
        await edge.landed()
        assert len(edge.store) == entries


async def test_a_part_too_large_to_be_stored_streams_through() -> None:
    edge = Edge(max_object_bytes=9)
    response, _ = await ask(edge, Live(streams=True), (0, 9))
    assert response.status == 206
    assert len(edge.store) == 0


async def test_a_viewer_who_leaves_while_a_gap_is_filled_lets_go_of_the_origin() -> None:
    edge, live = Edge(max_object_bytes=30), Live(streams=True)
    await ask(edge, live, (0, 9))
    request = Request("GET", "/a")

    async def fill(conditions: Headers | None) -> Fetched:
        assert conditions is not None
        return await live(conditions)

    obtained = await edge.cache.obtain(key(), FLEXIBLE, fill, asked=request.headers)
    assert obtained.response.status == 200
    await obtained.response.body.close()
    await asyncio.wait_for(edge.landed(), 20)


def test_a_table_keeps_the_latest_parts() -> None:
    table = Table(5_000, ('"1"', ""))
    for first in range(0, 4_000, 2):
        table = table.with_part(Part(ByteRange(first, first), 1.0))
    assert len(table.parts) == 1_000
    assert table.parts[-1].place == ByteRange(3_998, 3_998)
    table = table.with_part(Part(ByteRange(0, 4_999), 2.0))
    assert [len(part.place) for part in table.parts] == [5_000]


@pytest.mark.parametrize(
    ("etag", "modified", "fits"),
    [('"1"', "", True), ('W/"1"', "x", False), ("1", "x", False), ("", "x", True), ("", "", False)],
)
def test_which_versions_can_be_told_apart(etag: str, modified: str, fits: bool) -> None:
    table = Table(9, (etag, modified))
    assert table.fits(table) is fits
    assert not table.fits(Table(8, (etag, modified)))


async def test_a_fresh_hit_still_starts_no_task() -> None:
    edge, live = Edge(), Live()
    await ask(edge, live, (0, 19))
    before = asyncio.all_tasks()
    asked = Headers([("Range", "bytes=5-9")])
    obtaining = Cache.obtain(edge.cache, key(), FLEXIBLE, live, asked=asked)  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as ended:
        obtaining.send(None)
    assert ended.value.value.outcome == "Hit"
    assert asyncio.all_tasks() == before
