"""The inspector before the sample definition: every view fits from 400 to 2,500 pixels.

With ``EDGEPROXY_PICTURES=docs/images`` the pictures of the docs are made on the way.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.origin import Answer, Got, running_origin

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ROOT = Path(__file__).parents[2]
_SIZES = {400: 860, 1280: 800, 2500: 1300}
_ASKED = 10
_VIEWS = [
    "requests", "cache", "functions", "distribution", "charts", "viewers", "clock", "experiments",
]  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The sample with some traffic of each kind."""
    with running_origin() as a, running_origin() as b, running_origin() as echo, Edge() as edge:
        a.answer, b.answer = (_files(_ROOT / "origins/site" / variant) for variant in "ab")
        echo.answer = Answer(headers={"Content-Type": "text/plain"}, body=b"echo")
        site = edge.serve(
            _ROOT / "edgeproxy.yaml",
            origins={"SiteA": a.url, "SiteB": b.url, "Echo": echo.url, "Flaky": echo.url},
        )
        for path in ("/", "/old", "/swatch/ff8800.png", "/app/cart", "/members", "/missing"):
            site.get(path)
        for variant in ("a", "b", "b"):
            site.get("/", headers={"Cookie": f"ab={variant}; session=5"})
        site.post("/echo?page=2", body=b"name=Anna&email=anna%40example.com")
        site.exchanges(_ASKED)
        yield site


def _files(folder: Path) -> Callable[[Got], Answer]:
    """A server, where the folder itself would show in the pictures."""

    def answer(got: Got) -> Answer:
        file = folder / got.target.lstrip("/")
        if not file.is_file():
            return Answer(403, {"Content-Type": "text/plain"}, b"no such file")
        return Answer(200, {"Content-Type": "text/html"}, file.read_bytes())

    return answer


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("EDGEPROXY_PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    return folder


async def look(page: "Page", site: Site, address: str) -> None:
    await page.goto(f"{site.endpoints['control']}/{address}")
    await page.locator(".exchange:visible, .page:visible h1").first.wait_for()
    await page.get_by_role("switch", name="Cache").wait_for()


@pytest.mark.parametrize("view", _VIEWS)
async def test_a_view_fits(page: "Page", site: Site, view: str):
    await look(page, site, f"#/{view}")
    for width, height in _SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate(
            "[document.documentElement, document.querySelector('main > :not([hidden])')]"
            ".every((each) => each.scrollWidth <= each.clientWidth)"
        )
        assert await page.locator("main > :not([hidden])").is_visible()


async def test_the_pictures_of_the_docs(page: "Page", site: Site, pictures: Path):
    miss = next(
        each.id
        for each in site.exchanges(_ASKED)
        if each.request.path == "/" and each.result_type == "Miss"
    )
    for name, theme, address in (
        ("inspector-journey", "light", f"#/exchange/{miss}/journey"),
        ("inspector-why", "dark", f"#/exchange/{miss}/why"),
        ("inspector-distribution", "light", "#/distribution"),
    ):
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await page.goto("about:blank")
        await page.set_viewport_size({"width": 1200, "height": 740})
        await look(page, site, address)
        if name == "inspector-distribution":
            await page.get_by_role("textbox", name="URL or path").fill("/swatch/ff8800.png")
            await page.locator('.behaviors [data-on="true"]').wait_for()
        if name == "inspector-journey":
            await page.locator('.station[data-key="origin-response"]').click()
        await page.screenshot(path=pictures / f"{name}.png", animations="disabled")
