"""The pytest plugin: the fixture ``edge``, a whole edge inside the test process."""

from collections.abc import Iterator

import pytest

from edgeproxy.testing import Edge

__all__ = ["edge"]


@pytest.fixture
def edge() -> Iterator[Edge]:
    """An edge on free ports of 127.0.0.1; everything it served is stopped after the test.

    ::

        def test_css_is_cached(edge):
            site = edge.serve("template.yaml", origins={"web": "http://127.0.0.1:9000"})
            assert site.get("/app.css").x_cache == "Miss from cloudfront"
            assert site.get("/app.css").x_cache == "Hit from cloudfront"
            edge.clock.advance(hours=1)
    """
    with Edge() as running:
        yield running
