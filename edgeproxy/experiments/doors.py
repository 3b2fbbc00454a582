"""Which door an experiment is about, from the document of ``GET /api/endpoints``."""

from collections.abc import Mapping
from typing import Any

from edgeproxy.errors import UsageError

__all__ = ["door_in"]


def door_in(endpoints: Mapping[str, Any], logical_id: str) -> tuple[str, str]:
    """Logical ID and URL of a distribution, function URL or load balancer.

    With an empty name of the only one; an only distribution goes before what may stand behind it.
    The URL is that of HTTPS where the edge serves it. Raises ``UsageError``.
    """
    doors: dict[str, str] = {}
    for name, distribution in endpoints["distributions"].items():
        if distribution["url"]:  # A staging distribution has none.
            doors[name] = distribution["https_url"] or distribution["url"]
    if not logical_id and len(doors) == 1:
        logical_id = next(iter(doors))
    for name, url in endpoints["function_urls"].items():
        doors[name] = url["https_url"] or url["url"]
    for name, balancer in endpoints["load_balancers"].items():
        doors[name] = balancer["listeners"][0]["url"]
    if not logical_id and len(doors) == 1:
        logical_id = next(iter(doors))
    if logical_id not in doors:
        raise UsageError(
            f"the running edge has no door {logical_id!r}"
            if logical_id
            else "the experiment must say which door it is about",
            remedy=f"door: one of {', '.join(doors)}",
        )
    return logical_id, doors[logical_id].rstrip("/")
