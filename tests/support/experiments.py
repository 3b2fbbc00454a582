"""The sample experiments, and visitors for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edgeproxy.testing import Site
from tests.support.origin import Answer, Got

__all__ = ["SAMPLES", "come", "variants"]

SAMPLES: Final = Path(__file__).parents[2] / "functions" / "experiments"


def variants(got: Got) -> Answer:
    """A page of the side that the request's cookie says, a page for all without one."""
    side = "b" if "ab=b" in (got.header("Cookie") or "") else "a"
    headers = {"Content-Type": "text/html", "Cache-Control": "max-age=60"}
    return Answer(headers=headers, body=f"<title>Shop</title>\n<h1>Variant {side}</h1>\n".encode())


def come(site: Site, sides: Iterable[str], path: str = "/", *, network: int = 1) -> None:
    """Visitors that have been put on these sides before ask for a page, one after the other."""
    asked = 0
    known = len(site.running.history.newest(1000)[0])
    for number, side in enumerate(sides):
        headers = {"x-edgeproxy-viewer-ip": f"192.0.{network}.{number}", "Cookie": f"ab={side}"}
        site.get(path, headers=headers)
        asked += 1
    site.exchanges(known + asked)
