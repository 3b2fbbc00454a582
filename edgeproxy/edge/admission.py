"""The checks before any function or cache: may this request enter the behavior at all?

Order of the checks: CDN-BEH-30. A refused request runs no function (LE-TRIG-02, LE-TRIG-16).
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgeproxy.distribution.model import Behavior, Distribution, ViewerProtocolPolicy
from edgeproxy.distribution.quotas import MAX_DISTRIBUTIONS_IN_A_CHAIN
from edgeproxy.distribution.root_object import fault_in_root_object
from edgeproxy.distribution.signed_requests import judge_signature
from edgeproxy.edge.pages import error_page, redirect_page, unsigned_page
from edgeproxy.http.messages import Request, Response

__all__ = ["HTTPS_PORT", "Admission", "Admitted", "Refused", "admit", "refused_root"]

HTTPS_PORT: Final = 443
_PORT: Final = re.compile(r":[0-9]*$")
_CLOUDFRONT_ENTRY: Final = ".cloudfront.net (CloudFront)"
_LONGEST_REASON: Final = 1000
"""Characters; what is wrong with a signature quotes what the viewer sent."""
_METHOD_NOT_ALLOWED: Final = (
    "This distribution is not configured to allow the HTTP request method that was used for this "
    "request. The distribution supports only cachable requests."
)
_COUNTRY_BLOCKED: Final = (
    "The Amazon CloudFront distribution is configured to block access from your country."
)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer the viewer gets instead, and why; result types as in the access log."""

    response: Response
    why: str
    result_type: str = "Error"
    detailed_result_type: str = "Error"


Admission: TypeAlias = Admitted | Refused

_ADMITTED: Final = Admitted()


def admit(
    distribution: Distribution,
    behavior: Behavior,
    request: Request,
    request_id: str,
    now: float,
    https_port: int = HTTPS_PORT,
) -> Admission:
    """Viewer protocol policy, allowed methods, a GET's body, country, signature, in this order.

    Before them: is there anything to enter at all, and has the request come a way that is not too
    long? ``now`` is in seconds since 1970. ``https_port`` is where a redirect to HTTPS leads; AWS
    has no other than 443.
    """
    if not distribution.enabled:
        # CDN-BEH-05 (U): as if the host were unknown.
        return Refused(
            error_page(403, "Bad request.", request_id),
            f"{distribution.logical_id} is disabled (Enabled: false)",
            detailed_result_type="InvalidRequest",
        )
    passed = _distributions_passed(request)
    if passed >= MAX_DISTRIBUTIONS_IN_A_CHAIN:
        return Refused(
            error_page(403, "Bad request.", request_id),
            f"the request has come through {passed} distributions already; a chain has at most "
            f"{MAX_DISTRIBUTIONS_IN_A_CHAIN}",
            detailed_result_type="InvalidRequest",
        )
    if request.viewer.scheme == "http":
        refused = _judge_http(distribution, behavior, request, request_id, https_port)
        if refused is not None:
            return refused
    if request.method not in behavior.allowed_methods:
        return Refused(
            error_page(403, _METHOD_NOT_ALLOWED, request_id),
            f"{request.method} is not among AllowedMethods {', '.join(behavior.allowed_methods)}",
            detailed_result_type="InvalidRequestMethod",
        )
    if request.method == "GET" and request.body.length != 0:
        return Refused(
            error_page(403, "Bad request.", request_id),
            "a GET request carries a body (CDN-REQ-06)",
            detailed_result_type="InvalidRequest",
        )
    country = request.viewer.country
    if country and _is_blocked(distribution, country):
        return Refused(
            error_page(403, _COUNTRY_BLOCKED, request_id),
            f"GeoRestriction {distribution.geo_restriction.restriction_type} refuses {country}",
            detailed_result_type="ClientGeoBlocked",
        )
    if behavior.trusted_key_groups:
        groups = [distribution.key_groups.get(name, ()) for name in behavior.trusted_key_groups]
        keys = {key.id: key for group in groups for key in group}
        # OPTIONS is no exception (CDN-SGN-27, U).
        unsigned = judge_signature(request, keys, now)
        if unsigned is not None:
            return Refused(unsigned_page(unsigned.objection), unsigned.why[:_LONGEST_REASON])
    return _ADMITTED


def _judge_http(
    distribution: Distribution,
    behavior: Behavior,
    request: Request,
    request_id: str,
    https_port: int,
) -> Refused | None:
    match behavior.viewer_protocol_policy:
        case ViewerProtocolPolicy.ALLOW_ALL:
            return None
        case ViewerProtocolPolicy.HTTPS_ONLY:
            # CDN-VPP-03 (U): the reason's words are not documented.
            return Refused(
                error_page(403, "Bad request.", request_id),
                "ViewerProtocolPolicy https-only, and the request came over HTTP",
                detailed_result_type="InvalidRequest",
            )
        case ViewerProtocolPolicy.REDIRECT_TO_HTTPS:
            if request.method in ("GET", "HEAD"):
                status = 301
            elif request.version >= "1.1":
                status = 307
            else:
                return Refused(
                    error_page(403, "Bad request.", request_id),
                    f"{request.method} over HTTP/{request.version} cannot be redirected to HTTPS",
                    detailed_result_type="InvalidRequest",
                )
            # Only HTTP/1.0 may come without a Host.
            host = request.host or distribution.domain_name
            if https_port != HTTPS_PORT:
                host = f"{_PORT.sub('', host)}:{https_port}"
            return Refused(
                redirect_page(status, f"https://{host}{request.target}"),
                "ViewerProtocolPolicy redirect-to-https, and the request came over HTTP",
                result_type="Redirect",
                detailed_result_type="Redirect",
            )


def refused_root(distribution: Distribution, request: Request, request_id: str) -> Refused | None:
    """The answer for ``/`` where the default root object cannot be one (CDN-ROOT-07)."""
    if request.path != "/":
        return None
    fault = fault_in_root_object(distribution.default_root_object)
    if not fault:
        return None
    page = error_page(400, "InvalidDefaultRootObject", request_id)
    return Refused(page, f"DefaultRootObject: {fault} (CDN-ROOT-07)")


def _distributions_passed(request: Request) -> int:
    """How many CloudFront distributions the request names in its ``Via`` (CDN-BEH-06)."""
    via = request.headers.joined("Via")
    if via is None:
        return 0
    entries = via.split(",")
    return sum(entry.rstrip().endswith(_CLOUDFRONT_ENTRY) for entry in entries)


def _is_blocked(distribution: Distribution, country: str) -> bool:
    restriction = distribution.geo_restriction
    match restriction.restriction_type:
        case "whitelist":
            return country not in restriction.locations
        case "blacklist":
            return country in restriction.locations
        case _:
            return False
