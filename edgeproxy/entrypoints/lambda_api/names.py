"""How calls name a function: name, partial ARN or ARN, with or without a qualifier."""

import re
from dataclasses import dataclass
from typing import Final

from edgeproxy.awslambda.routing import LATEST
from edgeproxy.entrypoints.lambda_api.answers import (
    LambdaError,
    invalid_parameter,
    not_found,
    validation_error,
)

__all__ = ["ALIAS_NAME", "Named", "constrained", "is_latest", "parse_name"]

_REGION: Final = r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
_START: Final = rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?{_REGION}(\d{{12}}:)?(function:)?"
_INVOKED: Final = _START + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
_CONTROLLED: Final = _START + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
_QUALIFIER: Final = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
ALIAS_NAME: Final = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
_PARTS: Final = re.compile(
    r"(?:arn:[^:]*:lambda:)?(?:(?P<region>[a-z]+(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?"
)
_CACHED: Final = {text: re.compile(text) for text in (_INVOKED, _CONTROLLED, _QUALIFIER)}


@dataclass(frozen=True, slots=True)
class Named:
    """A function and how it was asked for; ``qualifier`` is empty where none was given."""

    name: str
    qualifier: str


def constrained(value: str, name: str, pattern: str, most: int = 0) -> list[tuple[str, str, str]]:
    """What is wrong with a member: its pattern, and its length when ``most`` says one."""
    wrong = []
    if most and len(value) > most:
        wrong.append(
            (value, name, f"Member must have length less than or equal to {most}"),
        )
    compiled = _CACHED.get(pattern) or re.compile(pattern)
    if not compiled.fullmatch(value):
        constraint = f"Member must satisfy regular expression pattern: {pattern}"
        wrong.append((value, name, constraint))
    return wrong


def parse_name(
    text: str, qualifier: str, region: str, account: str, *, invoked: bool = False
) -> Named:
    """The function that a path names, beside the ``Qualifier`` of the query (LI-002 to LI-007).

    Names may have dots when they are ``invoked`` only (LI-339).
    """
    wrong = constrained(qualifier, "qualifier", _QUALIFIER, 128) if qualifier else []
    wrong += constrained(text, "functionName", _INVOKED if invoked else _CONTROLLED)
    if wrong:
        raise validation_error(*wrong)
    found = _PARTS.fullmatch(text)
    if found is None:  # such as "function:" alone, of which the pattern makes a name
        return Named(text.rpartition(":")[2], qualifier)
    derived = found["qualifier"] or ""
    if derived and qualifier and derived != qualifier:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    if found["region"] not in (None, region):
        raise not_found(
            f"Functions from '{found['region']}' are not reachable in this region ('{region}')"
        )
    if found["account"] not in (None, account):
        arn = f"arn:aws:lambda:{region}:{found['account']}:function:{found['name']}"
        raise LambdaError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{account}:root is not authorized to perform: "
            f"lambda:InvokeFunction on resource: {arn} because no resource-based policy allows "
            "the lambda:InvokeFunction action",
        )
    given = derived or qualifier
    return Named(found["name"], given)


def is_latest(qualifier: str) -> bool:
    """Whether this names the code that can be changed."""
    return qualifier in ("", LATEST)
