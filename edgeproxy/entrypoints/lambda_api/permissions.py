"""The operations on resource-based policies."""

import re
from typing import Final

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.policies import INVOKE_URL, Permission, statement_of
from edgeproxy.awslambda.resources import FunctionResource
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    LambdaError,
    conflict,
    invalid_parameter,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document
from edgeproxy.entrypoints.lambda_api.finding import find_version
from edgeproxy.entrypoints.lambda_api.names import constrained

__all__ = ["PermissionOperations"]

_MISSING: Final = "The resource you requested does not exist."
_LARGEST_POLICY: Final = 20 * 1024
_REGION: Final = r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})"
_MEMBERS: Final = {
    "StatementId": (r"([a-zA-Z0-9-_]+)", 100),
    "Action": (r"(lambda:[*]|lambda:[a-zA-Z]+|[*])", 0),
    "Principal": (r"[^\s]+", 2048),
    "SourceArn": (rf"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:{_REGION}?:(\d{{12}})?:(.*)", 0),
    "SourceAccount": (r"\d{12}", 12),
    "EventSourceToken": (r"[a-zA-Z0-9._\-]+", 256),
    "PrincipalOrgID": (r"o-[a-z0-9]{10,32}", 34),
}
"""Their patterns and lengths; the first three must be there."""
_REQUIRED: Final = ("StatementId", "Action", "Principal")
_AUTH_TYPES: Final = ("NONE", "AWS_IAM")
_ACCOUNT: Final = re.compile(r"\d{12}")


class PermissionOperations:
    """Operations on who may call a function, a version or an alias (LI-214, LI-215)."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account

    async def add(self, call: Call) -> Answer:
        members = await call.members()
        function, qualifier = self._function(call)
        _check(members)
        self._check_revision(function, members.get("RevisionId", ""))
        statements = function.policies.get(qualifier, [])
        sid = members["StatementId"]
        if any(statement["Sid"] == sid for statement in statements):
            raise conflict(
                f"The statement id ({sid}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement."
            )
        statement = _statement(members, function.qualified_arn(qualifier))
        if len(_policy([*statements, statement])) > _LARGEST_POLICY:
            raise LambdaError(
                "PolicyLengthExceededException",
                f"The final policy size is bigger than the limit ({_LARGEST_POLICY}).",
            )
        self._set(function, qualifier, [*statements, statement])
        return json_answer({"Statement": orjson.dumps(statement).decode()}, 201)

    async def get(self, call: Call) -> Answer:
        function, qualifier = self._function(call)
        statements = function.policies.get(qualifier)
        if not statements:
            raise not_found(_MISSING)
        revision = function.more["PolicyRevisionId"]
        policy = _policy(statements).decode()
        return json_answer({"Policy": policy, "RevisionId": revision})

    async def remove(self, call: Call) -> Answer:
        function, qualifier = self._function(call)
        self._check_revision(function, call.query("RevisionId"))
        statements, sid = function.policies.get(qualifier, []), call.path["StatementId"]
        kept = [statement for statement in statements if statement["Sid"] != sid]
        if not statements:
            raise not_found("No policy is associated with the given resource.")
        if len(kept) == len(statements):
            raise not_found(f"Statement {sid} is not found in resource policy.")
        self._set(function, qualifier, kept)
        return Answer(204)

    def _function(self, call: Call) -> tuple[FunctionResource, str]:
        function, _, qualifier = find_version(self._account, call)
        if qualifier == LATEST:
            raise invalid_parameter("We currently do not support adding policies for $LATEST.")
        return function, qualifier

    def _check_revision(self, function: FunctionResource, given: str) -> None:
        if given and given != function.more.get("PolicyRevisionId"):
            raise LambdaError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetPolicy API to retrieve the latest Revision Id",
            )

    def _set(self, function: FunctionResource, qualifier: str, statements: list[Document]) -> None:
        function.policies[qualifier] = statements
        function.more["PolicyRevisionId"] = self._account.chance.uuid()
        self._account.changed()


def _check(members: Document) -> None:
    """Raises what Lambda answers to members that it does not take."""
    wrong = []
    for name, (pattern, most) in _MEMBERS.items():
        value, shown = members.get(name), f"{name[0].lower()}{name[1:]}"
        if value is not None:
            wrong += constrained(str(value), shown, pattern, most)
        elif name in _REQUIRED:
            wrong.append(("null", shown, "Member must not be null"))
    auth_type = members.get("FunctionUrlAuthType")
    if auth_type not in (None, *_AUTH_TYPES):
        constraint = f"Member must satisfy enum value set: [{', '.join(_AUTH_TYPES)}]"
        wrong.append((str(auth_type), "functionUrlAuthType", constraint))
    if wrong:
        raise validation_error(*wrong)
    if auth_type and members["Action"] != INVOKE_URL:
        raise invalid_parameter(f"FunctionUrlAuthType is only supported for {INVOKE_URL} action")


def _statement(members: Document, resource: str) -> Document:
    principal = members["Principal"]
    if not (_ACCOUNT.fullmatch(principal) or set(principal) & {"*", ".", ":"}):
        raise invalid_parameter(
            "The provided principal was invalid. Please check the principal and try again."
        )
    permission = Permission(
        members["StatementId"],
        members["Action"],
        principal,
        members.get("SourceArn", ""),
        members.get("SourceAccount", ""),
        members.get("FunctionUrlAuthType", ""),
        members.get("PrincipalOrgID", ""),
        members.get("EventSourceToken", ""),
        members.get("InvokedViaFunctionUrl"),
    )
    return statement_of(permission, resource)


def _policy(statements: list[Document]) -> bytes:
    return orjson.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements})
