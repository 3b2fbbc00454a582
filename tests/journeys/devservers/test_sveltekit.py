"""SvelteKit's dev server behind the edge: pages that come in parts, and stay alive."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.devservers.servers import copied, edited, vite
from tests.support.command import dev

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Served:
    project: Path
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sveltekit")
    project = copied("sveltekit", folder / "project")
    with vite(project) as url, dev(url, "--https-port", "0", cwd=folder) as edge:
        https = edge.endpoints["distributions"]["Default"]["https_url"]
        yield Served(project, https.replace("127.0.0.1", "localhost"))


async def test_a_page_is_there_before_its_end(page, served):
    async with page.expect_request_finished(lambda request: request.is_navigation_request()) as end:
        await page.goto(served.url, wait_until="commit")
        await page.get_by_text("reading reviews").wait_for()
        assert await page.inner_text("h1") == "A lamp"
        assert not end.is_done()
        released = await page.request.post(
            f"{served.url}/release", data="bright", headers={"Origin": served.url}
        )
        assert released.status == 204
    await page.get_by_text("bright", exact=True).wait_for()


async def test_a_component_is_replaced_and_the_page_stays(page, served):
    async with page.expect_console_message(lambda told: told.text == "[vite] connected."):
        await page.goto(served.url, wait_until="commit")
    await page.request.post(f"{served.url}/release", data="dim", headers={"Origin": served.url})
    await page.get_by_text("dim", exact=True).wait_for()
    await page.evaluate("window.loaded = 'once'")
    with edited(served.project / "src/routes/+page.svelte", "bought", "chosen"):
        await page.get_by_text("0 chosen").wait_for()
    await page.get_by_text("0 bought").wait_for()
    assert await page.evaluate("loaded") == "once"
