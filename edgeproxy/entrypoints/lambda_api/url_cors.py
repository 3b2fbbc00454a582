"""The CORS settings of a function URL as the API reads and shows them (FU-100, FU-100a)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from edgeproxy.awslambda.model import Cors
from edgeproxy.entrypoints.lambda_api.answers import validation_error
from edgeproxy.entrypoints.lambda_api.calls import Document

__all__ = ["cors_document", "cors_of"]


class _List(NamedTuple):
    """How many values there may be, and how long each."""

    name: str
    attribute: str
    most: int
    shortest: int
    longest: int


_LISTS: Final = (
    _List("AllowHeaders", "allow_headers", 100, 0, 1024),
    _List("AllowMethods", "allow_methods", 6, 0, 6),
    _List("AllowOrigins", "allow_origins", 100, 1, 253),
    _List("ExposeHeaders", "expose_headers", 100, 0, 1024),
)
_LONGEST_AGE_S: Final = 86_400


def cors_of(members: Document) -> Cors | None:
    """What ``Cors`` of a call asks for, None for nothing. Raises ``LambdaError``."""
    if not members:
        return None
    given = {each: members.get(each.name) or [] for each in _LISTS}
    age = members.get("MaxAge")
    wrong = [each for kind, values in given.items() for each in _wrong(kind, values)]
    if age is not None and not 0 <= age <= _LONGEST_AGE_S:
        bound = (
            f"less than or equal to {_LONGEST_AGE_S}" if age > 0 else "greater than or equal to 0"
        )
        wrong.append((str(age), "cors.maxAge", f"Member must have value {bound}"))
    if wrong:
        raise validation_error(*wrong)
    return Cors(
        **{kind.attribute: tuple(values) for kind, values in given.items()},
        allow_credentials=members.get("AllowCredentials", False),
        max_age_s=age,
    )


def _wrong(kind: _List, values: list[str]) -> Iterator[tuple[str, str, str]]:
    shown, place = f"[{', '.join(values)}]", f"cors.{kind.name[0].lower()}{kind.name[1:]}"
    if len(values) > kind.most:
        yield shown, place, f"Member must have length less than or equal to {kind.most}"
    if not all(kind.shortest <= len(value) <= kind.longest for value in values):
        constraint = (
            f"Member must satisfy constraint: [Member must have length less than or equal to "
            f"{kind.longest}, Member must have length greater than or equal to {kind.shortest}, "
            "Member must satisfy regular expression pattern: .*]"
        )
        yield shown, place, constraint


def cors_document(cors: Cors) -> Document:
    """The settings that are made, under AWS's names."""
    document: Document = {
        kind.name: list(getattr(cors, kind.attribute))
        for kind in _LISTS
        if getattr(cors, kind.attribute)
    }
    if cors.allow_credentials:
        document["AllowCredentials"] = True
    if cors.max_age_s is not None:
        document["MaxAge"] = cors.max_age_s
    return document
