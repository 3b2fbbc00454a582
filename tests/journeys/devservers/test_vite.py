"""Vite's dev server behind the edge, in a browser: all works as if the edge were not there."""

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.devservers.servers import copied, edited, vite
from tests.support.command import dev

pytestmark = pytest.mark.asyncio(loop_scope="session")

_LISTEN = """() => {
    window.heard = [];
    window.source = new EventSource("/events");
    source.onmessage = (event) => heard.push(event.data);
}"""
_POLL = """() => {
    const poll = async () => (await fetch("/poll", { cache: "no-store" })).text();
    window.polls = Promise.all([poll(), poll()]);
}"""

_UNTIL = """async (wanted) => {
    for (let asked = 0; asked < 200; asked++) {
        const [listening, waiting] = await (await fetch("/count")).json();
        if (listening === wanted[0] && waiting === wanted[1]) return true;
        await new Promise((later) => setTimeout(later, 50));
    }
    return false;
}"""
"""Whether so many come to listen, and to wait, within ten seconds."""


@dataclass(frozen=True, slots=True)
class Served:
    """A project that Vite serves, and where the edge in front of it is."""

    project: Path
    urls: dict[str, str]

    def edited(self, name: str, old: str, new: str) -> AbstractContextManager[None]:
        return edited(self.project / name, old, new)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("vite")
    project = copied("vite", folder / "project")
    with vite(project) as url, dev(url, "--https-port", "0", cwd=folder) as edge:
        site = edge.endpoints["distributions"]["Default"]
        # HTTP/2 is spoken to who asks for a name.
        https = site["https_url"].replace("127.0.0.1", "localhost")
        yield Served(project, {"http": site["url"], "https": https})


@pytest.fixture(params=["http", "https"])
def url(request, served):
    return served.urls[request.param]


async def _open(page, url):
    """Its first load, until hot replacement works."""
    async with page.expect_console_message(lambda told: told.text == "[vite] connected."):
        await page.goto(url)
    await page.evaluate("window.loaded = 'once'")


async def _shows(page, text):
    await page.wait_for_function(
        "text => document.querySelector('h1')?.innerText === text", arg=text
    )


async def test_the_page_and_all_its_modules_arrive(page, url):
    statuses, problems = {}, []
    page.on("response", lambda answer: statuses.update({answer.url: answer.status}))
    page.on("pageerror", lambda error: problems.append(error))
    await _open(page, url)
    await _shows(page, "Welcome to the shop")
    assert {"/", "/src/main.ts", "/@vite/client", "/src/style.css"} <= {
        address.removeprefix(url) for address in statuses
    }
    assert (set(statuses.values()), problems) == ({200}, [])
    spoken = await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert spoken == ("h2" if url.startswith("https") else "http/1.1")


async def test_a_changed_module_is_replaced_without_a_reload(page, served, url):
    await _open(page, url)
    with served.edited("src/greeting.ts", "Welcome", "Goodbye"):
        await _shows(page, "Goodbye to the shop")
    await _shows(page, "Welcome to the shop")
    assert await page.evaluate("loaded") == "once"


async def test_a_changed_style_is_replaced_without_a_reload(page, served, url):
    is_coloured = "c => getComputedStyle(document.querySelector('h1')).color === c"
    await _open(page, url)
    with served.edited("src/style.css", "rgb(1, 2, 3)", "rgb(4, 5, 6)"):
        await page.wait_for_function(is_coloured, arg="rgb(4, 5, 6)")
    await page.wait_for_function(is_coloured, arg="rgb(1, 2, 3)")
    assert await page.evaluate("loaded") == "once"


async def test_a_changed_page_is_loaded_again(page, served, url):
    await _open(page, url)
    with served.edited("index.html", "<title>Shop", "<title>Mart"):
        await page.wait_for_function("document.title === 'Mart'")
    await page.wait_for_function("document.title === 'Shop'")
    assert await page.evaluate("window.loaded") is None


async def test_source_maps_lead_to_what_was_written(page, served, url):
    debugger = await page.context.new_cdp_session(page)
    maps = {}
    debugger.on(
        "Debugger.scriptParsed",
        lambda script: maps.update({script["url"].partition("?")[0]: script["sourceMapURL"]}),
    )
    await debugger.send("Debugger.enable")
    await _open(page, url)
    written = (served.project / "src/greeting.ts").read_text()
    assert _sources(maps[f"{url}/src/greeting.ts"]) == [written]
    assert "lit-html" in _sources(maps[f"{url}/.vite/deps/lit-html.js"])[0]


def _sources(data_url):
    return json.loads(base64.b64decode(data_url.partition("base64,")[2]))["sourcesContent"]


async def test_events_come_as_they_happen_and_end_with_the_viewer(page, url):
    await _open(page, url)
    await page.evaluate(_LISTEN)
    await page.wait_for_function("heard.length === 1")
    assert await page.evaluate(_UNTIL, [1, 0])
    await page.evaluate("() => fetch('/say/hello')")
    await page.wait_for_function("heard.length === 2")
    assert await page.evaluate("heard") == ["open", "hello"]
    await page.evaluate("source.close()")
    assert await page.evaluate(_UNTIL, [0, 0])


async def test_long_polls_are_held_until_there_is_something_to_say(page, url):
    await _open(page, url)
    await page.evaluate(_POLL)
    assert await page.evaluate(_UNTIL, [0, 2])
    await page.evaluate("() => fetch('/say/news')")
    assert await page.evaluate("polls") == ["news", "news"]


async def test_only_what_vite_allows_is_answered_from_the_cache(page, served, url):
    await _open(page, url)
    results = {}

    def note(answer):
        path = answer.url.removeprefix(url)
        results[path] = answer.headers["x-cache"].removesuffix(" from cloudfront")

    page.on("response", note)
    # What the browser has of its own does not count.
    debugger = await page.context.new_cdp_session(page)
    await debugger.send("Network.enable")
    await debugger.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await _open(page, url)
    packages = {path for path in results if path.startswith("/.vite/deps/") and "?v=" in path}
    assert packages
    assert {path: results[path] for path in packages} == dict.fromkeys(packages, "Hit")
    assert {results[path] for path in results.keys() - packages} <= {"Miss", "RefreshHit"}
    with served.edited("src/greeting.ts", "Welcome", "Farewel"):
        await _shows(page, "Farewel to the shop")
    await _shows(page, "Welcome to the shop")
    replaced = [path for path in results if path.startswith("/src/greeting.ts?t=")]
    assert len(replaced) >= 2
    assert {results[path] for path in replaced} == {"Miss"}


async def test_a_module_that_has_not_changed_is_not_sent_again(page, url):
    await _open(page, url)
    known = await page.request.get(f"{url}/src/greeting.ts")
    again = await page.request.get(
        f"{url}/src/greeting.ts", headers={"If-None-Match": known.headers["etag"]}
    )
    assert (known.status, again.status, await again.body()) == (200, 304, b"")
