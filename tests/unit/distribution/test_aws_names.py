"""AWS's domain names and what they say."""

import pytest

from edgeproxy.distribution.aws_names import (
    bucket_of,
    is_function_url,
    is_website_endpoint,
    region_of,
)


@pytest.mark.parametrize(
    ("domain_name", "bucket", "region"),
    [
        ("files.s3.amazonaws.com", "files", ""),
        ("Files.S3.EU-west-1.amazonaws.com", "files", "eu-west-1"),
        ("a.b.s3.us-gov-west-1.amazonaws.com", "a.b", "us-gov-west-1"),
        ("files.s3-us-west-2.amazonaws.com", "files", "us-west-2"),
        ("files.s3.dualstack.us-east-2.amazonaws.com", "files", "us-east-2"),
        ("files.s3-accelerate.amazonaws.com", "files", ""),
        ("files.s3.cn-north-1.amazonaws.com.cn", "files", "cn-north-1"),
        ("files.s3-website-us-east-1.amazonaws.com", "", ""),
        ("files.s3-website.eu-central-1.amazonaws.com", "", "eu-central-1"),
        ("s3.eu-west-1.amazonaws.com", "", "eu-west-1"),
        ("files.s3.amazonaws.com.example.com", "", ""),
        ("abc.lambda-url.eu-west-1.on.aws", "", "eu-west-1"),
        ("www.example.com", "", ""),
    ],
)
def test_buckets_and_regions(domain_name: str, bucket: str, region: str) -> None:
    assert (bucket_of(domain_name), region_of(domain_name)) == (bucket, region)


@pytest.mark.parametrize(
    ("domain_name", "expected"),
    [
        ("files.s3-website-us-east-1.amazonaws.com", True),
        ("a.b.s3-website.eu-central-1.amazonaws.com", True),
        ("files.s3.eu-central-1.amazonaws.com", False),
        ("s3-website-us-east-1.amazonaws.com", False),
    ],
)
@pytest.mark.rule("CDN-S3-03")
def test_website_endpoints(domain_name: str, expected: bool) -> None:
    assert is_website_endpoint(domain_name) is expected


def test_function_urls() -> None:
    assert is_function_url("abc123.lambda-url.eu-west-1.on.aws")
    assert not is_function_url("abc123.execute-api.eu-west-1.amazonaws.com")
