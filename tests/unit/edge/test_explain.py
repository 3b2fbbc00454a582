"""What an edge would do with a request, told without doing it."""

from dataclasses import replace

import pytest

from edgeproxy.cache.key import cache_key
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    LegacyCacheSettings,
    Origin,
    OriginGroup,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
    ViewerProtocolPolicy,
)
from edgeproxy.edge.explain import explain
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from tests.unit.cache.scenes import FLEXIBLE, Edge, ScriptedOrigin, answer
from tests.unit.edge.scenes import BEHAVIOR, SITE, WEB, associated, request


async def test_a_cacheable_request() -> None:
    answer = await explain(SITE, request(query="v=1"), 0)
    assert answer["admitted"] is True
    assert answer["behavior"] == {
        "path_pattern": "*",
        "default": True,
        "target_origin_id": "web",
        "cache_policy": "CachingOptimized",
        "origin_request_policy": None,
        "response_headers_policy": None,
    }
    cache = answer["cache"]
    assert isinstance(cache, dict)
    assert (cache["cacheable"], cache["min_ttl_s"], cache["collapses_requests"]) == (True, 1, True)
    assert ("path", "/a") in [(part["part"], part["value"]) for part in cache["key"]]


async def test_what_the_origin_would_get() -> None:
    origin = replace(WEB, custom_headers=Headers([("X-Key", "secret")]))
    document = await explain(replace(SITE, origins={"web": origin}), request(), 0)
    forwarded = document["forwarded"]
    assert isinstance(forwarded, dict)
    assert (forwarded["target"], forwarded["domain_name"]) == ("/app/a", "web.example")
    headers = {line["name"]: (line["value"], line["because"]) for line in forwarded["headers"]}
    assert headers["X-Key"] == ("secret", "a custom header of the origin web")
    assert headers["Host"] == (
        "web.example", "the origin's own name: no setting takes the viewer's",
    )  # fmt: skip


async def test_functions_in_the_order_of_their_events() -> None:
    behavior = replace(
        BEHAVIOR,
        functions=(
            associated("origin-response"),
            associated("origin-request"),
            associated("viewer-request", "cloudfront"),
        ),
    )
    answer = await explain(replace(SITE, default_behavior=behavior), request(), 0)
    functions = answer["functions"]
    assert functions == [
        {"event_type": "viewer-request", "kind": "cloudfront", "name": "fn"},
        {"event_type": "origin-request", "kind": "lambda", "name": "fn"},
        {"event_type": "origin-response", "kind": "lambda", "name": "fn"},
    ]


async def test_a_refused_request_has_neither_key_nor_origin() -> None:
    behavior = replace(BEHAVIOR, viewer_protocol_policy=ViewerProtocolPolicy.HTTPS_ONLY)
    answer = await explain(replace(SITE, default_behavior=behavior), request(), 0)
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
async def test_what_is_never_cached_and_why(cache: CachePolicy, method: str, why: str) -> None:
    behavior = replace(BEHAVIOR, cache=cache, allowed_methods=("GET", "HEAD", "POST"))
    asked = request(method=method)
    document = await explain(replace(SITE, default_behavior=behavior), asked, 0)
    answer = document["cache"]
    assert isinstance(answer, dict)
    assert answer["cacheable"] is False
    assert why in answer["why"]


async def test_legacy_settings_and_the_primary_of_a_group() -> None:
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
    answer = await explain(distribution, request(), 0)
    assert isinstance(answer["behavior"], dict)
    assert answer["behavior"]["cache_policy"] == "ForwardedValues"
    assert isinstance(answer["forwarded"], dict)
    assert answer["forwarded"]["origin"] == "web"


POLICIES = replace(
    BEHAVIOR,
    cache=CachePolicy(
        "per-variant",
        0,
        60,
        3600,
        headers=Selection(SelectionKind.WHITELIST, ("X-Variant", "CloudFront-Is-Mobile-Viewer")),
        cookies=Selection(SelectionKind.WHITELIST, ("ab",)),
        enable_accept_encoding_gzip=True,
    ),
    origin_request_policy=OriginRequestPolicy(
        "extra",
        headers=Selection(SelectionKind.WHITELIST, ("User-Agent",)),
        query_strings=Selection(SelectionKind.ALL_EXCEPT, ("utm",)),
    ),
)
LEGACY = replace(BEHAVIOR, cache=LegacyCacheSettings(query_string=True))
SENT = {
    "X-Variant": "a",
    "X-Other": "b",
    "User-Agent": "curl",
    "Authorization": "Basic x",
    "Accept-Encoding": "gzip, zstd",
    "CloudFront-Viewer-City": "Rome",
    "TE": "trailers",
    "If-None-Match": '"1"',
    "Cookie": "ab=1; session=2",
}


@pytest.mark.parametrize(
    ("behavior", "part", "because"),
    [
        (POLICIES, "X-Variant", "per-variant: headers whitelist"),
        (POLICIES, "User-Agent", "extra: headers whitelist"),
        (POLICIES, "Accept-Encoding", "reduced to gzip"),
        (POLICIES, "CloudFront-Is-Mobile-Viewer", "made by CloudFront; per-variant: headers"),
        (POLICIES, "If-None-Match", "always sent"),
        (POLICIES, "Via", "always sent"),
        (POLICIES, "with cookie ab", "per-variant: cookies whitelist"),
        (POLICIES, "without cookie session", "no setting names it"),
        (POLICIES, "with query string v", "extra: query strings allExcept"),
        (POLICIES, "without query string utm", "no setting names it"),
        (POLICIES, "without header x-other", "no setting names it"),
        (POLICIES, "without header authorization", "no setting names it"),
        (POLICIES, "without header te", "belongs to the viewer's connection"),
        (POLICIES, "without header cloudfront-viewer-city", "CloudFront alone"),
        (LEGACY, "X-Other", "legacy settings let headers pass"),
        (LEGACY, "User-Agent", "CloudFront's own"),
        (LEGACY, "with query string utm", "ForwardedValues: query strings"),
        (LEGACY, "without cookie ab", "no setting names it"),
    ],
)
async def test_why_each_part_goes_to_the_origin_or_does_not(
    behavior: Behavior, part: str, because: str
) -> None:
    plain = request(query="v=1&utm=2")
    asked = replace(plain, headers=Headers([*plain.headers, *SENT.items()]))
    document = await explain(replace(SITE, default_behavior=behavior), asked, 0)
    forwarded = document["forwarded"]
    assert isinstance(forwarded, dict)
    reasons = {line["name"]: line["because"] for line in forwarded["headers"]}
    reasons |= {f"with {item['part']}": item["because"] for item in forwarded["passed"]}
    reasons |= {f"without {item['part']}": item["because"] for item in forwarded["withheld"]}
    assert because in reasons[part]


@pytest.mark.parametrize(
    ("status", "cache_control", "outcome"),
    [
        (200, "max-age=9", {"stored": True, "ttl_s": 9, "why": "max-age=9"}),
        (200, "max-age=9999", {"stored": True, "ttl_s": 3600, "why": "MaxTTL 3600 (max-age=9999)"}),
        (200, "no-store", {"stored": False, "why": "no-store with MinTTL 0"}),
        (404, "", {"stored": True, "ttl_s": 10, "why": "ErrorCachingMinTTL 10 for 404"}),
    ],
)
async def test_what_would_become_of_an_answer(
    status: int, cache_control: str, outcome: dict[str, object]
) -> None:
    answer = Response(status, Headers([("Cache-Control", cache_control)] if cache_control else []))
    site = replace(SITE, default_behavior=POLICIES)
    document = await explain(site, request(), 0, answer=answer)
    told = document["answer"]
    assert isinstance(told, dict)
    assert outcome.items() <= told.items()


@pytest.mark.parametrize(
    ("method", "span", "lookup"),
    [
        ("GET", "bytes=2-4", "Hit"),
        ("GET", "bytes=4-5", "Miss"),
        ("GET", "bytes=nonsense", "Miss"),
        ("GET", "", "Miss"),
        ("HEAD", "", "Hit"),
    ],
)
async def test_of_an_object_in_parts_it_counts_which_are_asked_for(
    method: str, span: str, lookup: str
) -> None:
    edge, asked = Edge(), Headers([("Range", "bytes=2-4")])
    part = answer(206, b"234", content_range="bytes 2-4/10", cache_control="max-age=60", etag='"1"')
    key = cache_key(SITE, BEHAVIOR, request(), {})
    await edge.cache.obtain(key, FLEXIBLE, ScriptedOrigin(part), asked=asked)
    viewer = request(method=method)
    if span:
        viewer = replace(viewer, headers=viewer.headers.with_set("Range", span))
    document = await explain(SITE, viewer, edge.clock.now(), cache=edge.cache)
    assert isinstance(document["cache"], dict)
    assert (document["cache"]["now"]["lookup"], document["cache"]["now"]["status"]) == (lookup, 200)


async def test_the_default_root_object_stands_for_the_root() -> None:
    document = await explain(replace(SITE, default_root_object="index.html"), request("/"), 0)
    assert isinstance(document["cache"], dict)
    assert isinstance(document["forwarded"], dict)
    assert "/index.html" in [part["value"] for part in document["cache"]["key"]]
    assert document["forwarded"]["target"] == "/app/index.html"
