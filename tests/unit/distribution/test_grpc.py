from dataclasses import replace

import pytest

from edgeproxy.distribution.grpc import for_grpc, is_grpc
from edgeproxy.distribution.model import EdgeFunctionKind, EventType, FunctionAssociation
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from tests.unit.edge.scenes import SITE

BEHAVIOR = replace(SITE.default_behavior, grpc_enabled=True)


@pytest.mark.rule("CDN-GRP-01")
@pytest.mark.parametrize(
    ("kind", "version", "method", "expected"),
    [
        ("application/grpc", "2.0", "POST", True),
        ("Application/GRPC+proto; x=y", "2.0", "POST", True),
        ("application/grpc-web", "2.0", "POST", False),
        ("application/json", "2.0", "POST", False),
        ("application/grpc", "1.1", "POST", False),
        ("application/grpc", "2.0", "GET", False),
    ],
)
def test_what_is_a_call(kind: str, version: str, method: str, expected: bool) -> None:
    headers = Headers([("content-type", kind)])
    request = Request(method, "/a/B", version=version, headers=headers)
    assert is_grpc(BEHAVIOR, request) is expected
    assert not is_grpc(SITE.default_behavior, request)


@pytest.mark.rule("CDN-GRP-02")
def test_lambda_at_edge_does_not_run() -> None:
    functions = tuple(
        FunctionAssociation(event_type, kind, "x")
        for event_type in (EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE)
        for kind in (EdgeFunctionKind.LAMBDA, EdgeFunctionKind.CLOUDFRONT)
    )
    kept = for_grpc(replace(BEHAVIOR, functions=functions)).functions
    assert [each.kind for each in kept] == [EdgeFunctionKind.CLOUDFRONT] * 2
