"""A caller of a function that streams: what it gets when, and what the function feels of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.awslambda.streaming import StreamBroken, Streamed, streamed
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InvocationResult,
    ResponseSink,
    Returned,
    TimedOut,
)
from edgeproxy.tasks import Tasks

MEGABYTE = bytes(1024 * 1024)
RETURNED = Returned("id", 1, payload=b"")
FAILED = FunctionError("id", 1, document={"errorType": "Error"})


class Flow:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()


def function(
    *chunks: bytes, flow: Flow | None = None, result: InvocationResult = RETURNED
) -> Callable[[ResponseSink], Awaitable[InvocationResult]]:
    """A function that writes these chunks at once."""

    async def invoke(sink: ResponseSink) -> InvocationResult:
        sink.started("text/plain", flow or Flow())
        for chunk in chunks:
            sink.data(chunk)
        if result is RETURNED:
            sink.ended()
        return result

    return invoke


async def test_a_function_that_does_not_stream(tasks: Tasks) -> None:
    async def invoke(sink: ResponseSink) -> InvocationResult:
        return RETURNED

    assert await streamed(tasks, invoke) is RETURNED


async def test_one_that_is_not_there(tasks: Tasks) -> None:
    async def invoke(sink: ResponseSink) -> InvocationResult:
        raise FunctionNotFound("gone", rule="LI-006")

    with pytest.raises(FunctionNotFound):
        await streamed(tasks, invoke)


async def test_a_failure_before_the_first_byte_is_the_result(tasks: Tasks) -> None:
    assert await streamed(tasks, function(result=FAILED)) is FAILED


async def test_chunks_and_the_end(tasks: Tasks) -> None:
    begun = await streamed(tasks, function(b"a", b"b"))
    assert isinstance(begun, Streamed)
    assert begun.content_type == "text/plain"
    assert [chunk async for chunk in begun.chunks] == [b"a", b"b"]
    assert await begun.outcome is RETURNED


async def test_a_stream_without_a_byte(tasks: Tasks) -> None:
    begun = await streamed(tasks, function())
    assert isinstance(begun, Streamed)
    assert [chunk async for chunk in begun.chunks] == []


async def test_the_first_byte_does_not_wait_for_the_second(tasks: Tasks) -> None:
    go = asyncio.Event()

    async def invoke(sink: ResponseSink) -> InvocationResult:
        sink.started("", Flow())
        sink.data(b"a")
        await go.wait()
        sink.data(b"b")
        sink.ended()
        return RETURNED

    begun = await streamed(tasks, invoke)
    assert isinstance(begun, Streamed)
    chunks = aiter(begun.chunks)
    assert await anext(chunks) == b"a"
    go.set()
    assert await anext(chunks) == b"b"


@pytest.mark.parametrize("result", [FAILED, TimedOut("id", 1)])
async def test_a_failure_in_mid_stream(tasks: Tasks, result: InvocationResult) -> None:
    begun = await streamed(tasks, function(b"a", result=result))
    assert isinstance(begun, Streamed)
    chunks = aiter(begun.chunks)
    assert await anext(chunks) == b"a"
    with pytest.raises(StreamBroken) as broken:
        await anext(chunks)
    assert broken.value.result is result


async def test_who_does_not_read_holds_the_function_back(tasks: Tasks) -> None:
    flow = Flow()
    begun = await streamed(tasks, function(bytes(1024), flow=flow))
    assert flow.told == []
    begun = await streamed(tasks, function(MEGABYTE, bytes(1024), flow=flow))
    assert isinstance(begun, Streamed)
    assert flow.told == ["pause", "pause"]
    chunks = aiter(begun.chunks)
    await anext(chunks)
    assert flow.told == ["pause", "pause", "resume"]


@pytest.mark.rule("FU-088")
async def test_who_leaves_lets_the_function_go_on(tasks: Tasks) -> None:
    flow, go = Flow(), asyncio.Event()

    async def invoke(sink: ResponseSink) -> InvocationResult:
        sink.started("", flow)
        sink.data(MEGABYTE)
        await go.wait()
        sink.data(MEGABYTE)
        sink.ended()
        return RETURNED

    begun = await streamed(tasks, invoke)
    assert isinstance(begun, Streamed)
    await begun.chunks.aclose()
    go.set()
    assert await begun.outcome is RETURNED
    assert flow.told == ["pause", "resume"]
    assert [chunk async for chunk in begun.chunks] == []


async def test_who_is_cancelled_lets_it_go_on_too(tasks: Tasks) -> None:
    go, ended = asyncio.Event(), asyncio.Event()

    async def invoke(sink: ResponseSink) -> InvocationResult:
        await go.wait()
        ended.set()
        return RETURNED

    waiting = tasks.start(streamed(tasks, invoke), "caller")
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go.set()
    await asyncio.wait_for(ended.wait(), 5)
