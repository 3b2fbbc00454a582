"""What AWS's own domain names say: the bucket, whether it is a website, the Region.

A bucket's REST endpoint comes in many spellings (with and without a Region, dual-stack,
accelerated, the old ``s3-<region>``); its website endpoint is an HTTP server like any other
(CDN-S3-03).
"""

import re
from typing import Final

__all__ = ["bucket_of", "is_function_url", "is_website_endpoint", "region_of"]

_BUCKET: Final = re.compile(
    r"(?P<bucket>[a-z0-9.-]+)\.s3[.-](?!website)([a-z0-9-]+\.)*amazonaws\.com(\.cn)?"
)
_WEBSITE: Final = re.compile(r"[a-z0-9.-]+\.s3-website[.-][a-z0-9-]+\.amazonaws\.com(\.cn)?")
_FUNCTION_URL: Final = re.compile(r"[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws")
_REGION: Final = re.compile(
    r"\.(?:s3-)?(?P<region>[a-z]{2}(?:-[a-z]+)+-\d+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$"
)


def bucket_of(domain_name: str) -> str:
    """The bucket that a REST endpoint of S3 is for; empty for any other name."""
    match = _BUCKET.fullmatch(domain_name.lower())
    return match["bucket"] if match else ""


def is_website_endpoint(domain_name: str) -> bool:
    """Whether it is a bucket's website endpoint."""
    return _WEBSITE.fullmatch(domain_name.lower()) is not None


def is_function_url(domain_name: str) -> bool:
    """Whether it is the domain name of a Lambda function URL."""
    return _FUNCTION_URL.fullmatch(domain_name.lower()) is not None


def region_of(domain_name: str) -> str:
    """The Region in the name of a bucket, a function URL or another service; else empty."""
    match = _REGION.search(domain_name.lower())
    return match["region"] if match else ""
