"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from edgeproxy.edge import location
from edgeproxy.edge.misses import PlainMiss
from tests.support.origin import Origin, running_origin
from tests.support.repeats import checked_miss, checked_twice, differences


@pytest.fixture(scope="session", autouse=True)
def both_ways() -> Iterator[None]:
    """All hits in this process are compared with what repeated requests would get, and misses
    that were prepared for with what the pipeline makes of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(location, "record_delivery", checked_twice)
        patch.setattr(PlainMiss, "_ended", checked_miss)
        yield
    assert not differences, differences[:2]


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A real origin that records and answers as told."""
    with running_origin() as running:
        yield running
