import asyncio
import weakref

import pytest

from edgeproxy.cache.collecting import BodyBroken, CollectingBody
from edgeproxy.cache.entry import Content
from edgeproxy.http.body import Body, BytesBody, StreamBody
from tests.unit.cache.scenes import ManualBody, read, stream


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def joined(collecting: CollectingBody) -> Body:
    reader = collecting.reader()
    assert reader is not None
    return reader


async def test_every_reader_gets_all_and_the_whole_is_kept() -> None:
    collecting = CollectingBody(stream([b"ab", b"cd", b"e"], 5), 10)
    readers = [joined(collecting) for _ in range(3)]
    pumping = asyncio.create_task(collecting.pump())
    assert await asyncio.gather(*map(read, readers)) == [b"abcde"] * 3
    assert await pumping == b"abcde"
    assert await read(joined(collecting)) == b"abcde"
    assert (readers[0].length, readers[0].passed, readers[0].preview) == (5, 5, b"abcde")


async def test_a_kept_body_does_not_wait_for_its_readers() -> None:
    collecting = CollectingBody(stream([b"x" * 1000] * 100), 1_000_000, window_bytes=10)
    slow = joined(collecting)
    assert await collecting.pump() == b"x" * 100_000
    assert len(await read(slow)) == 100_000


async def test_a_kept_body_goes_on_when_all_readers_have_left() -> None:
    source = ManualBody()
    collecting = CollectingBody(source, 100)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    source.give(b"abc")
    await settle()
    await reader.close()
    source.give(b"def", None)
    assert await pumping == b"abcdef"
    assert source.closed


async def test_a_body_that_may_be_endless_is_given_up_with_its_last_reader() -> None:
    source = ManualBody()
    collecting = CollectingBody(source, 100, may_be_endless=True)
    first, last = joined(collecting), joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    source.give(b"abc")
    await first.close()
    await settle()
    assert not source.closed
    await last.close()
    assert await pumping is None
    assert source.closed


async def test_a_body_that_might_have_been_endless_is_kept() -> None:
    collecting = CollectingBody(stream([b"ab", b"cd"]), 100, may_be_endless=True)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    assert await read(reader) == b"abcd"
    assert await pumping == b"abcd"


async def test_a_windowed_body_waits_for_the_slowest_reader() -> None:
    source = ManualBody(length=1000)
    source.give(*[b"x" * 10] * 100, None)
    collecting = CollectingBody(source, 500, window_bytes=50)
    assert not collecting.keeping
    fast, slow = joined(collecting), aiter(joined(collecting))
    pumping = asyncio.create_task(collecting.pump())
    reading = asyncio.create_task(read(fast))
    await settle()
    assert source.taken == 5
    for _ in range(3):
        await anext(slow)
    await settle()
    assert source.taken == 8
    assert collecting.reader() is None, "the beginning has gone"
    rest = b"".join([chunk async for chunk in slow])
    assert (len(rest), len(await reading)) == (970, 1000)
    assert await pumping is None
    assert source.closed


async def test_a_slow_reader_that_leaves_sets_the_others_free() -> None:
    source = ManualBody(length=1000)
    source.give(*[b"x" * 10] * 100, None)
    collecting = CollectingBody(source, 500, window_bytes=50)
    fast, slow = joined(collecting), joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    reading = asyncio.create_task(read(fast))
    await settle()
    assert not reading.done()
    await slow.close()
    await slow.close()
    assert len(await reading) == 1000
    assert await pumping is None


@pytest.mark.parametrize("stalled", ["at the source", "at the reader"])
async def test_when_the_last_reader_of_a_windowed_body_leaves_the_source_is_closed(
    stalled: str,
) -> None:
    source = ManualBody(length=1000)
    if stalled == "at the reader":
        source.give(*[b"x" * 10] * 100)
    collecting = CollectingBody(source, 500, window_bytes=50)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    await settle()
    assert not pumping.done()
    await reader.close()
    await reader.close()
    assert await pumping is None
    assert source.closed
    assert collecting.reader() is None


async def test_a_writer_that_is_cancelled_when_nobody_reads_either_stays_cancelled() -> None:
    collecting = CollectingBody(ManualBody(length=1000), 500)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    await settle()
    await reader.close()
    pumping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pumping


async def test_a_windowed_body_without_readers_is_never_begun() -> None:
    source = ManualBody(length=1000)
    collecting = CollectingBody(source, 500)
    assert await collecting.pump() is None
    assert source.closed


async def test_a_body_of_unknown_length_goes_on_through_a_window_when_it_gets_too_long() -> None:
    source = ManualBody()
    source.give(*[b"x" * 10] * 100)
    collecting = CollectingBody(source, 200, window_bytes=50)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    await settle()
    assert source.taken == 21
    assert not collecting.keeping
    reading = asyncio.create_task(read(reader))
    source.give(None)
    assert len(await reading) == 1000
    assert await pumping is None


async def test_such_a_body_ends_when_nobody_reads_it() -> None:
    source = ManualBody()
    source.give(*[b"x" * 10] * 100)
    collecting = CollectingBody(source, 200)
    assert await collecting.pump() is None
    assert source.closed


async def test_memory_stays_flat_for_a_large_body() -> None:
    held = 0

    class Piece(bytes):
        def __del__(self) -> None:
            nonlocal held
            held -= 1

    async def pieces() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
        nonlocal held
        for _ in range(2000):
            held += 1
            assert held < 10
            yield Piece(64 * 1024)

    collecting = CollectingBody(StreamBody(pieces(), 2000 * 64 * 1024), 1)
    reader = joined(collecting)
    pumping = asyncio.create_task(collecting.pump())
    size = 0
    async for chunk in reader:
        size += len(chunk)
    assert size == 2000 * 64 * 1024
    assert await pumping is None


async def test_an_error_of_the_source_reaches_every_reader_and_nothing_is_kept() -> None:
    source = ManualBody()
    source.give(b"abc", ConnectionResetError("gone"))
    collecting = CollectingBody(source, 100)
    readers = [joined(collecting) for _ in range(2)]
    assert await collecting.pump() is None
    for reader in readers:
        chunks = []
        with pytest.raises(ConnectionResetError):
            async for chunk in reader:
                chunks.append(chunk)  # noqa: PERF401 (what came before the error counts)
        assert chunks == [b"abc"]
    assert source.closed


@pytest.mark.parametrize("chunks", [[b"abc"], [b"abc", b"def"]])
async def test_a_body_of_another_length_than_promised_is_broken(chunks: list[bytes]) -> None:
    collecting = CollectingBody(stream(chunks, 4), 100)
    reader = joined(collecting)
    assert await collecting.pump() is None
    with pytest.raises(BodyBroken, match="of 4 bytes arrived"):
        await read(reader)


async def test_readers_do_not_wait_for_a_writer_that_was_cancelled() -> None:
    source = ManualBody()
    collecting = CollectingBody(source, 100)
    reading = asyncio.create_task(read(joined(collecting)))
    pumping = asyncio.create_task(collecting.pump())
    await settle()
    pumping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pumping
    with pytest.raises(BodyBroken):
        await reading
    assert source.closed


async def test_what_is_no_longer_to_be_stored_is_given_up_without_readers() -> None:
    source = ManualBody()
    collecting = CollectingBody(source, 100)
    pumping = asyncio.create_task(collecting.pump())
    await settle()
    assert not pumping.done()
    collecting.stop_keeping()
    assert await pumping is None
    assert source.closed


async def test_an_empty_body() -> None:
    collecting = CollectingBody(BytesBody(b""), 0)
    reader = joined(collecting)
    assert await collecting.pump() == b""
    assert await read(reader) == b""


# With a draft of the store ------------------------------------------------------------------------


class ListDraft:
    """A draft in memory that takes ``room`` bytes, and whatever comes after a refusal."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.data = b""
        self.discarded = False

    def __len__(self) -> int:
        return len(self.data)

    async def read(self, start: int, stop: int) -> bytes:
        return self.data[start : min(stop, start + 3)]

    async def write(self, data: bytes) -> bool:
        fits = len(self.data) + len(data) <= self.room
        self.room = 10_000 if not fits else self.room
        self.data += data if fits else b""
        return fits

    async def finish(self) -> bool:
        return True

    def discard(self) -> None:
        self.discarded = True


@pytest.mark.parametrize("size", [10, 55, 60, 330, 990])
@pytest.mark.parametrize("announced", [True, False])
async def test_what_goes_to_the_draft_does_not_stay_in_memory(size: int, announced: bool) -> None:
    draft, kept = ListDraft(10_000), list[bytes | Content]()
    source = ManualBody(length=1000 if announced else None)
    collecting = CollectingBody(source, 1000, window_bytes=50, start_draft=lambda: draft)

    async def keep(body: bytes | Content) -> None:
        assert len(body) == 1000
        kept.append(body)

    slow = aiter(joined(collecting))
    pumping = asyncio.create_task(collecting.pump(keep))
    whole = bytes(range(250)) * 4
    source.give(whole[:10])
    begun = await anext(slow)
    source.give(*[whole[at : min(at + size, 1000)] for at in range(10, 1000, size)])
    source.give(None)
    assert await pumping is None
    if announced and size == 990:  # the rest at once: there was nothing to move out of memory
        assert (kept, draft.data) == ([whole], b"")
    else:
        assert (kept, draft.data) == ([draft], whole)
        assert draft.discarded  # which does nothing to one that was stored
    assert sum(map(len, collecting._chunks)) <= max(50, size + 10)
    assert begun + b"".join([chunk async for chunk in slow]) == whole
    assert await read(joined(collecting)) == whole


async def test_a_draft_that_refused_once_is_not_kept() -> None:
    draft, kept = ListDraft(100), list[bytes | Content]()
    source = ManualBody(length=1000)
    collecting = CollectingBody(source, 1000, window_bytes=50, start_draft=lambda: draft)

    async def keep(body: bytes | Content) -> None:
        kept.append(body)

    viewers = [joined(collecting) for _ in range(2)]
    pumping = asyncio.create_task(collecting.pump(keep))
    whole = bytes(range(250)) * 4
    source.give(*[whole[at : at + 10] for at in range(0, 1000, 10)], None)
    await settle()
    assert not collecting.keeping
    assert source.taken < 30  # nobody reads: the window holds the source up
    bodies = await asyncio.gather(*(read(viewer) for viewer in viewers))
    assert bodies == [whole, whole]
    await pumping
    assert kept == []
    assert draft.discarded
    assert collecting.reader() is None


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_reader_that_is_over_holds_nothing_but_the_beginning(leaves: bool) -> None:
    collecting = CollectingBody(stream([b"ab", b"cd"], 4), 10)
    reader = joined(collecting)
    await collecting.pump()
    if leaves:
        await reader.close()
    else:
        await read(reader)
    gone = weakref.ref(collecting)
    del collecting
    assert gone() is None
    seen = (0, b"") if leaves else (4, b"abcd")
    assert (reader.length, reader.passed, reader.preview) == (4, *seen)
