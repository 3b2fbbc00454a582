"""A hundred viewers at once in front of a function that waits: environments scale out, and stay."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from edgeproxy.testing import Edge, Site
from tests.support.origin import Answer, running_origin
from tests.support.templates import distribution_template

VIEWERS = 100
SLEEP_S = 0.05
SOURCE = f"""
import os, time

def handler(event, context):
    time.sleep({SLEEP_S})
    request = event["Records"][0]["cf"]["request"]
    return {{"status": "200", "body": f"{{os.getpid()}}"}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("many")
    with running_origin() as origin, Edge() as edge:
        origin.answer = Answer()
        template = distribution_template(folder, {"viewer-request": SOURCE}, timeout=5)
        yield edge.serve(template, origins={"web": origin.url})


@pytest.fixture
async def viewers() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def together(session: aiohttp.ClientSession, site: Site) -> tuple[float, set[str]]:
    """How long it takes until all viewers have their answers, and which processes gave them."""

    async def view() -> str:
        async with session.get(site.url) as response:
            assert response.status == 200
            return await response.text()

    start = time.perf_counter()
    pids = await asyncio.gather(*(view() for _ in range(VIEWERS)))
    return time.perf_counter() - start, set(pids)


@pytest.mark.rule("LR-181")
async def test_viewers_do_not_wait_for_each_other(
    site: Site, viewers: aiohttp.ClientSession
) -> None:
    # While environments start, others become free: it takes some rounds until there are enough.
    seen: set[str] = set()
    for _ in range(100):
        _, pids = await together(viewers, site)
        seen |= pids
        if len(pids) == VIEWERS:
            break
    assert len(seen) == VIEWERS
    warm = [await together(viewers, site) for _ in range(5)]
    assert set.union(*(pids for _, pids in warm)) == seen
    # One after the other they would take a hundred times as long as one; about two are usual.
    assert min(took_s for took_s, _ in warm) < 5 * SLEEP_S
