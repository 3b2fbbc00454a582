"""Custom error responses: the distribution's own page in place of an error (CDN-CEP)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from edgeproxy.cache.freshness import CacheRules, cache_rules, error_page_rules
from edgeproxy.distribution.model import CustomErrorResponse, Distribution
from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.passage import Verdict
from edgeproxy.http.body import EMPTY_BODY
from edgeproxy.http.messages import Request

__all__ = ["ErrorPage", "page_for", "page_rules", "replace_page"]

_NEVER_REPLACED: Final = frozenset({"CapacityExceeded", "LimitExceeded", "LambdaLimitExceeded"})
"""Errors of capacity and limits keep CloudFront's own page (CDN-CEP-08, LE-ERR-10)."""

_CLOSING: Final = frozenset({400, 405, 414, 416, 500, 501})
"""After a page for one of these errors the connection is closed (CDN-CEP-10)."""

_CONDITIONS: Final = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
    "Content-Length",
    "Content-Type",
    "Transfer-Encoding",
    "Expect",
)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The page to fetch, as a request of its own (CDN-CEP-04), and its entry.

    ``about`` are the headers about the request that failed, for a behavior that asks for them
    (CDN-CEP-14).
    """

    entry: CustomErrorResponse
    request: Request
    about: Mapping[str, str]


def page_for(distribution: Distribution, request: Request, verdict: Verdict) -> ErrorPage | None:
    """The page that the distribution shows for the verdict's status, if it has one."""
    entry = distribution.custom_error_responses.get(verdict.response.status)
    if entry is None or not entry.response_page_path or verdict.result_type in _NEVER_REPLACED:
        return None
    if not distribution.enabled:
        return None  # It serves nothing, error pages included (CDN-BEH-05, U).
    path, mark, query = entry.response_page_path.partition("?")
    page_request = replace(
        request,
        method="GET",
        path=path,
        query=query if mark else None,
        headers=request.headers.without(*_CONDITIONS),
        body=EMPTY_BODY,
        upgrade="",
    )
    about = {"CloudFront-Error-Uri": request.path}
    if request.query:
        about["CloudFront-Error-Args"] = request.query
    return ErrorPage(entry, page_request, about)


def page_rules(error: Scene, page: Scene, verdict: Verdict, now: float) -> CacheRules:
    """By which rules a page is kept that stands in for ``verdict`` (CDN-CEP-09)."""
    distribution, response = error.distribution, verdict.response
    rules = cache_rules(distribution, error.behavior)
    return error_page_rules(
        distribution, page.behavior, response.status, response.headers, rules, now
    )


async def replace_page(page: ErrorPage, error: Verdict, fetched: Verdict) -> Verdict:
    """The error with its page, or the failure to fetch the page (CDN-CEP-06, CDN-CEP-12).

    The result type stays that of the error (CDN-CEP-11).
    """
    await error.response.body.close()
    if fetched.response.status >= 400:
        why = f"{error.why}; the error page {page.entry.response_page_path} could not be had"
        return replace(error, response=fetched.response, reason=why)
    status = page.entry.response_code or error.response.status
    response = replace(fetched.response, status=status, reason="")
    headers = response.headers.without("Age")
    if error.response.status in _CLOSING:
        headers = headers.with_set("Connection", "close")
    response = replace(response, headers=headers)
    why = f"{error.why}; shown with the custom error page {page.entry.response_page_path}"
    return replace(error, response=response, reason=why)
