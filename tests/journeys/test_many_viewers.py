"""A hundred viewers at once in front of a function that waits: environments scale out, and stay."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from edgeproxy.testing import Edge, Site
from tests.support.origin import Answer, running_origin
from tests.support.templates import distribution_template

VIEWERS = 100
SOURCE = """
import os, pathlib, time

MET = pathlib.Path({met!r})

def handler(event, context):
    (MET / str(os.getpid())).touch()
    until = time.monotonic() + 3
    while not (MET / "go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return {{"status": "200", "body": str(os.getpid())}}
"""


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a file for each process that is in the handler; with ``go`` there they go on."""
    return tmp_path_factory.mktemp("met")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, met: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("many")
    source = SOURCE.format(met=str(met))
    with running_origin() as origin, Edge() as edge:
        origin.answer = Answer()
        template = distribution_template(folder, {"viewer-request": source}, timeout=5)
        yield edge.serve(template, origins={"web": origin.url})


@pytest.fixture
async def viewers() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def together(session: aiohttp.ClientSession, site: Site, met: Path) -> tuple[bool, set[str]]:
    """Whether all viewers were in the function at once, and which processes answered them."""

    async def view() -> str:
        async with session.get(site.url) as response:
            assert response.status == 200
            return await response.text()

    for file in met.iterdir():
        file.unlink()
    views = asyncio.gather(*(view() for _ in range(VIEWERS)))
    while not views.done() and len(list(met.iterdir())) < VIEWERS:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    at_once = not views.done()
    (met / "go").touch()
    return at_once, set(await views)


@pytest.mark.rule("LR-181")
async def test_viewers_do_not_wait_for_each_other(
    site: Site, viewers: aiohttp.ClientSession, met: Path
) -> None:
    # While environments start, others become free: it may take some rounds until there are enough.
    async with asyncio.timeout(120):
        at_once, seen = await together(viewers, site, met)
        while not at_once:
            at_once, seen = await together(viewers, site, met)
    assert len(seen) == VIEWERS
    warm = [await together(viewers, site, met) for _ in range(5)]
    assert set.union(*(pids for _, pids in warm)) == seen
    assert any(at_once for at_once, _ in warm)
