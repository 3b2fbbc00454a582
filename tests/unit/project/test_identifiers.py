"""Identifiers have AWS's forms and never change."""

import re

import pytest

from edgeproxy.project.identifiers import (
    FunctionArn,
    Identity,
    api_id,
    distribution_domain_name,
    distribution_id,
    function_url_id,
    parse_function_arn,
    policy_id,
    public_key_id,
)


@pytest.mark.rule("CDN-CFG-280", "FU-001")
@pytest.mark.parametrize(
    ("made", "form"),
    [
        (distribution_id("Site"), r"E[A-Z0-9]{13}"),
        (distribution_domain_name("Site"), r"d[a-z0-9]{13}\.cloudfront\.net"),
        (function_url_id("ApiUrl"), r"[a-z0-9]{32}"),
        (public_key_id("Key"), r"K[A-Z0-9]{13}"),
        (api_id("Api"), r"[a-z0-9]{10}"),
        (policy_id("Html"), r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ],
)
def test_forms(made: str, form: str) -> None:
    assert re.fullmatch(form, made)


def test_values_are_the_same_on_every_run() -> None:
    assert distribution_id("Default") == "EDKBM3BJAVK2WX"
    assert distribution_id("Site") != distribution_id("Site2")


def test_arns_name_account_and_region() -> None:
    identity = Identity("111111111111", "eu-central-1")
    assert identity.function_arn("f") == "arn:aws:lambda:eu-central-1:111111111111:function:f"
    assert identity.arn("cloudfront", "function/f", is_global=True) == (
        "arn:aws:cloudfront::111111111111:function/f"
    )


@pytest.mark.rule("CDN-CFG-271", "CDN-CFG-272", "AL-001")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f", FunctionArn("f")),
        ("f:live", FunctionArn("f", "live")),
        ("123456789012:function:f", FunctionArn("f", account="123456789012")),
        ("123456789012:function:f:2", FunctionArn("f", "2", account="123456789012")),
        ("arn:aws:lambda:us-east-1:1:function:f", FunctionArn("f", "", "us-east-1", "1")),
        ("arn:aws:lambda:us-east-1:1:function:f:7", FunctionArn("f", "7", "us-east-1", "1")),
        ("arn:aws:lambda:us-east-1:1:layer:f:7", None),
        ("arn:aws:s3:::bucket", None),
        ("a:b:c", None),
        ("", None),
    ],
)
def test_function_references(text: str, expected: FunctionArn | None) -> None:
    assert parse_function_arn(text) == expected
