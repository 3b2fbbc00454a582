"""What can follow from a hook: go on, stop with the function's answer, or stop with an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.model import Behavior, Distribution, Origin
from edgeproxy.distribution.viewer_headers import ORIGIN_REQUEST_POLICY_ONLY, cloudfront_headers
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Request, Response

if TYPE_CHECKING:
    from edgeproxy.edge.cloudfront_hook import Ran
    from edgeproxy.runtimes.cloudfront_js.origin import OriginChange
    from edgeproxy.runtimes.invocation import Returned

__all__ = [
    "FUNCTION_FAILURES",
    "Answered",
    "Changed",
    "Failed",
    "Proceed",
    "RequestOutcome",
    "ResponseOutcome",
    "Scene",
    "generated_headers",
]

FUNCTION_FAILURES: Final = frozenset(
    {
        "FunctionExecutionError",
        "FunctionThrottledError",
        "FunctionValidationError",
        "LambdaExecutionError",
        "LambdaLimitExceeded",
        "LambdaValidationError",
    }
)
"""The detailed result types of functions that failed (CDN-XC-08, CDN-XC-09).

Such an answer is never stored.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a request is: its record, its distribution, and the behavior its path chose.

    ``generated`` are the CloudFront-* headers that the behavior's policies ask for.
    """

    exchange: Exchange
    distribution: Distribution
    behavior: Behavior
    generated: Mapping[str, str]
    is_grpc: bool = False


def generated_headers(
    behavior: Behavior, request: Request, more: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The CloudFront-* headers that the policies of ``behavior`` ask for, as far as known, and
    those about the viewer's certificate.

    ``more`` are those known that the request does not tell.
    """
    wanted = plan_of(behavior).generated
    mutual_tls = request.viewer.mutual_tls
    if not wanted and mutual_tls is None:
        return {}
    known = {**cloudfront_headers(request), **(more or {})}
    found = {name: known[name] for name in wanted if name in known}
    if mutual_tls is not None:
        # CDN-CFH-21: every request has these; only origins get the two that policies must name.
        found |= {
            name: value
            for name, value in mutual_tls.headers
            if name.lower() not in ORIGIN_REQUEST_POLICY_ONLY
        }
    return found


@dataclass(frozen=True, slots=True)
class Proceed:
    """Go on with ``request``.

    ``origin`` is the one an origin-request function left in its event, ``origin_change`` what a
    CloudFront Function asked for with the helpers of its ``cf`` module. ``result`` is what the
    function returned, of which alone this follows.
    """

    request: Request
    origin: Origin | None = None
    origin_change: "OriginChange | None" = None
    result: "Returned | Ran | None" = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The function made the response; nothing further is asked."""

    response: Response
    result_type: str
    why: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The response as the function left it."""

    response: Response


@dataclass(frozen=True, slots=True)
class Failed:
    """The function failed; ``response`` is AWS's error page for it."""

    response: Response
    result_type: str
    why: str


RequestOutcome: TypeAlias = Proceed | Answered | Failed
ResponseOutcome: TypeAlias = Changed | Failed
