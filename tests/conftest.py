"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from edgeproxy.edge import location
from tests.support.origin import Origin, running_origin
from tests.support.repeats import checked_twice


@pytest.fixture(scope="session", autouse=True)
def both_ways() -> Iterator[None]:
    """All hits in this process are compared with what repeated requests would get."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(location, "record_delivery", checked_twice)
        yield


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A real origin that records and answers as told."""
    with running_origin() as running:
        yield running
