"""Which version of a function a caller means."""

import re
from collections.abc import Mapping

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.stickiness import fraction_of
from edgeproxy.chance import Chance
from edgeproxy.errors import EdgeproxyError

__all__ = [
    "LATEST",
    "FunctionNotFound",
    "choose_version",
    "find_version",
    "provisioned_versions",
    "qualified_arn",
]

LATEST = "$LATEST"


class FunctionNotFound(EdgeproxyError):
    """No function, version or alias of that name (LI-006)."""


def qualified_arn(arn: str, qualifier: str) -> str:
    """How the caller addressed the function (LR-107)."""
    return f"{arn}:{qualifier}" if qualifier else arn


def choose_version(
    definition: FunctionDefinition,
    qualifier: str,
    chance: Chance,
    sticky: str = "",
    wanted: str = "",
) -> str:
    """The version that one invocation runs: an alias may share them out (LI-105, LI-108).

    ``sticky`` stands for a user who is to get the same one every time (LI-112). ``wanted`` is taken
    without a draw if the alias may come to it.

    Raises :class:`FunctionNotFound`.
    """
    version = find_version(definition, qualifier)
    if not definition.weights:
        return version
    weights = definition.weights.get(qualifier, {})
    if wanted in (version, *weights):
        return wanted
    for other, weight in weights.items():
        arn = qualified_arn(definition.spec.arn, qualifier)
        if (fraction_of(arn, sticky) if sticky else chance.fraction()) < weight:
            return other
    return version


def provisioned_versions(definition: FunctionDefinition) -> Mapping[str, int]:
    """How many environments each version keeps, itself or for an alias of its (LI-132)."""
    amounts: dict[str, int] = {}
    if definition.spec.debug_port is not None:
        return amounts  # it has one environment and one only
    for qualifier, amount in definition.provisioned.items():
        version = find_version(definition, qualifier)
        if version != LATEST:
            amounts[version] = max(amount, amounts.get(version, 0))
    return amounts


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
