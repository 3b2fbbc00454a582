"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from tests.support.origin import Origin, running_origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A real origin that records and answers as told."""
    with running_origin() as running:
        yield running
