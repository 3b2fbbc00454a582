"""What only a look inside the control listener can bring about."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web

from edgeproxy.exchange.model import Exchange
from edgeproxy.inspector.api import Observed, control_application
from edgeproxy.observe.history import History
from edgeproxy.observe.hit_counts import HitCounts
from edgeproxy.observe.metrics import Metrics
from tests.unit.exchange.records import exchange


async def test_an_exchange_that_ends_just_as_a_follower_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Leaving(History):
        async def follow(self, last_id: str | None = None) -> AsyncIterator[Exchange]:
            assert runner.server is not None
            for connection in runner.server.connections:
                assert connection.transport is not None
                connection.transport.close()
            yield exchange()

    application = control_application(
        cast(Any, None), Observed(Leaving(), Metrics(str), HitCounts())
    )
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"GET /api/exchanges/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b": following" in await reader.read()
        writer.close()
    finally:
        await runner.cleanup()
    assert caplog.records == []
