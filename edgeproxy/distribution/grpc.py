"""Which requests are gRPC calls, and what holds for them (CDN-GRP-01, CDN-GRP-02)."""

from dataclasses import replace
from typing import Final

from edgeproxy.distribution.model import Behavior, EdgeFunctionKind
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.http.messages import Request

__all__ = ["for_grpc", "is_grpc"]

_TYPE: Final = "application/grpc"


def is_grpc(behavior: Behavior, request: Request) -> bool:
    """Whether ``request`` is a call for a behavior that serves gRPC; over HTTP/1.1 there is none.

    The type may name the messages' format after a plus, as gRPC itself lets it.
    """
    if not behavior.grpc_enabled or request.version != "2.0" or request.method != "POST":
        return False
    kind = request.headers.get("Content-Type").lower().partition(";")[0].strip()
    return kind == _TYPE or kind.startswith(f"{_TYPE}+")


@PreparedOnce
def for_grpc(behavior: Behavior) -> Behavior:
    """``behavior`` as a call meets it: no Lambda@Edge function runs."""
    functions = tuple(
        each for each in behavior.functions if each.kind is EdgeFunctionKind.CLOUDFRONT
    )
    return replace(behavior, functions=functions)
