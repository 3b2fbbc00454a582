"""The limits, as AWS's table of quotas states them."""

import pytest

from edgeproxy.distribution import quotas


def test_every_public_name_is_a_positive_number() -> None:
    assert all(getattr(quotas, name) > 0 for name in quotas.__all__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_HEAD_BYTES", 32_768),
        ("MAX_URL_BYTES", 8_192),
        ("MAX_REQUEST_BODY_BYTES", 64 * 2**30),
        ("MAX_CACHEABLE_RESPONSE_BYTES", 50 * 2**30),
        ("MIN_COMPRESSED_BYTES", 1_000),
        ("MAX_COMPRESSED_BYTES", 10_000_000),
        ("WEBSOCKET_IDLE_S", 600),
        ("MAX_GENERATED_VIEWER_RESPONSE_BYTES", 40_960),
        ("MAX_GENERATED_ORIGIN_RESPONSE_BYTES", 1_048_576),
        ("MAX_CLOUDFRONT_FUNCTION_BYTES", 10_240),
        ("MAX_KEY_VALUE_STORE_BYTES", 5 * 2**20),
    ],
)
def test_sizes_are_in_bytes_and_times_in_seconds(name: str, value: int) -> None:
    assert getattr(quotas, name) == value
