"""Resource-based policies: who may invoke a function, and the statements that say so (LI-214).

Statements are JSON objects as AWS shows them, whether a definition or the API made them. They only
ever allow. A statement on an alias covers calls through that alias, and no other (LI-212).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = [
    "INVOKE",
    "INVOKE_URL",
    "Asker",
    "Permission",
    "Statement",
    "allows",
    "public_url_statements",
    "statement_of",
]

Statement: TypeAlias = Mapping[str, Any]

INVOKE: Final = "lambda:InvokeFunction"
INVOKE_URL: Final = "lambda:InvokeFunctionUrl"
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_ROLE: Final = re.compile(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([^/]+)", re.ASCII)
_SESSION: Final = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/.+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Permission:
    """What ``AddPermission`` and ``AWS::Lambda::Permission`` say; empty is not said."""

    sid: str
    action: str
    principal: str
    source_arn: str = ""
    source_account: str = ""
    url_auth_type: str = ""
    organization: str = ""
    event_source_token: str = ""
    via_function_url: bool | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to invoke: a service, or a user or role of an account; neither is anybody."""

    service: str = ""
    arn: str = ""
    account: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Condition keys in lower case, and what they are for this call."""


def statement_of(permission: Permission, resource: str) -> dict[str, Any]:
    """The statement for a function's ARN, with its qualifier if there is one (LI-214)."""
    named = permission.principal
    principal: str | dict[str, str]
    if named == "*":
        principal = "*"
    elif _ACCOUNT.fullmatch(named):
        principal = {"AWS": f"arn:aws:iam::{named}:root"}
    else:
        principal = {"AWS" if named.startswith("arn:") else "Service": named}
    statement: dict[str, Any] = {
        "Sid": permission.sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": permission.action,
        "Resource": resource,
    }
    equal = {
        "AWS:SourceAccount": permission.source_account,
        "lambda:FunctionUrlAuthType": permission.url_auth_type,
        "aws:PrincipalOrgID": permission.organization,
        "lambda:EventSourceToken": permission.event_source_token,
    }
    conditions: dict[str, dict[str, str]] = {
        "StringEquals": {key: value for key, value in equal.items() if value},
        "ArnLike": {"AWS:SourceArn": permission.source_arn} if permission.source_arn else {},
    }
    if permission.via_function_url is not None:
        # UNSURE how the operator is spelled (LI-214).
        told = str(permission.via_function_url).lower()
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": told}
    conditions = {operator: keys for operator, keys in conditions.items() if keys}
    return {**statement, "Condition": conditions} if conditions else statement


def public_url_statements(resource: str) -> tuple[Statement, ...]:
    """What opens a function URL to everybody, as the console and SAM add it (FU-102, FU-103)."""
    return (
        statement_of(
            Permission("FunctionURLAllowPublicAccess", INVOKE_URL, "*", url_auth_type="NONE"),
            resource,
        ),
        statement_of(
            Permission("FunctionURLInvokeAllowPublicAccess", INVOKE, "*", via_function_url=True),
            resource,
        ),
    )


def allows(statements: Iterable[Statement], action: str, resource: str, asker: Asker) -> bool:
    """Whether a statement lets ``asker`` do ``action`` to the function with that ARN."""
    return any(
        statement.get("Effect") == "Allow"
        and any(_like(action.lower(), each.lower()) for each in _texts(statement.get("Action")))
        and any(_like(resource, each) for each in _texts(statement.get("Resource")))
        and _is_meant(statement.get("Principal"), asker)
        and _conditions_hold(statement.get("Condition") or {}, asker.facts)
        for statement in statements
    )


def _is_meant(principal: object, asker: Asker) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    if asker.service and asker.service in _texts(principal.get("Service")):
        return True
    named = _texts(principal.get("AWS"))
    whole_account = (asker.account, f"arn:aws:iam::{asker.account}:root")
    return "*" in named or bool(
        asker.account
        and any(each in (asker.arn, *whole_account) or _is_role_of(each, asker) for each in named)
    )


def _is_role_of(named: str, asker: Asker) -> bool:
    """Whether that role, path and all, is the one whose session asks."""
    session, role = _SESSION.fullmatch(asker.arn), _ROLE.fullmatch(named)
    return session is not None and role is not None and session.groups() == role.groups()


def _conditions_hold(conditions: Mapping[str, Any], facts: Mapping[str, str]) -> bool:
    return all(
        _holds(operator, wanted, facts.get(key.lower()))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, wanted: object, fact: str | None) -> bool:
    """A condition that cannot be told does not hold, nor does one of an operator unknown here."""
    if fact is None:
        return False
    match operator:
        case "StringEquals":
            return fact in _texts(wanted)
        case "StringLike" | "ArnLike" | "ArnEquals":
            return any(_like(fact, each) for each in _texts(wanted))
        case "Bool":
            return fact in [each.lower() for each in _texts(wanted)]
        case _:
            return False


def _texts(value: object) -> list[str]:
    """One text or a list of them, as policies have it."""
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def _like(text: str, pattern: str) -> bool:
    """``*`` stands for anything, ``?`` for one character."""
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
