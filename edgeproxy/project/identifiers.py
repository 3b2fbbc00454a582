"""Identifiers that AWS would have made up: the same for the same logical ID on every run.

They are derived by hash, so that a template gives the same distribution ID, domain name and
function URL today and tomorrow, on every machine (CDN-CFG-280).
"""

import string
from dataclasses import dataclass
from hashlib import blake2b

__all__ = [
    "DEFAULT_ACCOUNT",
    "DEFAULT_REGION",
    "FunctionArn",
    "Identity",
    "api_id",
    "connection_group_endpoint",
    "connection_group_id",
    "distribution_domain_name",
    "distribution_id",
    "distribution_tenant_id",
    "etag",
    "function_url_id",
    "hex_id",
    "invalidation_id",
    "parse_function_arn",
    "policy_id",
    "public_key_id",
]

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"

_UPPER = string.ascii_uppercase + string.digits
_LOWER = string.ascii_lowercase + string.digits
_HEX = "0123456789abcdef"


def _letters(kind: str, logical_id: str, alphabet: str, length: int) -> str:
    number = int.from_bytes(blake2b(f"{kind}/{logical_id}".encode(), digest_size=32).digest())
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)


def distribution_id(logical_id: str) -> str:
    """``E`` and 13 upper-case letters or digits."""
    return "E" + _letters("distribution", logical_id, _UPPER, 13)


def distribution_domain_name(logical_id: str) -> str:
    """``d`` and 13 lower-case letters or digits below ``cloudfront.net``."""
    return "d" + _letters("domain", logical_id, _LOWER, 13) + ".cloudfront.net"


def etag(text: str) -> str:
    """The version identifier of whatever ``text`` says everything about."""
    return "E" + _letters("etag", text, _UPPER, 13)


def invalidation_id(text: str) -> str:
    """``I`` and 25 upper-case letters or digits."""
    return "I" + _letters("invalidation", text, _UPPER, 25)


def function_url_id(logical_id: str) -> str:
    """32 lower-case letters or digits (FU-001)."""
    return _letters("function-url", logical_id, _LOWER, 32)


def public_key_id(logical_id: str) -> str:
    """``K`` and 13 upper-case letters or digits, as key-pair IDs look."""
    return "K" + _letters("public-key", logical_id, _UPPER, 13)


def trust_store_id(logical_id: str) -> str:
    """``ts_`` and 27 letters or digits."""
    return "ts_" + _letters("trust-store", logical_id, _LOWER, 27)


def connection_function_id(logical_id: str) -> str:
    """``cf_`` and 27 letters or digits."""
    return "cf_" + _letters("connection-function", logical_id, _LOWER, 27)


def distribution_tenant_id(logical_id: str) -> str:
    """``dt_`` and 27 letters or digits."""
    return "dt_" + _letters("distribution-tenant", logical_id, _LOWER, 27)


def connection_group_id(logical_id: str) -> str:
    """``cg_`` and 27 letters or digits."""
    return "cg_" + _letters("connection-group", logical_id, _LOWER, 27)


def connection_group_endpoint(group_id: str) -> str:
    """``d`` and 13 lower-case letters or digits below ``cloudfront.net``."""
    return "d" + _letters("endpoint", group_id, _LOWER, 13) + ".cloudfront.net"


def api_id(logical_id: str) -> str:
    """Ten lower-case letters or digits, the first label of an API Gateway host name."""
    return _letters("api", logical_id, _LOWER, 10)


def hex_id(kind: str, logical_id: str, length: int = 16) -> str:
    """``length`` hexadecimal digits, different for different kinds of resources."""
    return _letters(kind, logical_id, _HEX, length)


def policy_id(logical_id: str) -> str:
    """An ID in the form of a UUID, as policies, key groups and key-value stores have them."""
    digits = hex_id("policy", logical_id, 32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@dataclass(frozen=True, slots=True)
class Identity:
    """The account and the region that a stack is deployed to."""

    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION

    def arn(self, service: str, resource: str, *, is_global: bool = False) -> str:
        """``arn:aws:<service>:<region>:<account>:<resource>``, without region when global."""
        region = "" if is_global else self.region
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"

    def function_arn(self, name: str) -> str:
        """The unqualified ARN of a Lambda function."""
        return self.arn("lambda", f"function:{name}")


@dataclass(frozen=True, slots=True)
class FunctionArn:
    """What a Lambda function reference names; all but ``name`` may be empty."""

    name: str
    qualifier: str = ""
    region: str = ""
    account: str = ""


def parse_function_arn(text: str) -> FunctionArn | None:
    """The function in any form that Lambda takes, or None when ``text`` is none of them.

    Forms: full ARN, ``account:function:name``, plain name; each with or without a qualifier.
    """
    parts = text.split(":")
    region = account = ""
    if parts[:1] == ["arn"]:
        if len(parts) not in (7, 8) or parts[2] != "lambda" or parts[5] != "function":
            return None
        region, account, parts = parts[3], parts[4], parts[6:]
    elif len(parts) >= 3 and parts[1] == "function":
        account, parts = parts[0], parts[2:]
    if not 1 <= len(parts) <= 2 or not parts[0]:
        return None
    return FunctionArn(parts[0], parts[1] if len(parts) == 2 else "", region, account)
