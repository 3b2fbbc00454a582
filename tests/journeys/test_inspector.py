"""The inspector's page in a browser: what a request went through, and why."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.inspector import Inspected, inspected, violations
from tests.support.origin import Answer

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, Route

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PATIENCE_MS = 10_000


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspected]:
    with inspected(tmp_path_factory.mktemp("inspected")) as running:
        yield running


@pytest.fixture(autouse=True)
async def _no_problem_of_the_page(page: "Page") -> AsyncIterator[None]:
    """Nothing is written to the console: no error, nothing the policy of the page refuses."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield
    assert said == []


async def opened(page: "Page", inspector: Inspected, address: str) -> "Locator":
    """The request that is looked at."""
    await page.goto(f"{inspector.url}/{address}")
    shown = page.locator(".exchange")
    await shown.wait_for()
    return shown


async def states(shown: "Locator") -> dict[str, str]:
    """The stations and whether they were passed, skipped, or broke something."""
    found: dict[str, str] = await shown.locator(".station").evaluate_all(
        "all => Object.fromEntries(all.map(({dataset}) => [dataset.key, dataset.state]))"
    )
    return found


async def changed(shown: "Locator") -> list[tuple[str, str, str]]:
    """The differences on the page: kind, name, what stands there."""
    rows = shown.locator('.diff-row:not([data-kind="same"])')
    found = await rows.evaluate_all(
        "all => all.map((row) => [row.dataset.kind, row.querySelector('dt').innerText,"
        " row.querySelector('dd').innerText])"
    )
    return [(kind, name, text) for kind, name, text in found]


async def test_the_journey_of_a_miss(page: "Page", inspector: Inspected):
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask('/miss', Cookie='ab=a')}")
    assert await states(shown) == {
        "viewer": "passed",
        "behavior": "passed",
        "viewer-request": "passed",
        "cache": "passed",
        "origin-request": "passed",
        "origin": "passed",
        "origin-response": "skipped",
        "cache-back": "passed",
        "viewer-response": "skipped",
        "viewer-back": "passed",
    }
    await shown.locator('.station[data-key="viewer-request"]').click()
    assert await changed(shown) == [("added", "X-Seen", "yes")]
    assert "looking at /miss" in await shown.locator(".log").inner_text()
    await shown.locator('.station[data-key="origin-request"]').click()
    assert ("changed", "URI", "/miss /a/miss") in await changed(shown)
    await shown.locator('.station[data-key="origin"]').click()
    assert "<p>this is /a/miss</p>" in await shown.locator(".stop").inner_text()
    await shown.locator('.station[data-key="origin-response"]').click()
    assert "No function is attached to origin-response" in await shown.locator(".stop").inner_text()
    names = await shown.locator(".waterfall .name").all_inner_texts()
    assert [name.strip() for name in names] == [
        "behavior", "viewer-request ViewerRequest", "cache", "origin-request OriginRequest",
        "origin web", "answer sent",
    ]  # fmt: skip


async def test_the_journey_of_a_hit_turns_at_the_cache(page: "Page", inspector: Inspected):
    inspector.ask("/twice", Cookie="ab=a")
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask('/twice', Cookie='ab=a')}")
    passed = [key for key, state in (await states(shown)).items() if state == "passed"]
    assert passed == [
        "viewer", "behavior", "viewer-request", "cache", "cache-back", "viewer-back",
    ]  # fmt: skip
    await shown.locator('.station[data-key="origin"]').click()
    assert "The cache answered: Hit" in await shown.locator(".stop").inner_text()
    await shown.locator('.station[data-key="viewer-back"]').click()
    assert ("added", "X-Cache", "Hit from cloudfront") in await changed(shown)


async def test_a_broken_rule_is_shown_with_its_remedy(page: "Page", inspector: Inspected):
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask('/broken')}")
    assert (await states(shown))["viewer-request"] == "broken"
    finding = await shown.locator(".finding").inner_text()
    assert "LE-HDR-01" in finding
    assert "request.headers has the header Connection" in finding
    assert "leave it out, or use a name of your own" in finding


async def test_an_exception_is_shown_with_the_users_file_and_line(
    page: "Page", inspector: Inspected
):
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask('/crash')}")
    finding = shown.locator(".finding")
    assert "KeyError" in await finding.inner_text()
    place = await finding.locator(".place").inner_text()
    assert place.endswith("/ViewerRequest/app.py:4")


async def test_the_list_goes_back_as_far_as_the_edge_does(page: "Page", inspector: Inspected):
    for number in range(7):
        inspector.ask(f"/kept/{number}")

    async def two_at_once(route: "Route") -> None:
        await route.continue_(url=re.sub(r"limit=\d+", "limit=2", route.request.url))

    await page.route("**/api/exchanges?limit=*", two_at_once)
    await page.goto(f"{inspector.url}/")
    await page.locator("#filter").fill("path:/kept/")
    await page.locator("#filter-note", has_text=re.compile(r"\b7 (of [0-9]+ )?requests")).wait_for()


async def test_the_two_variants_of_a_page_differ_in_the_cache_key(
    page: "Page", inspector: Inspected
):
    for variant in ("a", "b"):
        exchange = inspector.ask("/pair", Cookie=f"ab={variant}; session=1")
        shown = await opened(page, inspector, f"#/exchange/{exchange}/why")
        rows = await shown.get_by_role("table", name="Cache key").locator("tbody tr").all()
        key = {
            await row.locator("th").inner_text(): await row.locator("td").first.inner_text()
            for row in rows
        }
        assert key["path"] == "/pair"
        assert key["cookie ab"] == variant
        if variant == "b":
            others = shown.get_by_role("table", name="Stored under other keys")
            cells = await others.locator("tbody tr").first.locator("th, td").all_inner_texts()
            assert cells == ["cookie ab", "a", "b"]
        await shown.get_by_role("tab", name="Journey").click()
        await shown.locator('.station[data-key="origin-request"]').click()
        assert ("changed", "URI", f"/pair /{variant}/pair") in await changed(shown)
        await page.goto("about:blank")


async def test_requests_appear_as_they_end_and_the_newest_is_open(
    page: "Page", inspector: Inspected
):
    inspector.ask("/before")
    shown = await opened(page, inspector, "")
    assert await shown.locator("h1").inner_text() == "GET /before"
    await page.locator(".live[data-state=live]").wait_for()
    inspector.ask("/live?x=1")
    row = page.locator(".space .row", has_text="/live?x=1")
    await row.click()
    await page.locator("h1", has_text="/live?x=1").wait_for()


async def test_the_list_by_keyboard(page: "Page", inspector: Inspected):
    from playwright.async_api import expect  # too slow for everybody who collects tests

    for path in ("/keys/1", "/keys/2", "/keys/3"):
        inspector.ask(path)
    shown = await opened(page, inspector, "")
    title = shown.locator("h1")
    await page.keyboard.press("/")
    await page.keyboard.type("path:/keys -path:/keys/2")
    await expect(page.locator(".space .row .path")).to_have_text(
        ["/keys/3", "/keys/1"], timeout=_PATIENCE_MS
    )
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("j")
    await title.filter(has_text="/keys/1").wait_for()
    await page.keyboard.press("k")
    await title.filter(has_text="/keys/3").wait_for()
    await page.keyboard.press("Enter")
    assert await title.evaluate("heading => heading === document.activeElement")
    await page.keyboard.press("h")
    await shown.locator('.station[aria-pressed="true"]:not([data-key="origin"])').wait_for()
    await page.keyboard.press("Escape")
    assert await page.locator(".list").evaluate("list => list === document.activeElement")
    await page.keyboard.press("p")
    await page.get_by_role("button", name="Go on").wait_for()
    await page.keyboard.press("?")
    await page.get_by_role("dialog", name="Keys").wait_for()


async def test_what_a_filter_cannot_read_is_said(page: "Page", inspector: Inspected):
    inspector.ask("/any")
    await opened(page, inspector, "")
    note = page.locator("#filter-note")
    await page.locator("#filter").fill("stat:200")
    assert "There is no key “stat”" in await note.inner_text()
    await page.locator("#filter").fill("status:many")
    assert "“many” is no number" in await note.inner_text()
    await page.locator("#filter").fill("status:>=600")
    await page.get_by_text("No request fits the filter.").wait_for()


async def test_what_comes_from_the_network_is_text(page: "Page", inspector: Inspected):
    mark = "<img src=x onerror=document.title='bad'>"
    inspector.origin.answer = lambda _: Answer(headers={"X-Html": mark}, body=mark.encode())
    path = "/%3Cimg%20src=x%20onerror=document.title='bad'%3E"
    exchange = inspector.ask(path, **{"User-Agent": mark, "Cookie": f"ab={mark}"})
    shown = await opened(page, inspector, f"#/exchange/{exchange}/messages")
    assert mark in await shown.inner_text()
    assert await page.locator("img").count() == 0


@pytest.mark.parametrize(
    ("path", "tab"),
    [("/broken", "journey"), ("/fine", "journey"), ("/fine", "why"), ("/fine", "messages")],
)
async def test_a_request_can_be_read_by_everybody(
    page: "Page", inspector: Inspected, path: str, tab: str
):
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask(path)}/{tab}")
    if tab == "journey":
        await shown.locator('.station[data-key="viewer-request"]').click()
    assert await violations(page) == []


@pytest.mark.parametrize(
    "view", ["cache", "functions", "distribution", "charts", "viewers", "clock", "experiments"]
)
async def test_a_view_can_be_read_by_everybody(page: "Page", inspector: Inspected, view: str):
    inspector.ask("/in-view")
    await page.goto(f"{inspector.url}/#/{view}")
    await page.locator(f".page.{view} h1").wait_for()
    await page.get_by_role("switch", name="Cache").wait_for()
    assert await violations(page) == []


async def test_variants_lie_side_by_side_and_are_dropped_one_by_one(
    page: "Page", inspector: Inspected
):
    for variant in ("a", "b"):
        inspector.ask("/variants", Cookie=f"ab={variant}")
    await page.goto(f"{inspector.url}/#/cache")
    await page.get_by_role("button", name="/variants", exact=True).click()
    variants = page.get_by_role("table", name="Variants")
    differing = variants.locator('tr[data-differs="true"]')
    cells = await differing.locator("th, td").all_inner_texts()
    assert [cells[0], *sorted(cells[1:])] == ["cookie ab", "a", "b"]
    await variants.get_by_role("button", name="Drop this one").first.click()
    await differing.wait_for(state="detached")
    await page.get_by_role("button", name="Invalidate /variants").click()
    await page.get_by_text("1 object dropped.").wait_for()
    await page.get_by_role("button", name="/variants", exact=True).wait_for(state="detached")


async def test_the_cache_is_switched_off_and_on(page: "Page", inspector: Inspected):
    inspector.ask("/switched")
    await opened(page, inspector, "")
    switch = page.get_by_role("switch", name="Cache")
    await switch.click()
    await page.get_by_text("The cache is off").wait_for()
    assert inspector.site.get("/switched").x_cache == "Miss from cloudfront"
    await switch.click()
    await page.get_by_text("The cache is on.").wait_for()
    assert inspector.site.get("/switched").x_cache == "Hit from cloudfront"


async def test_objects_expire_as_the_clock_moves(page: "Page", inspector: Inspected):
    inspector.ask("/expiring", Cookie="ab=a")
    await page.goto(f"{inspector.url}/#/clock")
    row = page.locator(".expiring li", has_text="/expiring")
    assert await row.get_attribute("data-gone") == "false"
    await page.get_by_role("button", name="+10 min").click()
    await page.locator('.expiring li[data-gone="true"]', has_text="/expiring").wait_for()
    await page.locator(".offset", has_text="+10 min").wait_for()
    await page.get_by_role("button", name="Back to real time").click()
    await page.locator(".offset").wait_for(state="detached")


async def test_the_way_of_a_url_lights_up(page: "Page", inspector: Inspected):
    await page.goto(f"{inspector.url}/#/distribution")
    await page.get_by_role("textbox", name="URL or path").fill("/lit?x=1")
    lit = page.locator('.behaviors [data-on="true"]')
    await lit.wait_for()
    assert await lit.locator("strong").inner_text() == "*"
    assert await page.locator('.origins [data-on="true"] strong').inner_text() == "web"
    assert await page.locator('.wires [data-on="true"]').count() == 2
    assert "path /lit" in await page.get_by_role("region", name="Its way").inner_text()


async def test_a_request_is_sent_again_and_edited(page: "Page", inspector: Inspected):
    shown = await opened(page, inspector, f"#/exchange/{inspector.ask('/again', Cookie='ab=a')}")
    await shown.get_by_role("button", name="Send again").click()
    result = shown.locator(".line .result")
    await result.filter(has_text="Hit").wait_for()
    await shown.get_by_role("button", name="Edit and send").click()
    dialog = page.get_by_role("dialog", name="Edit and send")
    await dialog.get_by_label("URL").fill("/edited?y=2")
    await dialog.get_by_label("Headers").fill("Cookie: ab=b\nX-Mine: yes")
    await dialog.get_by_role("button", name="Send").click()
    await shown.locator("h1", has_text="/edited?y=2").wait_for()
    await shown.get_by_role("tab", name="Messages").click()
    assert "X-Mine" in await shown.inner_text()


async def test_a_request_is_copied_for_other_tools(page: "Page", inspector: Inspected):
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    exchange = inspector.ask("/copied", Cookie="ab=a")
    shown = await opened(page, inspector, f"#/exchange/{exchange}")
    copied: dict[str, str] = {}
    for name, said in (
        ("Copy as curl", "The curl command copied."),
        ("Lambda event", "The viewer-request event copied."),
        ("pytest", "The test copied."),
    ):
        await shown.get_by_role("button", name=name).click()
        await page.get_by_text(said).wait_for()
        copied[name] = await page.evaluate("navigator.clipboard.readText()")
    assert copied["Copy as curl"].startswith("curl ")
    event = json.loads(copied["Lambda event"])["Records"][0]["cf"]
    assert event["request"]["uri"] == "/copied"
    assert "site.request('GET', '/copied'" in copied["pytest"]
    async with page.expect_download() as download:
        await shown.get_by_role("button", name="HAR").click()
    archive = json.loads(Path(await (await download.value).path()).read_text("utf-8"))
    (entry,) = archive["log"]["entries"]
    assert entry["request"]["url"].endswith("/copied")


async def test_a_viewer_has_a_tab_of_its_own(page: "Page", inspector: Inspected):
    await page.goto(f"{inspector.url}/#/viewers")
    await page.get_by_label("Name").fill("tokyo-phone")
    await page.get_by_label("Country").fill("JP")
    await page.get_by_label("Device").select_option("mobile")
    await page.get_by_role("button", name="Make").click()
    door = page.get_by_role("link", name="tokyo-phone.viewer.localhost")
    async with page.expect_popup() as popup:
        await door.click()
    tab = await popup.value
    await tab.wait_for_load_state()
    await page.goto(f"{inspector.url}/#/requests")
    await page.locator(".space .row", has_text="GET").first.click()
    await page.locator('.station[data-key="viewer"]').click()
    facts = await page.locator(".stop .facts").inner_text()
    assert "JP" in facts
    assert "mobile" in facts
    await page.goto(f"{inspector.url}/#/viewers")
    await page.get_by_role("button", name="Remove tokyo-phone").click()
    await door.wait_for(state="detached")


async def test_a_function_is_tried_with_an_event_of_a_recorded_request(
    page: "Page", inspector: Inspected
):
    from playwright.async_api import expect

    exchange = inspector.ask("/broken")
    await page.goto(f"{inspector.url}/#/functions/ViewerRequest")
    await page.get_by_label("made from").select_option(exchange)
    await page.get_by_role("button", name="Make the event").click()
    event = page.get_by_role("textbox", name="Event")
    await expect(event).to_have_value(re.compile("/broken"), timeout=_PATIENCE_MS)
    await page.get_by_role("button", name="Invoke").click()
    result = page.get_by_role("region", name="Result")
    await result.get_by_text("LE-HDR-01").wait_for()
    await event.fill((await event.input_value()).replace("/broken", "/fine"))
    await page.get_by_role("button", name="Invoke").click()
    await result.get_by_text("returned").wait_for()
    assert "looking at /fine" in await result.inner_text()


async def test_charts_tell_hits_and_shares(page: "Page", inspector: Inspected):
    for variant in ("a", "a", "a", "b"):
        inspector.ask("/charted", Cookie=f"ab={variant}")
    await page.goto(f"{inspector.url}/#/charts")
    await page.locator(".chart svg rect[data-kind=hit]").first.wait_for()
    await page.get_by_label("Cookie").fill("ab")
    await page.keyboard.press("Enter")
    await page.get_by_role("meter", name="Share of a").wait_for()
    await page.get_by_role("meter", name="Share of b").wait_for()
