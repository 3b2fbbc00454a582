"""Managed policies are found by ID, by API name and by short name, with case."""

import pytest

from edgeproxy.distribution.managed import (
    CACHE_POLICIES,
    ORIGIN_REQUEST_POLICIES,
    RESPONSE_HEADERS_POLICIES,
    find_cache_policy,
    find_origin_request_policy,
    find_response_headers_policy,
)
from edgeproxy.distribution.model import (
    CachePolicy,
    OriginRequestPolicy,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy


@pytest.mark.parametrize("policy", CACHE_POLICIES, ids=lambda policy: policy.name)
def test_cache_policies_are_found(policy: CachePolicy) -> None:
    for key in (policy.id, policy.name, policy.name.removeprefix("Managed-")):
        assert find_cache_policy(key) is policy


@pytest.mark.parametrize("policy", ORIGIN_REQUEST_POLICIES, ids=lambda policy: policy.name)
def test_origin_request_policies_are_found(policy: OriginRequestPolicy) -> None:
    for key in (policy.id, policy.name, policy.name.removeprefix("Managed-")):
        assert find_origin_request_policy(key) is policy


@pytest.mark.parametrize("policy", RESPONSE_HEADERS_POLICIES, ids=lambda policy: policy.name)
def test_response_headers_policies_are_found(policy: ResponseHeadersPolicy) -> None:
    for key in (policy.id, policy.name, policy.name.removeprefix("Managed-")):
        assert find_response_headers_policy(key) is policy


def test_ids_are_unique() -> None:
    every = [*CACHE_POLICIES, *ORIGIN_REQUEST_POLICIES, *RESPONSE_HEADERS_POLICIES]
    assert len({policy.id for policy in every}) == len(every) == 20


@pytest.mark.parametrize("name", ["", "managed-cachingoptimized", "AllViewer", "Managed-"])
def test_other_names_are_not_cache_policies(name: str) -> None:
    assert find_cache_policy(name) is None
