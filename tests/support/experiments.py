"""The sample experiments, and visitors for them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from edgeproxy.testing import Site
from tests.support.origin import Answer, Got

__all__ = ["SAMPLES", "come", "variants"]

SAMPLES: Final = Path(__file__).parents[2] / "functions" / "experiments"


def variants(got: Got) -> Answer:
    """A page of the side that the request's cookie says, that of a without one."""
    side = "b" if "ab=b" in (got.header("Cookie") or "") else "a"
    headers = {"Content-Type": "text/html", "Cache-Control": "max-age=60"}
    page = f"<!doctype html>\n<html lang=en><title>Shop</title>\n<h1>Variant {side}</h1>\n"
    return Answer(headers=headers, body=page.encode())


def come(
    site: Site,
    sides: Iterable[str],
    path: str = "/",
    *,
    network: int = 1,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Visitors that have been put on these sides before ask for a page, one after the other."""
    asked = set()
    for number, side in enumerate(sides):
        own = {"x-edgeproxy-viewer-ip": f"192.0.{network}.{number}", "Cookie": f"ab={side}"}
        answer = site.get(path, headers={**own, **(headers or {})})
        asked.add(answer.headers.get("X-Amz-Cf-Id"))
    count = len(asked)
    while not asked <= {each.id for each in site.exchanges(count)}:
        count += 1  # Waits for one more than are kept.
