"""What AWS refuses in the CORS settings of a function URL (FU-100, FU-100a)."""

from collections.abc import Iterator
from typing import Final

from edgeproxy.awslambda.model import Cors
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding

__all__ = ["check_cors"]

_MOST: Final = 100
_MOST_METHODS: Final = 6
_LONGEST_METHOD: Final = 6
_LONGEST_AGE_S: Final = 86_400


def check_cors(cors: Cors, where: Where) -> Iterator[CheckFinding]:
    """How many values there may be, and how long."""
    for name, values, most in (
        ("AllowOrigins", cors.allow_origins, _MOST),
        ("AllowMethods", cors.allow_methods, _MOST_METHODS),
        ("AllowHeaders", cors.allow_headers, _MOST),
        ("ExposeHeaders", cors.expose_headers, _MOST),
    ):
        if len(values) > most:
            yield CheckFinding(
                "FU-100",
                where(name),
                f"ValidationException: {name} has {len(values)} values; AWS takes {most}.",
                "leave some out",
            )
    for method in cors.allow_methods:
        if len(method) > _LONGEST_METHOD:
            yield CheckFinding(
                "FU-100a",
                where("AllowMethods"),
                f"ValidationException: the method {method} has more than {_LONGEST_METHOD} "
                "characters.",
                "leave it out: preflights need no entry of their own"
                if method == "OPTIONS"
                else "name methods of HTTP, or *",
            )
    if cors.max_age_s is not None and not 0 <= cors.max_age_s <= _LONGEST_AGE_S:
        yield CheckFinding(
            "FU-100",
            where("MaxAge"),
            f"ValidationException: MaxAge is {cors.max_age_s}; AWS takes 0 to {_LONGEST_AGE_S}.",
            "a day is 86400",
        )
