"""The managed policies hold what AWS's pages say (CDN-MP)."""

import pytest

from edgeproxy.distribution.managed import (
    find_cache_policy,
    find_origin_request_policy,
    find_response_headers_policy,
)
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Origin,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.response_headers import PolicyHeader
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.forwarding import origin_request

ALL = Selection(SelectionKind.ALL)
NONE = Selection()
METHOD_HEADERS = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


def listed(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


@pytest.mark.rule("CDN-MP-01")
@pytest.mark.parametrize(
    ("policy_id", "ttls", "headers", "cookies", "queries", "codings"),
    [
        (
            "2e54312d-136d-493c-8eb9-b001f22f67d2",
            (2, 2, 600),
            listed("Authorization", "CloudFront-Viewer-Country", "Host"),
            ALL,
            ALL,
            (True, True),
        ),
        ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", (0, 0, 0), NONE, NONE, NONE, (False, False)),
        (
            "658327ea-f89d-4fab-a63d-7e88639e58f6",
            (1, 86_400, 31_536_000),
            NONE,
            NONE,
            NONE,
            (True, True),
        ),
        (
            "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
            (1, 86_400, 31_536_000),
            NONE,
            NONE,
            NONE,
            (False, False),
        ),
        (
            "08627262-05a9-4f76-9ded-b50ca2e3a84f",
            (0, 86_400, 31_536_000),
            listed("Origin"),
            NONE,
            listed("aws.manifestfilter", "start", "end", "m"),
            (True, False),
        ),
        (
            "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
            (0, 0, 31_536_000),
            listed("Host", "Origin", *METHOD_HEADERS),
            ALL,
            NONE,
            (True, True),
        ),
        (
            "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
            (0, 0, 31_536_000),
            listed("Host", "Origin", *METHOD_HEADERS),
            ALL,
            ALL,
            (True, True),
        ),
    ],
)
def test_cache_policy(
    policy_id: str,
    ttls: tuple[int, int, int],
    headers: Selection,
    cookies: Selection,
    queries: Selection,
    codings: tuple[bool, bool],
) -> None:
    policy = find_cache_policy(policy_id)
    assert policy is not None
    assert (policy.min_ttl_s, policy.default_ttl_s, policy.max_ttl_s) == ttls
    assert (policy.headers, policy.cookies, policy.query_strings) == (headers, cookies, queries)
    assert (policy.enable_accept_encoding_gzip, policy.enable_accept_encoding_brotli) == codings


CORS_HEADERS = ("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method")


@pytest.mark.rule("CDN-MP-01")
@pytest.mark.parametrize(
    ("policy_id", "headers", "cookies", "queries"),
    [
        ("216adef6-5c7f-47e4-b989-5492eafa07d3", Selection(SelectionKind.ALL_VIEWER), ALL, ALL),
        ("59781a5b-3903-41f3-afcb-af62929ccde1", listed("Origin"), NONE, NONE),
        ("88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", listed(*CORS_HEADERS), NONE, NONE),
        (
            "775133bc-15f2-49f9-abea-afb2e0bf67d2",
            listed(*CORS_HEADERS, "User-Agent", "X-Forwarded-For"),
            NONE,
            ALL,
        ),
        ("bf0718e1-ba1e-49d1-88b1-f726733018ae", listed("Host"), NONE, NONE),
        ("acba4595-bd28-49b8-b9fe-13317c0390fa", listed("User-Agent", "Referer"), NONE, NONE),
    ],
)
def test_origin_request_policy(
    policy_id: str, headers: Selection, cookies: Selection, queries: Selection
) -> None:
    policy = find_origin_request_policy(policy_id)
    assert policy is not None
    assert (policy.headers, policy.cookies, policy.query_strings) == (headers, cookies, queries)


GENERATED = {
    "CloudFront-Forwarded-Proto": "https",
    "CloudFront-Viewer-Http-Version": "2.0",
    "CloudFront-Viewer-Country": "DE",
    "CloudFront-Viewer-City": "Bonn",
    "CloudFront-Viewer-TLS": "TLSv1.3:X:fullHandshake",
    "CloudFront-Is-Mobile-Viewer": "true",
    "CloudFront-Viewer-Header-Count": "2",
}


def sent_by(name: str) -> Headers:
    behavior = Behavior(
        "*",
        "o",
        CachePolicy("p", 0, 0, 0),
        origin_request_policy=find_origin_request_policy(name),
    )
    request = Request("GET", "/", headers=Headers([("Host", "www.example"), ("X-A", "1")]))
    origin = Origin("o", "origin.example", CustomOrigin())
    return origin_request(
        request, behavior, origin, generated=GENERATED, request_id="id", via="v"
    ).headers


@pytest.mark.rule("CDN-MP-01", "CDN-ORP-05", "CDN-ORP-08")
@pytest.mark.parametrize(
    ("policy_id", "host"),
    [
        ("33f36d7e-f396-46d9-90e0-52428a34d9dc", "www.example"),
        ("b689b0a8-53d0-40ab-baf2-68738e2966ac", "origin.example"),
    ],
)
def test_policies_that_add_cloudfront_headers(policy_id: str, host: str) -> None:
    headers = sent_by(policy_id)
    assert (headers.get("Host"), headers.get("X-A")) == (host, "1")
    expected = set(GENERATED) - {"CloudFront-Viewer-Header-Count"}
    assert {name for name, _ in headers if name.startswith("CloudFront-")} == expected


SECURITY = (
    PolicyHeader("Referrer-Policy", "strict-origin-when-cross-origin", override=False),
    PolicyHeader("Strict-Transport-Security", "max-age=31536000", override=False),
    PolicyHeader("X-Content-Type-Options", "nosniff", override=True),
    PolicyHeader("X-Frame-Options", "SAMEORIGIN", override=False),
    PolicyHeader("X-XSS-Protection", "1; mode=block", override=False),
)


@pytest.mark.rule("CDN-MP-01")
@pytest.mark.parametrize(
    ("policy_id", "cors", "security"),
    [
        ("60669652-455b-4ae9-85a4-c4c02393f86c", "simple", ()),
        ("5cc3b908-e619-4b99-88e5-2cf7f45965bd", "preflight", ()),
        ("67f7725c-6f97-4210-82d7-5512b31e9d03", "", SECURITY),
        ("e61eb60c-9c35-4d20-a928-2b84e02af89c", "simple", SECURITY),
        ("eaab4381-ed33-4a86-88ca-d9558dc6cd63", "preflight", SECURITY),
    ],
)
def test_response_headers_policy(
    policy_id: str, cors: str, security: tuple[PolicyHeader, ...]
) -> None:
    policy = find_response_headers_policy(policy_id)
    assert policy is not None
    assert policy.security_headers == security
    if not cors:
        assert policy.cors is None
        return
    assert policy.cors is not None
    assert policy.cors.allow_origins == ("*",)
    assert not policy.cors.origin_override
    methods, exposed = policy.cors.allow_methods, policy.cors.expose_headers
    if cors == "simple":
        assert (methods, exposed) == ((), ())
    else:
        assert methods == ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
        assert exposed == ("*",)


@pytest.mark.rule("CDN-MP-02")
def test_names_carry_the_prefix_except_two() -> None:
    policy = find_cache_policy("Managed-CachingOptimized")
    assert policy is not None
    assert policy.name == "Managed-CachingOptimized"
    for name in ("UseOriginCacheControlHeaders", "UseOriginCacheControlHeaders-QueryStrings"):
        plain = find_cache_policy(name)
        assert plain is not None
        assert plain.name == name
        assert find_cache_policy(f"Managed-{name}") is None


@pytest.mark.rule("CDN-MP-03")
def test_an_unknown_id_is_no_policy() -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    assert find_cache_policy(unknown) is None
    assert find_origin_request_policy(unknown) is None
    assert find_response_headers_policy(unknown) is None
