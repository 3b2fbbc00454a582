from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.entry import make_entry
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.invalidation import invalidation
from edgeproxy.http.headers import EMPTY_HEADERS
from tests.unit.cache.scenes import key

path_text = st.text("/ab*?%c3C", max_size=8)


@given(path_text)
def test_a_path_without_star_at_its_end_names_itself(text: str) -> None:
    path, mark, query = f"/{text}".partition("?")
    assert invalidation("E1", [f"/{text}"]).may_take(key(path, query if mark else None)) is (
        bool(query) or not mark or f"/{text}".endswith("*")
    )


@given(path_text, path_text)
def test_a_star_names_everything_that_begins_so(beginning: str, rest: str) -> None:
    if "%" not in beginning and "?" not in beginning:
        path, mark, query = f"/{beginning}{rest}".partition("?")
        assert invalidation("E1", [f"/{beginning}*"]).may_take(key(path, query if mark else None))


def test_several_paths() -> None:
    matches = invalidation("E1", ["/a", "/b*"]).may_take
    assert [matches(key(path)) for path in ("/a", "/ab", "/b", "/bc")] == [True, False, True, True]


def test_what_is_being_fetched_may_have_any_tag() -> None:
    assert invalidation("E1", ["#t"]).may_take(key("/a"))
    assert not invalidation("E2", ["#t"]).may_take(key("/a"))


def test_an_entry_is_taken_by_path_or_by_tag() -> None:
    stored = make_entry(key("/a"), 200, "", EMPTY_HEADERS, b"", Storable(1, "", tags=("t",)), 0)
    taken = [invalidation("E1", [item]).takes(stored) for item in ("/a", "#T", "#u", "/b")]
    assert taken == [True, True, False, False]
    assert not invalidation("E2", ["#t", "/*"]).takes(stored)
