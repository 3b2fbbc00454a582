"""What AWS refuses in functions at the edge: Lambda@Edge, CloudFront Functions, their stores."""

import re
from collections.abc import Iterator, Mapping, Sequence

from edgeproxy.distribution import quotas
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.distribution.model import EventType
from edgeproxy.errors import Place
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = [
    "EDGE_REGION",
    "check_account",
    "check_cloudfront_function",
    "check_comment",
    "check_edge_function",
    "check_key_value_store",
    "check_published",
    "check_qualifier",
    "check_runtime",
    "check_setting",
    "has_handler",
]

EDGE_REGION = "us-east-1"
_SETTINGS = {
    "MemorySize": ("LE-LIM-04", "memorySize", 128, 10_240, "MB"),
    "Timeout": ("LR-184", "timeout", 1, 900, "seconds"),
    "EphemeralStorage": ("LR-320", "ephemeralStorage.size", 512, 10_240, "MB"),
}
_RETIRED = re.compile(r"nodejs(?:\d|1[0-8])\.x|python3\.[0-8]")
_VIEWER_EVENTS = frozenset({EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE})
_TIMEOUT_S = 30
# Newer versions than today's count as well (LR-340).
_AT_THE_EDGE = re.compile(r"nodejs[1-9][02468]\.x|python3\.(?:[6-9]|1\d)")
_ELSEWHERE = re.compile(
    r"java(?:8\.al2|\d\d)|dotnet\d+|ruby[2-9]\.\d|go1\.x|provided(?:\.al2(?:\d{3})?)?"
)
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def check_qualifier(qualifier: str, place: Place) -> Iterator[CheckFinding]:
    """CDN-CFG-398, LE-ASSOC-05: an association names a numbered version."""
    if not qualifier.isdigit():
        what = f"the alias {qualifier}" if qualifier not in ("", "$LATEST") else "$LATEST"
        yield CheckFinding(
            "LE-ASSOC-05",
            place,
            "InvalidLambdaFunctionAssociation: the function ARN must name a numbered version, "
            f"not {what}.",
            "refer to an AWS::Lambda::Version, with SAM to <Function>.Version",
        )


def check_account(rule: str, account: str, own: str, place: Place) -> Iterator[CheckFinding]:
    """LE-ASSOC-06, CFF-ASSOC-10: function and distribution belong to one account."""
    if account not in ("", own):
        yield CheckFinding(
            rule,
            place,
            f"the function belongs to the account {account}, the distribution to {own}.",
            "deploy the function to the distribution's account",
        )


def check_setting(name: str, value: int, place: Place) -> Iterator[CheckFinding]:
    """LE-LIM-04, LR-184, LR-320: what Lambda gives to any function."""
    rule, member, low, high, unit = _SETTINGS[name]
    if not low <= value <= high:
        yield CheckFinding(
            rule,
            place,
            f"InvalidParameterValueException: Value {value} at '{member}' failed to satisfy "
            f"constraint: it must be {low} to {high} {unit}.",
            f"set {name} from {low} to {high}",
        )


def check_runtime(runtime: str, place: Place) -> Iterator[CheckFinding]:
    """LR-341: an identifier that Lambda does not have. Case counts."""
    if not (_AT_THE_EDGE.fullmatch(runtime) or _ELSEWHERE.fullmatch(runtime)):
        yield CheckFinding(
            "LR-341",
            place,
            f"InvalidParameterValueException: Value {runtime} at 'runtime' failed to satisfy "
            "constraint: Member must satisfy enum value set or be a valid ARN.",
            "use a runtime that Lambda has, such as nodejs22.x or python3.13",
        )
    elif _RETIRED.fullmatch(runtime):
        yield CheckFinding(
            "LE-ASSOC-10",
            place,
            f"{runtime} is retired: Lambda may refuse to create or update functions with it.",
            "move to a newer runtime, such as nodejs22.x or python3.13",
            Severity.WARNING,
        )


def check_edge_function(
    spec: FunctionSpec,
    features: Mapping[str, Place],
    trusted: Sequence[str] | None,
    event_type: EventType,
    where: Where,
) -> Iterator[CheckFinding]:
    """Why CloudFront would not take a function at ``event_type`` (LE-ASSOC-06 to 10, LE-LIM).

    ``features`` are the properties that Lambda@Edge refuses, by name; ``trusted`` the services
    that may assume its role, None when the definition does not tell.
    """
    if spec.region != EDGE_REGION:
        yield CheckFinding(
            "LE-ASSOC-06",
            where(""),
            f"InvalidLambdaFunctionAssociation: {spec.name} is in {spec.region}; Lambda@Edge "
            f"functions live in {EDGE_REGION}.",
            f"deploy it to {EDGE_REGION}",
        )
    if trusted is not None and not {"lambda.amazonaws.com", "edgelambda.amazonaws.com"} <= set(
        trusted
    ):
        yield CheckFinding(
            "LE-ASSOC-08",
            where("Role"),
            "InvalidLambdaFunctionAssociation: the role must be assumable by lambda.amazonaws.com "
            "and by edgelambda.amazonaws.com.",
            "name both services in AssumeRolePolicyDocument",
        )
    for feature, place in features.items():
        yield CheckFinding(
            "LE-ASSOC-09",
            place,
            f"InvalidLambdaFunctionAssociation: Lambda@Edge does not support {feature}.",
            f"remove {feature} from {spec.name}",
        )
    if not _AT_THE_EDGE.fullmatch(spec.runtime):
        yield CheckFinding(
            "LE-ASSOC-10",
            where("Runtime"),
            f"InvalidLambdaFunctionAssociation: Lambda@Edge does not run {spec.runtime}.",
            "use Node.js or Python, such as nodejs22.x or python3.13",
        )
    viewer = event_type in _VIEWER_EVENTS
    if spec.timeout_s > _TIMEOUT_S:
        yield CheckFinding(
            "LE-LIM-01" if viewer else "LE-LIM-02",
            where("Timeout"),
            f"InvalidLambdaFunctionAssociation: Timeout is {spec.timeout_s:g} s; functions on "
            f"{event_type} have at most {_TIMEOUT_S} s.",
            f"set Timeout to {_TIMEOUT_S} or less",
        )
    # LE-LIM-03 (U): AWS's pages disagree, so this one is a warning.
    if viewer and spec.memory_mb > 128:
        yield CheckFinding(
            "LE-LIM-03",
            where("MemorySize"),
            f"MemorySize is {spec.memory_mb} MB; viewer functions have 128 MB.",
            "set MemorySize to 128",
            Severity.WARNING,
        )


def check_cloudfront_function(
    function: CloudFrontFunction, stores: int, where: Where
) -> Iterator[CheckFinding]:
    """Name, size and stores (CFF-ASSOC-06, CFF-LIM-01, CFF-KVS-01, CFF-ASSOC-07)."""
    if not _FUNCTION_NAME.match(function.name):
        yield CheckFinding(
            "CFF-ASSOC-06",
            where("Name"),
            f"InvalidArgument: {function.name!r} is not a function name.",
            "1 to 64 letters, digits, - and _",
        )
    if not has_handler(function):
        judges = function.handler == "connectionHandler"
        yield CheckFinding(
            "CFF-CONN-01" if judges else "CFF-RET-01",
            where("ConnectionFunctionCode|FunctionCode"),
            f"The code has no function named {function.handler}: "
            + ("each connection is closed." if judges else "each request that runs it gets a 503."),
            f"write function {function.handler}({'connection' if judges else 'event'}) {{ … }}",
        )
    size = len(function.code.encode())
    if size > quotas.MAX_CLOUDFRONT_FUNCTION_BYTES:
        yield CheckFinding(
            "CFF-LIM-01",
            where("FunctionCode"),
            f"FunctionSizeLimitExceeded: the code has {size} bytes, the limit is "
            f"{quotas.MAX_CLOUDFRONT_FUNCTION_BYTES}.",
            "shorten it; comments count",
        )
    if stores > 1:
        yield CheckFinding(
            "CFF-ASSOC-07",
            where("FunctionConfig"),
            f"InvalidArgument: {stores} key-value stores; a function has at most one.",
            "keep one; the first one is used here",
        )
    if stores and function.runtime == "cloudfront-js-1.0":
        yield CheckFinding(
            "CFF-KVS-01",
            where("FunctionConfig"),
            "InvalidArgument: key-value stores need the runtime cloudfront-js-2.0.",
            "change Runtime to cloudfront-js-2.0",
        )


def has_handler(function: CloudFrontFunction) -> bool:
    """Whether the code names its handler at all."""
    return re.search(rf"\b{function.handler}\b", function.code) is not None


def check_published(place: Place, rule: str = "CFF-ASSOC-04") -> Iterator[CheckFinding]:
    """Without AutoPublish there is no LIVE stage, unless somebody else makes it (CFF-ASSOC-04)."""
    yield CheckFinding(
        rule,
        place,
        "The function is not published with the stack: only its LIVE stage can be associated and "
        "serves requests.",
        "set AutoPublish: true, or publish each change yourself",
        Severity.WARNING,
    )


def check_comment(place: Place) -> Iterator[CheckFinding]:
    """CFF-ASSOC-07."""
    yield CheckFinding(
        "CFF-ASSOC-07",
        place,
        "InvalidArgument: FunctionConfig has no Comment.",
        "add a Comment, which may be short",
    )


def check_key_value_store(store: KeyValueStore, place: Place) -> Iterator[CheckFinding]:
    """CFF-KVS-09."""
    total = 0
    for key, value in store.data.items():
        key_bytes, value_bytes = len(key.encode()), len(value.encode())
        total += key_bytes + value_bytes
        if (
            key_bytes > quotas.MAX_KEY_VALUE_STORE_KEY_BYTES
            or value_bytes > quotas.MAX_KEY_VALUE_STORE_VALUE_BYTES
        ):
            yield CheckFinding(
                "CFF-KVS-09",
                place,
                f"The pair {key[:40]!r} is too large: keys have at most "
                f"{quotas.MAX_KEY_VALUE_STORE_KEY_BYTES} bytes, values "
                f"{quotas.MAX_KEY_VALUE_STORE_VALUE_BYTES}.",
                "shorten it, or keep it at the origin",
            )
    if total > quotas.MAX_KEY_VALUE_STORE_BYTES:
        yield CheckFinding(
            "CFF-KVS-09",
            place,
            f"The store has {total} bytes, the limit is {quotas.MAX_KEY_VALUE_STORE_BYTES}.",
            "split it",
        )
