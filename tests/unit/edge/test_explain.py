"""What an edge would do with a request, told without doing it."""

from dataclasses import replace

import pytest

from edgeproxy.distribution.model import (
    CachePolicy,
    CustomOrigin,
    LegacyCacheSettings,
    Origin,
    OriginGroup,
    ViewerProtocolPolicy,
)
from edgeproxy.edge.explain import explain
from edgeproxy.http.headers import Headers
from tests.unit.edge.scenes import BEHAVIOR, SITE, WEB, associated, request


def test_a_cacheable_request() -> None:
    answer = explain(SITE, request(query="v=1"), 0)
    assert answer["admitted"] is True
    assert answer["behavior"] == {
        "path_pattern": "*",
        "target_origin_id": "web",
        "cache_policy": "CachingOptimized",
        "origin_request_policy": None,
        "response_headers_policy": None,
    }
    cache = answer["cache"]
    assert isinstance(cache, dict)
    assert (cache["cacheable"], cache["min_ttl_s"], cache["collapses_requests"]) == (True, 1, True)
    assert ("path", "/a") in [(part["part"], part["value"]) for part in cache["key"]]


def test_what_the_origin_would_get() -> None:
    origin = replace(WEB, custom_headers=Headers([("X-Key", "secret")]))
    forwarded = explain(replace(SITE, origins={"web": origin}), request(), 0)["forwarded"]
    assert isinstance(forwarded, dict)
    assert (forwarded["target"], forwarded["domain_name"]) == ("/app/a", "web.example")
    assert ["X-Key", "secret"] in forwarded["headers"]
    assert ["Host", "web.example"] in forwarded["headers"]


def test_functions_in_the_order_of_their_events() -> None:
    behavior = replace(
        BEHAVIOR,
        functions=(
            associated("origin-response"),
            associated("origin-request"),
            associated("viewer-request", "cloudfront"),
        ),
    )
    functions = explain(replace(SITE, default_behavior=behavior), request(), 0)["functions"]
    assert functions == [
        {"event_type": "viewer-request", "kind": "cloudfront", "name": "fn"},
        {"event_type": "origin-request", "kind": "lambda", "name": "fn"},
        {"event_type": "origin-response", "kind": "lambda", "name": "fn"},
    ]


def test_a_refused_request_has_neither_key_nor_origin() -> None:
    behavior = replace(BEHAVIOR, viewer_protocol_policy=ViewerProtocolPolicy.HTTPS_ONLY)
    answer = explain(replace(SITE, default_behavior=behavior), request(), 0)
    assert answer["admitted"] is False
    assert isinstance(answer["refused"], dict)
    assert answer["refused"]["status"] == 403
    assert not answer.keys() & {"cache", "forwarded"}


@pytest.mark.parametrize(
    ("cache", "method", "why"),
    [
        (CachePolicy("CachingDisabled", 0, 0, 0), "GET", "are 0"),
        (CachePolicy("CachingOptimized", 1, 2, 3), "POST", "POST is not among CachedMethods"),
    ],
)
def test_what_is_never_cached_and_why(cache: CachePolicy, method: str, why: str) -> None:
    behavior = replace(BEHAVIOR, cache=cache, allowed_methods=("GET", "HEAD", "POST"))
    asked = request(method=method)
    answer = explain(replace(SITE, default_behavior=behavior), asked, 0)["cache"]
    assert isinstance(answer, dict)
    assert answer["cacheable"] is False
    assert why in answer["why"]


def test_legacy_settings_and_the_primary_of_a_group() -> None:
    group = OriginGroup("both", "web", "spare", frozenset({500}))
    behavior = replace(
        BEHAVIOR, cache=LegacyCacheSettings(query_string=False), target_origin_id="both"
    )
    distribution = replace(
        SITE,
        origins={"web": WEB, "spare": Origin("spare", "spare.example", CustomOrigin())},
        origin_groups={"both": group},
        default_behavior=behavior,
    )
    answer = explain(distribution, request(), 0)
    assert isinstance(answer["behavior"], dict)
    assert answer["behavior"]["cache_policy"] == "ForwardedValues"
    assert isinstance(answer["forwarded"], dict)
    assert answer["forwarded"]["origin"] == "web"
