"""What the disk store promises beyond every store: restarts, crashes, damage, bounds, two edges."""

import asyncio
import random
import resource
import sqlite3
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.entry import ContentLost, Entry, make_entry, pieces
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.invalidation import invalidation
from edgeproxy.cache.stores import Dropped
from edgeproxy.cache.stores.body_file import BLOCK_BYTES, BodyFile
from edgeproxy.cache.stores.disk import DiskStore
from edgeproxy.errors import UsageError
from edgeproxy.http.body import StreamBody
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import (
    FLEXIBLE,
    Edge,
    ManualBody,
    ScriptedOrigin,
    answer,
    key,
    read,
)

LARGE = random.Random(1).randbytes(3 * BLOCK_BYTES + 5)
SMALL = b"hello"


def entry(body: bytes, path: str = "/a") -> Entry:
    headers = Headers([("ETag", '"1"')])
    return make_entry(key(path), 200, "", headers, body, Storable(60, "max-age=60"), 1_800_000_000)


async def body_of(found: Entry | None) -> bytes:
    assert found is not None
    if isinstance(found.body, bytes):
        return found.body
    return b"".join([piece async for piece in pieces(found.body, 0, len(found.body))])


class Disk:
    """A folder, and stores that are opened in it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []

    @property
    def files(self) -> list[Path]:
        return list((self.folder / "bodies").iterdir())

    @property
    def index(self) -> Path:
        return self.folder / "index.sqlite3"

    @asynccontextmanager
    async def store(self, max_bytes: int = 10_000_000) -> AsyncIterator[DiskStore]:
        store = DiskStore(self.folder, max_bytes, self.told.append)
        try:
            await store.open()
            yield store
        finally:
            await store.close()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "cache")


def flip(file: Path, at: int) -> None:
    """Change one bit of a file."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let files grow beyond ``size`` bytes, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# Restart -----------------------------------------------------------------------------------------


async def test_objects_outlive_the_store(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
        await store.put(b"2", entry(LARGE, "/b"))
        await store.delete(b"3")
    async with disk.store() as store:
        assert await store.get(b"1") == entry(SMALL)
        found = await store.get(b"2")
        assert found is not None
        assert replace(found, body=b"") == entry(b"", "/b")
        assert await body_of(found) == LARGE
        assert await store.drop(invalidation("E1", ["/b"])) == Dropped(1, [b"2"])
    async with disk.store() as store:
        assert await store.get(b"2") is None
        assert len(disk.files) == 1


@pytest.mark.rule("CDN-TTL-24")
async def test_the_order_of_use_outlives_the_store(disk: Disk) -> None:
    async with disk.store(1_000_000) as store:
        for digest in (b"1", b"2", b"3"):
            await store.put(digest, entry(bytes(300_000)))
        await store.get(b"1")
    async with disk.store(1_000_000) as store:
        await store.put(b"4", entry(bytes(300_000)))
        assert await store.get(b"2") is None
        assert await store.get(b"1") is not None


async def test_a_smaller_bound_holds_for_objects_of_before(disk: Disk) -> None:
    async with disk.store(1_000_000) as store:
        for digest in (b"1", b"2", b"3"):
            await store.put(digest, entry(bytes(300_000)))
    async with disk.store(400_000) as store:
        await store.put(b"4", entry(SMALL))
        assert store.taken_bytes <= 400_000
        assert [await store.get(digest) is not None for digest in (b"1", b"2", b"3")] == [
            False,
            False,
            True,
        ]


async def test_the_files_stay_inside_the_bound_with_drafts_under_way(disk: Disk) -> None:
    async with disk.store(2_000_000) as store:
        for number in range(6):
            await store.put(bytes([number]), entry(bytes(300_000)))
        drafts = [store.draft() for _ in range(3)]
        for _ in range(4):
            for draft in drafts:
                await draft.write(bytes(BLOCK_BYTES))
            assert sum(file.stat().st_size for file in disk.files) <= store.taken_bytes <= 2_000_000


async def test_objects_of_another_layout_are_forgotten(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
    with sqlite3.connect(disk.index) as other:
        other.execute("PRAGMA user_version = 1")
    other.close()
    async with disk.store() as store:
        assert await store.get(b"1") is None
        assert disk.files == []
        assert store.taken_bytes == 0
        await store.put(b"1", entry(SMALL))
        assert await store.get(b"1") == entry(SMALL)


# Crash and damage --------------------------------------------------------------------------------


async def test_what_was_being_written_is_gone_at_the_next_start(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
    (disk.folder / "bodies" / "half").write_bytes(LARGE)
    async with disk.store() as store:
        assert len(disk.files) == 1
        assert await store.get(b"1") == entry(SMALL)
    assert disk.told == []


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("harm", ["short", "long", "gone"])
async def test_an_object_whose_file_is_not_whole_is_dropped(
    disk: Disk, body: bytes, harm: str
) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(body))
    (file,) = disk.files
    match harm:
        case "short":
            file.write_bytes(body[:-1])
        case "long":
            file.write_bytes(body + b"!")
        case _:
            file.unlink()
    async with disk.store() as store:
        assert await store.get(b"1") is None
        assert disk.files == []
        assert store.taken_bytes == 0
        await asyncio.sleep(0)
    assert disk.told == [f"a stored object in {disk.folder} was damaged; it is dropped"]


async def test_a_small_object_with_a_flipped_bit_is_a_miss(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
        flip(disk.files[0], 2)
        assert await store.get(b"1") is None
        assert disk.files == []


async def test_of_a_large_object_with_a_flipped_bit_no_wrong_byte_is_served(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(LARGE))
        flip(disk.files[0], 2 * BLOCK_BYTES + 7)
        found = await store.get(b"1")
        assert found is not None
        served = b""
        with pytest.raises(ContentLost):
            async for piece in found.response().body:
                served += piece
        assert served == LARGE[: 2 * BLOCK_BYTES]
        assert await store.get(b"1") is None
        assert disk.files == []


@pytest.mark.parametrize(
    "column", ["about", "sums", "seal", "size", "file", "distribution", "target"]
)
async def test_a_row_that_is_not_what_was_written_is_dropped(disk: Disk, column: str) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(LARGE))
    with sqlite3.connect(disk.index) as other:
        (value,) = other.execute(f"SELECT {column} FROM objects").fetchone()
        match value:
            case int():
                changed: object = value + 1
            case str():
                changed = value + "x"
            case _:
                changed = bytes([value[0] ^ 1]) + value[1:]
        other.execute(f"UPDATE objects SET {column} = ?", (changed,))
    other.close()
    async with disk.store() as store:
        assert await store.get(b"1") is None
        assert store.taken_bytes == 0


async def test_a_damaged_index_begins_anew_at_the_start(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
    disk.index.write_bytes(b"not a database" * 1000)
    async with disk.store() as store:
        assert await store.get(b"1") is None
        assert disk.files == []
        await store.put(b"1", entry(SMALL))
        assert await store.get(b"1") == entry(SMALL)
    assert disk.told == [
        f"the index in {disk.folder} was damaged; the store of objects begins anew"
    ]


async def test_a_damaged_index_begins_anew_in_service(disk: Disk) -> None:
    filler = b"X-Filler\0" + b"filler" * 2000
    async with disk.store() as store:
        for number in range(3):
            await store.put(bytes([number]), replace(entry(SMALL), head=filler))
    # The pages that long rows run on to; the start does not read them.
    page, data = 4096, bytearray(disk.index.read_bytes())
    for at in range(0, len(data), page):
        if b"fillerfiller" in data[at : at + page] and data[at] != 0x0D:
            data[at : at + page] = b"\xff" * page
    disk.index.write_bytes(data)
    async with disk.store() as store:
        draft = store.draft()
        assert await draft.write(LARGE)
        assert disk.told == []
        assert await store.get(b"\0") is None
        assert await store.get(b"\1") is None
        assert disk.told == [
            f"the index in {disk.folder} was damaged; the store of objects begins anew"
        ]
        assert disk.files == []
        assert await draft.finish()
        await store.put(b"1", replace(entry(b""), body=draft))
        assert await store.get(b"1") is None
        assert store.taken_bytes == 0
        assert len(disk.told) == 1
        await store.put(b"1", entry(LARGE))
        assert await body_of(await store.get(b"1")) == LARGE


@pytest.mark.parametrize("name", ["../kept", "\udce9", ""])
async def test_a_row_with_a_wrong_name_harms_no_other_file(disk: Disk, name: str) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(LARGE))
        await store.put(b"2", entry(SMALL))
    with sqlite3.connect(disk.index) as other:
        raw = name.encode("utf-8", "surrogateescape")
        other.execute("UPDATE objects SET file = CAST(? AS TEXT) WHERE digest = ?", (raw, b"1"))
    other.close()
    (disk.folder / "kept").write_text("kept")
    async with disk.store() as store:
        assert await store.drop(invalidation("E1", [])) == Dropped(0, [])
        assert await store.get(b"1") is None
        assert await store.get(b"2") == entry(SMALL)
    assert (disk.folder / "kept").exists()
    async with disk.store():
        assert len(disk.files) == 1
    assert disk.told == [f"a stored object in {disk.folder} was damaged; it is dropped"]


async def test_a_draft_that_was_given_up_takes_nothing_more(disk: Disk) -> None:
    async with disk.store() as store:
        draft = store.draft()
        assert await draft.write(bytes(BLOCK_BYTES))
        draft.discard()
        while store.taken_bytes:
            await store.delete(b"1")
        assert not await draft.write(bytes(BLOCK_BYTES))
        assert disk.files == []
        assert store.taken_bytes == 0


async def test_too_many_open_files_are_a_miss_and_no_damage(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            assert await store.get(b"1") is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert await store.get(b"1") == entry(SMALL)
    assert disk.told == [
        f"objects cannot be kept in {disk.folder}: Too many open files; the edge goes on without"
    ]


# A disk that cannot be written -------------------------------------------------------------------


async def test_a_full_disk_is_told_once_until_it_can_be_written_again(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(LARGE))
        with files_of_at_most(BLOCK_BYTES):
            await store.put(b"1", entry(LARGE))
            assert await store.get(b"1") is None  # what was there is out of date
            draft = store.draft()
            assert not await draft.write(LARGE)
            draft.discard()
        assert disk.told == [
            f"objects cannot be kept in {disk.folder}: File too large; the edge goes on without"
        ]
        await store.put(b"1", entry(LARGE))
        assert await body_of(await store.get(b"1")) == LARGE
        with files_of_at_most(BLOCK_BYTES):
            await store.put(b"1", entry(LARGE))
        await asyncio.sleep(0)
        assert len(disk.told) == 2
    assert disk.files == []


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    disk = Disk(tmp_path / "file" / "cache")
    with pytest.raises(UsageError, match="cannot be used for stored objects: Not a directory"):
        async with disk.store():
            pass


async def test_an_index_that_cannot_be_opened_is_an_error(disk: Disk) -> None:
    disk.index.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be opened: unable to open database file"):
        async with disk.store():
            pass


async def test_a_second_edge_is_refused(disk: Disk) -> None:
    async with disk.store() as store:
        with pytest.raises(UsageError, match="another edge keeps its objects there") as refused:
            async with disk.store():
                pass
        assert "--state-dir" in refused.value.remedy
        await store.put(b"1", entry(SMALL))
    async with disk.store() as store:
        assert await store.get(b"1") == entry(SMALL)


# In the cache ------------------------------------------------------------------------------------


def megabytes(count: int) -> StreamBody:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(count * 16):
            yield bytes([number % 256]) * 65_536

    return StreamBody(chunks(), count * 1_048_576)


async def test_a_large_object_never_lies_in_memory_whole(disk: Disk) -> None:
    edge, size = Edge(), 64 * 1_048_576
    origin = ScriptedOrigin(answer(body=megabytes(64), cache_control="max-age=60"))
    async with disk.store(100_000_000) as store:
        cache = Cache(store, edge.clock, edge.tasks, max_object_bytes=size)
        tracemalloc.start()
        try:
            for outcome in ("Miss", "Hit"):
                obtained = await cache.obtain(key(), FLEXIBLE, origin)
                assert obtained.outcome == outcome
                passed = 0
                async for chunk in obtained.response.body:
                    passed += len(chunk)
                assert passed == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 6_000_000
        assert origin.count == 1


async def test_viewers_of_any_pace_share_the_fetch_of_a_large_object(disk: Disk) -> None:
    edge = Edge()
    whole = await read(megabytes(4))
    origin = ScriptedOrigin(answer(body=megabytes(4), cache_control="max-age=60"))
    async with disk.store() as store:
        cache = Cache(store, edge.clock, edge.tasks)
        slow = await cache.obtain(key(), FLEXIBLE, origin)
        reading = aiter(slow.response.body)
        begun = await anext(reading)
        quick = await cache.obtain(key(), FLEXIBLE, origin)
        assert await read(quick.response.body) == whole
        await edge.landed()
        late = await cache.obtain(key(), FLEXIBLE, origin)
        assert isinstance(late.entry and late.entry.body, BodyFile)
        assert await read(late.response.body) == whole
        assert begun + b"".join([chunk async for chunk in reading]) == whole
        assert origin.count == 1


async def test_an_object_that_is_invalidated_on_its_way_is_served_and_not_stored(
    disk: Disk,
) -> None:
    edge = Edge()
    whole = await read(megabytes(4))
    origin = ScriptedOrigin(answer(body=megabytes(4), cache_control="max-age=60"))
    async with disk.store() as store:
        cache = Cache(store, edge.clock, edge.tasks)
        obtained = await cache.obtain(key(), FLEXIBLE, origin)
        reading = aiter(obtained.response.body)
        begun = b"".join([await anext(reading) for _ in range(10)])
        await cache.invalidate("E1", ["/a"])
        assert begun + b"".join([chunk async for chunk in reading]) == whole
        await edge.landed()
        assert await store.get(key().digest) is None
    assert disk.files == []


async def test_a_body_that_breaks_off_leaves_nothing(disk: Disk) -> None:
    edge = Edge()
    short = StreamBody(megabytes(2), 3 * 1_048_576)
    origin = ScriptedOrigin(answer(body=short, cache_control="max-age=60"))
    async with disk.store() as store:
        cache = Cache(store, edge.clock, edge.tasks)
        obtained = await cache.obtain(key(), FLEXIBLE, origin)
        with pytest.raises(Exception, match="2097152 of 3145728 bytes arrived"):
            await read(obtained.response.body)
        await edge.landed()
        assert await store.get(key().digest) is None
    assert disk.files == []


async def test_viewers_get_everything_when_the_disk_fills_up_on_the_way(disk: Disk) -> None:
    edge = Edge()
    whole = await read(megabytes(4))
    body = ManualBody(4 * 1_048_576)  # not one byte before the last viewer has come
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    async with disk.store() as store:
        cache = Cache(store, edge.clock, edge.tasks)
        with files_of_at_most(1_048_576):
            viewers = [await cache.obtain(key(), FLEXIBLE, origin) for _ in range(3)]
            body.give(*[whole[at : at + 65_536] for at in range(0, len(whole), 65_536)], None)
            bodies = await asyncio.gather(*(read(each.response.body) for each in viewers))
            await edge.landed()
        assert bodies == [whole] * 3
        assert await store.get(key().digest) is None
        assert len(disk.told) == 1
    assert disk.files == []


async def test_the_event_loop_runs_on_while_the_disk_works(disk: Disk) -> None:
    async with disk.store(100_000_000) as store:
        rounds, storing = 0, asyncio.create_task(store.put(b"1", entry(bytes(60_000_000))))
        while not storing.done():
            rounds += 1
            await asyncio.sleep(0)
        assert rounds > 5  # had it been done in the event loop, it would have ended in the first


async def test_an_invalidation_that_cannot_be_written_is_an_error(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(SMALL))
        with files_of_at_most(1024), pytest.raises(UsageError, match="cannot be invalidated"):
            await store.drop(invalidation("E1", ["/*"]))
        assert await store.drop(invalidation("E1", ["/*"])) == Dropped(1, [b"1"])


async def test_a_body_may_be_let_go_of_at_any_moment(disk: Disk) -> None:
    async with disk.store() as store:
        await store.put(b"1", entry(LARGE))
        bodies = [found.body for found in [await store.get(b"1")] if found is not None]
        assert [type(body) for body in bodies] == [BodyFile]

        def collect(frame: FrameType, _event: str, _argument: object) -> None:
            if frame.f_code.co_name == "_adjust_thread_count":  # in the middle of a submit
                bodies.clear()

        def work() -> None:
            sys.setprofile(collect)
            store.discard(BodyFile(store))
            sys.setprofile(None)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
        assert not bodies
