"""A real browser for tests: the system's Chromium without a window, driven by Playwright.

One browser runs for the whole session, and each test has a page with a profile of its own, so that
no cookie or cached file is left of the one before. Playwright lives in the session's event loop,
and so do the tests that use it:

    pytestmark = pytest.mark.asyncio(loop_scope="session")

    async def test_title(page):
        await page.goto("http://127.0.0.1:8080/")
        assert await page.title() == "Shop"

Nothing is skipped: a machine without Chromium gets Playwright's own, once, into a folder that git
ignores; where that cannot be had, the tests fail and say what to install.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

__all__ = ["browser", "chromium", "launched", "page"]

_INSTALLED = Path(__file__).parent / ".browsers"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",  # of no use to pages of our own, and not to be had in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_INSTALL_S = 300
_ACTION_MS = 10_000


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """One browser for all tests; pages come from contexts of their own."""
    async with launched() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: "Browser") -> AsyncIterator["Page"]:
    """An empty page, 1280 by 800, in a profile of its own, which takes any certificate."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, ignore_https_errors=True
    )
    context.set_default_timeout(_ACTION_MS)
    try:
        yield await context.new_page()
    finally:
        await context.close()


@asynccontextmanager
async def launched(environment: Mapping[str, str] | None = None) -> AsyncIterator["Browser"]:
    """A browser of one's own, with a fresh user data folder; ``environment`` is all it has."""
    from playwright.async_api import async_playwright  # a third of a second that others save

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium(),
            headless=True,
            args=list(_FLAGS),
            env=dict(os.environ if environment is None else environment),
        )
        try:
            yield running
        finally:
            await running.close()


def chromium() -> Path:
    """The program: the system's Chromium or Chrome, else Playwright's."""
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    _INSTALLED.mkdir(exist_ok=True)
    with (_INSTALLED / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        return _playwright_s() or _install()


def _playwright_s() -> Path | None:
    return next(_INSTALLED.glob("chromium-*/chrome-*/chrome"), None) or next(
        _INSTALLED.glob("chromium-*/chrome-*/*.app/Contents/MacOS/*"), None
    )


def _install() -> Path:
    command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(_INSTALLED)}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True,
            timeout=_INSTALL_S, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        output = f"no end after {_INSTALL_S} s"
    if (found := _playwright_s()) is None:
        pytest.fail(
            "these tests need Chromium or Chrome: install it (Debian: apt-get install chromium). "
            f"Playwright's own could not be had either:\n$ {' '.join(command)}\n{output}",
            pytrace=False,
        )
    return found
