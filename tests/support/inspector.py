"""A site to inspect, and the inspector's page as its reader sees it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import node_modules
from tests.support.origin import Answer, Got, Origin, running_origin
from tests.support.templates import distribution_template

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["Inspected", "inspected", "violations"]

_THEMES: Final[Mapping[Literal["light", "dark"], str]] = {
    "light": "{}",
    "dark": "{runOnly: ['color-contrast']}",
}
_AXE = Path(__file__).parent / "axe"

_VIEWER_REQUEST = """\
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if request["uri"] == "/crash":
        return request["headers"]["no-such-header"]
    if request["uri"] == "/broken":
        request["headers"]["connection"] = [{"key": "Connection", "value": "close"}]
    print("looking at", request["uri"])
    request["headers"]["x-seen"] = [{"key": "X-Seen", "value": "yes"}]
    return request
"""

_ORIGIN_REQUEST = """\
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    cookies = request["headers"].get("cookie", [])
    variant = "b" if any("ab=b" in line["value"] for line in cookies) else "a"
    request["uri"] = f"/{variant}{request['uri']}"
    return request
"""

_PER_VARIANT = {
    "CachePolicyId": None,
    "OriginRequestPolicyId": None,
    "MinTTL": 0,
    "DefaultTTL": 60,
    "MaxTTL": 3600,
    "ForwardedValues": {
        "QueryString": False,
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["ab"]},
    },
}


@dataclass(frozen=True)
class Inspected:
    """Functions that route by a cookie; ``/crash`` and ``/broken`` are what they fail for."""

    edge: Edge
    site: Site
    origin: Origin

    @property
    def url(self) -> str:
        """The inspector's page."""
        control: str = self.site.endpoints["control"]
        return control

    def ask(self, path: str, **headers: str) -> str:
        """The ID of the exchange of a GET, once it is recorded."""
        response = self.site.get(path, headers=headers)
        exchange = response.headers.get("X-Amz-Cf-Id")
        assert exchange is not None
        count = 1
        while exchange not in [each.id for each in self.site.exchanges(count)]:
            count += 1  # Waits for one more than are kept.
        return exchange


@contextmanager
def inspected(folder: Path) -> Iterator[Inspected]:
    """The site of the inspector's tests."""
    with running_origin() as origin, Edge() as edge:
        origin.answer = _page
        template = distribution_template(
            folder,
            {"viewer-request": _VIEWER_REQUEST, "origin-request": _ORIGIN_REQUEST},
            behavior=_PER_VARIANT,
        )
        yield Inspected(edge, edge.serve(template, origins={"web": origin.url}), origin)


def _page(got: Got) -> Answer:
    headers = {"Content-Type": "text/html", "Cache-Control": "max-age=60"}
    return Answer(headers=headers, body=f"<p>this is {got.target}</p>".encode())


async def violations(page: "Page") -> list[str]:
    """What axe finds wrong with the page as it is, in both themes: only colours depend on these."""
    await page.evaluate(_axe())
    found = []
    for theme, options in _THEMES.items():
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found += await page.evaluate(f"axe.run({options}).then((result) => result.violations)")
    return [
        f"{each['id']}: {each['help']}: {', '.join(node['html'] for node in each['nodes'][:3])}"
        for each in found
    ]


@cache
def _axe() -> str:
    return (node_modules(_AXE) / "axe-core" / "axe.min.js").read_text("utf-8")
