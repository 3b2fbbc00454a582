"""Statements and what they allow."""

from typing import Any

import pytest

from edgeproxy.awslambda.policies import (
    INVOKE,
    INVOKE_URL,
    Asker,
    Permission,
    allows,
    public_url_statements,
    statement_of,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:api"
ELB = "elasticloadbalancing.amazonaws.com"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/g/0123"
OTHER = "999988887777"
USER = Asker(arn=f"arn:aws:iam::{OTHER}:user/ann", account=OTHER)
URL_FACTS = {"lambda:functionurlauthtype": "NONE", "lambda:invokedviafunctionurl": "true"}


@pytest.mark.rule("LI-214")
@pytest.mark.parametrize(
    ("permission", "members"),
    [
        (Permission("a", INVOKE, "*"), {"Principal": "*"}),
        (Permission("a", INVOKE, ELB), {"Principal": {"Service": ELB}}),
        (Permission("a", INVOKE, OTHER), {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}),
        (Permission("a", INVOKE, USER.arn), {"Principal": {"AWS": USER.arn}}),
        (
            Permission("a", INVOKE, ELB, source_arn=GROUP, source_account=OTHER),
            {
                "Condition": {
                    "StringEquals": {"AWS:SourceAccount": OTHER},
                    "ArnLike": {"AWS:SourceArn": GROUP},
                }
            },
        ),
        (
            Permission("a", INVOKE_URL, "*", url_auth_type="NONE", organization="o-1"),
            {
                "Condition": {
                    "StringEquals": {
                        "lambda:FunctionUrlAuthType": "NONE",
                        "aws:PrincipalOrgID": "o-1",
                    }
                }
            },
        ),
        (
            Permission("a", INVOKE, "*", via_function_url=True),
            {"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}},
        ),
        (
            Permission("a", INVOKE, "alexa-appkit.amazon.com", event_source_token="t"),
            {"Condition": {"StringEquals": {"lambda:EventSourceToken": "t"}}},
        ),
    ],
)
def test_statements(permission: Permission, members: dict[str, Any]) -> None:
    statement = statement_of(permission, f"{ARN}:live")
    whole = {"Sid": "a", "Effect": "Allow", "Action": permission.action, "Resource": f"{ARN}:live"}
    assert {**statement, **whole, **members} == statement
    assert ("Condition" in statement) == ("Condition" in members)


@pytest.mark.parametrize(
    ("permission", "asker", "allowed"),
    [
        (Permission("a", INVOKE, "*"), Asker(), True),
        (Permission("a", "lambda:*", "*"), Asker(), True),
        (Permission("a", INVOKE_URL, "*"), Asker(), False),
        (Permission("a", INVOKE, OTHER), USER, True),
        (Permission("a", INVOKE, USER.arn), USER, True),
        (Permission("a", INVOKE, f"{USER.arn}a"), USER, False),
        (Permission("a", INVOKE, "111122223333"), USER, False),
        (Permission("a", INVOKE, ELB), USER, False),
        (Permission("a", INVOKE, ELB), Asker(ELB), True),
        (Permission("a", INVOKE, "apigateway.amazonaws.com"), Asker(ELB), False),
        (
            Permission("a", INVOKE, ELB, source_arn=f"{GROUP[:-4]}*"),
            Asker(ELB, facts={"aws:sourcearn": GROUP}),
            True,
        ),
        (Permission("a", INVOKE, ELB, source_arn=GROUP), Asker(ELB), False),
        (
            Permission("a", INVOKE, ELB, source_account=OTHER),
            Asker(ELB, facts={"aws:sourceaccount": "123456789012"}),
            False,
        ),
    ],
)
def test_who_is_allowed(permission: Permission, asker: Asker, allowed: bool) -> None:
    assert allows([statement_of(permission, ARN)], INVOKE, ARN, asker) is allowed


@pytest.mark.rule("LI-212")
def test_a_statement_on_an_alias_is_for_the_alias_alone() -> None:
    statements = [statement_of(Permission("a", INVOKE, "*"), f"{ARN}:live")]
    assert allows(statements, INVOKE, f"{ARN}:live", Asker())
    assert not allows(statements, INVOKE, ARN, Asker())
    assert not allows(statements, INVOKE, f"{ARN}:1", Asker())


def test_everybody_may_use_an_open_url_and_not_invoke_otherwise() -> None:
    statements = public_url_statements(ARN)
    by_url = Asker(facts=URL_FACTS)
    assert allows(statements, INVOKE_URL, ARN, by_url)
    assert allows(statements, INVOKE, ARN, by_url)
    assert not allows(statements, INVOKE, ARN, Asker())
    signed = Asker(facts={**URL_FACTS, "lambda:functionurlauthtype": "AWS_IAM"})
    assert not allows(statements, INVOKE_URL, ARN, signed)


def test_an_operator_that_is_not_known_does_not_hold() -> None:
    statement = {
        **statement_of(Permission("a", INVOKE, "*"), ARN),
        "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    }
    assert not allows([statement], INVOKE, ARN, Asker(facts={"aws:sourceip": "10.0.0.1"}))


def test_actions_are_compared_without_case() -> None:
    assert allows([statement_of(Permission("a", "lambda:invokefunction", OTHER), ARN)], INVOKE, ARN,
                  USER)  # fmt: skip


@pytest.mark.rule("LI-211")
@pytest.mark.parametrize(
    ("principal", "may"),
    [
        (f"arn:aws:iam::{OTHER}:role/runner", True),
        (f"arn:aws:iam::{OTHER}:role/some/path/runner", True),
        (f"arn:aws:sts::{OTHER}:assumed-role/runner/now", True),
        (f"arn:aws:sts::{OTHER}:assumed-role/runner/then", False),
        (f"arn:aws:iam::{OTHER}:role/runner2", False),
        ("arn:aws:iam::123456789012:role/runner", False),
        (f"arn:aws:iam::{OTHER}:user/runner", False),
        (OTHER, True),
    ],
)
def test_a_session_of_a_role_is_that_role(principal: str, may: bool) -> None:
    session = Asker(arn=f"arn:aws:sts::{OTHER}:assumed-role/runner/now", account=OTHER)
    statement = statement_of(Permission("a", INVOKE, principal), ARN)
    assert allows([statement], INVOKE, ARN, session) is may
