"""A distribution for the tests of logs."""

from dataclasses import replace
from typing import Any

from edgeproxy.distribution.model import (
    Behavior,
    CustomOrigin,
    Distribution,
    LegacyCacheSettings,
    Origin,
)

__all__ = ["DOMAIN", "distribution"]

DOMAIN = "d111111abcdef8.cloudfront.net"


def distribution(**changes: Any) -> Distribution:
    """``Site`` with one origin; ``changes`` are its attributes, or ``behavior`` for those of its
    default behavior."""
    behavior = Behavior("*", "web", LegacyCacheSettings(query_string=False))
    made = Distribution(
        "Site",
        "E1234567890ABC",
        DOMAIN,
        {"web": Origin("web", "web.example.com", CustomOrigin())},
        replace(behavior, **changes.pop("behavior", {})),
    )
    return replace(made, **changes)
