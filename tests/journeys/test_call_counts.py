"""No path of a request makes many more calls than it did: a slow creep shows here, not in times."""

import pytest

from edgeproxy.edge.misses import PlainMiss
from tests.support.call_counts import PATHS, VERSION, counted, expected
from tests.support.repeats import unchecked


@pytest.mark.skipif(not expected(), reason=f"call_counts.toml has nothing for Python {VERSION}")
@pytest.mark.parametrize("path", PATHS)
def test_a_request_makes_no_more_calls_than_it_did(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainMiss, "_ended", unchecked)
    now, before = counted(path), expected()[path]
    assert now <= before * 1.1, (
        f"{PATHS[path]}: {now} calls a request, where there were {before}. When they are worth "
        "it, `python -m tests.support.call_counts` writes the new count."
    )
