"""Sample messages fit the behavior that they are made for."""

import pytest

from edgeproxy.app.samples import first_origin, sample_path, sample_request, sample_response
from edgeproxy.distribution.managed import find_cache_policy, find_origin_request_policy
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    Origin,
    OriginGroup,
    Selection,
    SelectionKind,
)

WEB = Origin("web", "web.example.com", CustomOrigin())
ALL = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
POLICY = CachePolicy(
    "p",
    0,
    1,
    2,
    headers=Selection(SelectionKind.WHITELIST, ("X-Tenant", "Origin", "CloudFront-Viewer-Country")),
    cookies=Selection(SelectionKind.WHITELIST, ("ab",)),
    query_strings=Selection(SelectionKind.WHITELIST, ("page", "size")),
)


def behavior(pattern: str = "*", **more: object) -> Behavior:
    return Behavior(**{"path_pattern": pattern, "target_origin_id": "web", "cache": POLICY, **more})  # type: ignore[arg-type]


def distribution(*behaviors: Behavior, **more: object) -> Distribution:
    return Distribution(
        "Site",
        "E1",
        "d1.cloudfront.net",
        {"web": WEB},
        behavior(),
        behaviors,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*", "/sample"),
        ("/api/*", "/api/sample"),
        ("/old*", "/old"),
        ("*.jpg", "/sample.jpg"),
        ("/a/*/b?.html", "/a/sample/ba.html"),
        ("images/*", "/images/sample"),
        ("/exact", "/exact"),
    ],
)
def test_a_path_matches_its_pattern(pattern: str, path: str) -> None:
    assert sample_path(pattern) == path
    chosen = behavior(pattern)
    assert match_behavior(distribution(chosen), path).path_pattern == pattern


def test_what_the_policies_name_is_there() -> None:
    request = sample_request(distribution(aliases=("*.example.org", "www.example.org")), behavior())
    assert (request.method, request.host) == ("GET", "www.example.org")
    assert request.query == "page=sample&size=sample"
    assert request.headers.get("X-Tenant") == "sample"
    assert request.headers.get("Origin") == "https://www.example.org"
    assert request.headers.get("Cookie") == "ab=sample"
    assert "cloudfront-viewer-country" not in request.headers.names()


def test_managed_policies_need_nothing_more() -> None:
    plain = behavior(
        cache=find_cache_policy("CachingOptimized"),
        origin_request_policy=find_origin_request_policy("AllViewer"),
    )
    request = sample_request(distribution(), plain)
    assert (request.query, request.headers.get("Cookie")) == (None, "")


@pytest.mark.parametrize(("methods", "method"), [(ALL, "POST"), (("GET", "HEAD"), "GET")])
def test_who_reads_bodies_gets_one_where_it_may(methods: tuple[str, ...], method: str) -> None:
    reads = FunctionAssociation(
        EventType.VIEWER_REQUEST, EdgeFunctionKind.LAMBDA, "f", "1", include_body=True
    )
    request = sample_request(distribution(), behavior(functions=(reads,), allowed_methods=methods))
    assert request.method == method
    assert bool(request.body.length) == (method == "POST")


def test_an_answer_of_the_first_origin() -> None:
    group = OriginGroup("group", "web", "web", frozenset({500}))
    site = distribution(origin_groups={"group": group})
    assert first_origin(site, behavior(target_origin_id="group")) is WEB
    response = sample_response(WEB, "/a.css", 0.0)
    assert (response.status, response.headers.get("Content-Type")) == (200, "text/css")
    assert response.headers.get("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"
