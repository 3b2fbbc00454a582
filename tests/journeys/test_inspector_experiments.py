"""Experiments in the inspector's page, in a browser.

With ``EDGEPROXY_PICTURES=docs/images`` the picture of the docs is made on the way.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeproxy.experiments.screenshots import browser
from edgeproxy.testing import Edge, Site
from tests.support.browser import chromium
from tests.support.experiments import SAMPLES, come, variants
from tests.support.inspector import violations
from tests.support.origin import running_origin

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SIZES = {400: 860, 1280: 800, 2500: 1300}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The sample whose visitors get each other's pages, on a machine with a browser."""
    with running_origin() as origin, Edge() as edge, pytest.MonkeyPatch.context() as patch:
        if browser() is None:
            (tmp_path / "chromium").symlink_to(chromium())
            patch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        origin.answer = variants
        yield edge.serve(
            SAMPLES / "cloudfront_function" / "broken.yaml", origins={"Web": origin.url}
        )


async def opened(page: "Page", site: Site) -> None:
    await page.goto(f"{site.endpoints['control']}/#/experiments")
    await page.locator(".experiment h2", has_text="cloudfront_function").wait_for()
    await page.get_by_role("switch", name="Cache").wait_for()
    await page.locator(".live[data-state=live]").wait_for()


async def test_a_leak_is_shown_as_it_happens(page: "Page", site: Site) -> None:
    come(site, "aabb", "/early")
    come(site, "aaab", "/cart", network=2)
    await opened(page, site)
    leaks = page.get_by_role("region", name="Leaks")
    await leaks.get_by_text("3 answers went to the other side").wait_for()
    come(site, "ab", "/live")
    await leaks.get_by_text("4 answers went to the other side").wait_for()
    assert "The cookie ab is not in the cache key" in await leaks.inner_text()
    share = page.get_by_role("img", name="a: 62.5 % of the visitors").locator("..")
    assert "of 50.0 % expected" in await share.inner_text()
    way = page.locator(".ways li", has_text="192.0.1.1").first
    assert await way.locator("a").all_inner_texts() == ["a", "b!"]
    assert await violations(page) == []
    await way.locator("a").last.click()
    await page.locator(".exchange h1", has_text="GET /live").wait_for()


async def test_being_on_a_side_and_side_by_side(page: "Page", site: Site, tmp_path: Path) -> None:
    come(site, "aabb", "/early")
    come(site, "aaab", "/cart", network=2)
    await opened(page, site)
    async with page.context.expect_page() as opening:
        await page.get_by_role("button", name="Be on b").click()
    tab = await opening.value
    await tab.get_by_role("heading", name="Variant b").wait_for()
    assert "cloudfront-function-b.viewer.localhost" in tab.url
    await page.get_by_label("Path").fill("/compared")
    await page.get_by_label("with screenshots").check()
    await page.get_by_role("button", name="Compare").click()
    compared = page.get_by_role("region", name="/compared side by side")
    pictures = compared.locator("img")
    await pictures.nth(1).wait_for()
    # The second visitor got what was made for the first.
    told = await compared.inner_text()
    assert "the answer of a" in told
    assert "The same, byte for byte." in told
    loaded = "(all) => Promise.all(all.map((each) => each.decode().then(() => each.naturalWidth)))"
    assert await pictures.evaluate_all(loaded) == [1280, 1280]
    assert await violations(page) == []
    for width, height in _SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.locator(".page.experiments").evaluate(
            "(each) => each.scrollWidth <= each.clientWidth"
        )
    await page.set_viewport_size({"width": 1280, "height": 1000})
    folder = Path(os.environ.get("EDGEPROXY_PICTURES", tmp_path))
    await page.emulate_media(color_scheme="light")
    await page.locator(".page.experiments").evaluate("(each) => each.scrollTo(0, 0)")
    await page.screenshot(path=folder / "inspector-experiments.png", animations="disabled")
    await page.get_by_role("button", name="End being on b").click()
    await page.get_by_role("button", name="Be on b").wait_for()
