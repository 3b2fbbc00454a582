"""Which version of a function a caller means."""

import re

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.chance import Chance
from edgeproxy.errors import EdgeproxyError

__all__ = ["LATEST", "FunctionNotFound", "choose_version", "find_version", "qualified_arn"]

LATEST = "$LATEST"


class FunctionNotFound(EdgeproxyError):
    """No function, version or alias of that name (LI-006)."""


def qualified_arn(arn: str, qualifier: str) -> str:
    """How the caller addressed the function (LR-107)."""
    return f"{arn}:{qualifier}" if qualifier else arn


def choose_version(definition: FunctionDefinition, qualifier: str, chance: Chance) -> str:
    """The version that one invocation runs: an alias may share them out (LI-105, LI-108).

    Raises :class:`FunctionNotFound`.
    """
    version = find_version(definition, qualifier)
    for other, weight in definition.weights.get(qualifier, {}).items():
        if chance.fraction() < weight:
            return other
    return version


def find_version(definition: FunctionDefinition, qualifier: str) -> str:
    """The version behind a version number, an alias (the main one), ``$LATEST`` or nothing.

    Raises :class:`FunctionNotFound`.
    """
    version = definition.aliases.get(qualifier, qualifier or LATEST)
    if version == LATEST or version in definition.versions:
        return version
    kind = "version" if re.fullmatch(r"\d+", qualifier) else "alias"
    known = ", ".join([LATEST, *definition.versions, *definition.aliases])
    raise FunctionNotFound(
        f"Function not found: {definition.spec.arn}:{qualifier}",
        place=definition.place,
        rule="LI-006",
        remedy=f"there is no such {kind}; {definition.name} has {known}",
    )
