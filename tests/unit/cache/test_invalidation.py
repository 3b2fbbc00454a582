from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.invalidation import invalidation
from tests.unit.cache.scenes import key

path_text = st.text("/ab*?%c3C", max_size=8)


@given(path_text)
def test_a_path_without_star_at_its_end_names_itself(text: str) -> None:
    path, mark, query = f"/{text}".partition("?")
    assert invalidation("E1", [f"/{text}"])(key(path, query if mark else None)) is (
        bool(query) or not mark or f"/{text}".endswith("*")
    )


@given(path_text, path_text)
def test_a_star_names_everything_that_begins_so(beginning: str, rest: str) -> None:
    if "%" not in beginning and "?" not in beginning:
        path, mark, query = f"/{beginning}{rest}".partition("?")
        assert invalidation("E1", [f"/{beginning}*"])(key(path, query if mark else None))


def test_several_paths() -> None:
    matches = invalidation("E1", ["/a", "/b*"])
    assert [matches(key(path)) for path in ("/a", "/ab", "/b", "/bc")] == [True, False, True, True]
