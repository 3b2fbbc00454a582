"""AWS's managed policies (CDN-MP), found by ID or by name.

Most names carry the prefix ``Managed-`` in the API; they are found without it as well.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from edgeproxy.distribution.model import (
    CachePolicy,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.response_headers import CorsConfig, PolicyHeader, ResponseHeadersPolicy

__all__ = [
    "ALL_VIEWER_EXCEPT_HOST_HEADER_ID",
    "CACHE_POLICIES",
    "CLOUDFRONT_HEADERS_2022_06",
    "ORIGIN_REQUEST_POLICIES",
    "RESPONSE_HEADERS_POLICIES",
    "find_cache_policy",
    "find_origin_request_policy",
    "find_response_headers_policy",
]

P = TypeVar("P", CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy)

_PREFIX: Final = "Managed-"
_DAY_S: Final = 86_400
_YEAR_S: Final = 31_536_000
_ALL: Final = Selection(SelectionKind.ALL)
_ALL_VIEWER: Final = Selection(SelectionKind.ALL_VIEWER)
_OVERRIDE_HEADERS: Final = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


def _listed(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


CACHE_POLICIES: Final = (
    CachePolicy(
        "Managed-Amplify",
        2,
        2,
        600,
        headers=_listed("Authorization", "CloudFront-Viewer-Country", "Host"),
        cookies=_ALL,
        query_strings=_ALL,
        enable_accept_encoding_gzip=True,
        enable_accept_encoding_brotli=True,
        id="2e54312d-136d-493c-8eb9-b001f22f67d2",
    ),
    CachePolicy("Managed-CachingDisabled", 0, 0, 0, id="4135ea2d-6df8-44a3-9df3-4b5a84be39ad"),
    CachePolicy(
        "Managed-CachingOptimized",
        1,
        _DAY_S,
        _YEAR_S,
        enable_accept_encoding_gzip=True,
        enable_accept_encoding_brotli=True,
        id="658327ea-f89d-4fab-a63d-7e88639e58f6",
    ),
    CachePolicy(
        "Managed-CachingOptimizedForUncompressedObjects",
        1,
        _DAY_S,
        _YEAR_S,
        id="b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
    ),
    CachePolicy(
        "Managed-Elemental-MediaPackage",
        0,
        _DAY_S,
        _YEAR_S,
        headers=_listed("Origin"),
        query_strings=_listed("aws.manifestfilter", "start", "end", "m"),
        enable_accept_encoding_gzip=True,
        id="08627262-05a9-4f76-9ded-b50ca2e3a84f",
    ),
    CachePolicy(
        "UseOriginCacheControlHeaders",
        0,
        0,
        _YEAR_S,
        headers=_listed("Host", "Origin", *_OVERRIDE_HEADERS),
        cookies=_ALL,
        enable_accept_encoding_gzip=True,
        enable_accept_encoding_brotli=True,
        id="83da9c7e-98b4-4e11-a168-04f0df8e2c65",
    ),
    CachePolicy(
        "UseOriginCacheControlHeaders-QueryStrings",
        0,
        0,
        _YEAR_S,
        headers=_listed("Host", "Origin", *_OVERRIDE_HEADERS),
        cookies=_ALL,
        query_strings=_ALL,
        enable_accept_encoding_gzip=True,
        enable_accept_encoding_brotli=True,
        id="4cc15a8a-d715-48a4-82b8-cc0b614638fe",
    ),
)

CLOUDFRONT_HEADERS_2022_06: Final = (
    "CloudFront-Forwarded-Proto",
    "CloudFront-Is-Android-Viewer",
    "CloudFront-Is-Desktop-Viewer",
    "CloudFront-Is-IOS-Viewer",
    "CloudFront-Is-Mobile-Viewer",
    "CloudFront-Is-SmartTV-Viewer",
    "CloudFront-Is-Tablet-Viewer",
    "CloudFront-Viewer-Address",
    "CloudFront-Viewer-ASN",
    "CloudFront-Viewer-City",
    "CloudFront-Viewer-Country",
    "CloudFront-Viewer-Country-Name",
    "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Country-Region-Name",
    "CloudFront-Viewer-Http-Version",
    "CloudFront-Viewer-Latitude",
    "CloudFront-Viewer-Longitude",
    "CloudFront-Viewer-Metro-Code",
    "CloudFront-Viewer-Postal-Code",
    "CloudFront-Viewer-Time-Zone",
    "CloudFront-Viewer-TLS",
)

ALL_VIEWER_EXCEPT_HOST_HEADER_ID: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""The one policy with ``allExcept`` that adds CloudFront's headers besides (CDN-MP)."""

ORIGIN_REQUEST_POLICIES: Final = (
    OriginRequestPolicy(
        "Managed-AllViewer",
        _ALL_VIEWER,
        cookies=_ALL,
        query_strings=_ALL,
        id="216adef6-5c7f-47e4-b989-5492eafa07d3",
    ),
    OriginRequestPolicy(
        "Managed-AllViewerAndCloudFrontHeaders-2022-06",
        Selection(SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT, CLOUDFRONT_HEADERS_2022_06),
        cookies=_ALL,
        query_strings=_ALL,
        id="33f36d7e-f396-46d9-90e0-52428a34d9dc",
    ),
    OriginRequestPolicy(
        "Managed-AllViewerExceptHostHeader",
        Selection(SelectionKind.ALL_EXCEPT, ("Host",)),
        cookies=_ALL,
        query_strings=_ALL,
        id=ALL_VIEWER_EXCEPT_HOST_HEADER_ID,
    ),
    OriginRequestPolicy(
        "Managed-CORS-CustomOrigin", _listed("Origin"), id="59781a5b-3903-41f3-afcb-af62929ccde1"
    ),
    OriginRequestPolicy(
        "Managed-CORS-S3Origin",
        _listed("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"),
        id="88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
    ),
    OriginRequestPolicy(
        "Managed-Elemental-MediaTailor-PersonalizedManifests",
        _listed(
            "Origin",
            "Access-Control-Request-Headers",
            "Access-Control-Request-Method",
            "User-Agent",
            "X-Forwarded-For",
        ),
        query_strings=_ALL,
        id="775133bc-15f2-49f9-abea-afb2e0bf67d2",
    ),
    OriginRequestPolicy(
        "Managed-HostHeaderOnly", _listed("Host"), id="bf0718e1-ba1e-49d1-88b1-f726733018ae"
    ),
    OriginRequestPolicy(
        "Managed-UserAgentRefererHeaders",
        _listed("User-Agent", "Referer"),
        id="acba4595-bd28-49b8-b9fe-13317c0390fa",
    ),
)

_SIMPLE_CORS: Final = CorsConfig(
    allow_origins=("*",),
    allow_headers=(),
    allow_methods=(),
    allow_credentials=False,
    origin_override=False,
)
_PREFLIGHT_CORS: Final = CorsConfig(
    allow_origins=("*",),
    allow_headers=(),
    allow_methods=("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"),
    allow_credentials=False,
    origin_override=False,
    expose_headers=("*",),
    exposes_to_preflights_only=True,
)
_SECURITY_HEADERS: Final = (
    PolicyHeader("Referrer-Policy", "strict-origin-when-cross-origin", override=False),
    PolicyHeader("Strict-Transport-Security", "max-age=31536000", override=False),
    PolicyHeader("X-Content-Type-Options", "nosniff", override=True),
    PolicyHeader("X-Frame-Options", "SAMEORIGIN", override=False),
    PolicyHeader("X-XSS-Protection", "1; mode=block", override=False),
)

RESPONSE_HEADERS_POLICIES: Final = (
    ResponseHeadersPolicy(
        "Managed-SimpleCORS", _SIMPLE_CORS, id="60669652-455b-4ae9-85a4-c4c02393f86c"
    ),
    ResponseHeadersPolicy(
        "Managed-CORS-With-Preflight", _PREFLIGHT_CORS, id="5cc3b908-e619-4b99-88e5-2cf7f45965bd"
    ),
    ResponseHeadersPolicy(
        "Managed-SecurityHeadersPolicy",
        security_headers=_SECURITY_HEADERS,
        id="67f7725c-6f97-4210-82d7-5512b31e9d03",
    ),
    ResponseHeadersPolicy(
        "Managed-CORS-and-SecurityHeadersPolicy",
        _SIMPLE_CORS,
        _SECURITY_HEADERS,
        id="e61eb60c-9c35-4d20-a928-2b84e02af89c",
    ),
    ResponseHeadersPolicy(
        "Managed-CORS-with-preflight-and-SecurityHeadersPolicy",
        _PREFLIGHT_CORS,
        _SECURITY_HEADERS,
        id="eaab4381-ed33-4a86-88ca-d9558dc6cd63",
    ),
)


def _index(policies: Iterable[P]) -> Mapping[str, P]:
    return {
        key: policy
        for policy in policies
        for key in (policy.id, policy.name, policy.name.removeprefix(_PREFIX))
    }


_CACHE_POLICIES: Final = _index(CACHE_POLICIES)
_ORIGIN_REQUEST_POLICIES: Final = _index(ORIGIN_REQUEST_POLICIES)
_RESPONSE_HEADERS_POLICIES: Final = _index(RESPONSE_HEADERS_POLICIES)


def find_cache_policy(name_or_id: str) -> CachePolicy | None:
    """The managed cache policy of that ID or name, or None (CDN-MP-03: the caller's error)."""
    return _CACHE_POLICIES.get(name_or_id)


def find_origin_request_policy(name_or_id: str) -> OriginRequestPolicy | None:
    """The managed origin request policy of that ID or name, or None."""
    return _ORIGIN_REQUEST_POLICIES.get(name_or_id)


def find_response_headers_policy(name_or_id: str) -> ResponseHeadersPolicy | None:
    """The managed response headers policy of that ID or name, or None."""
    return _RESPONSE_HEADERS_POLICIES.get(name_or_id)
