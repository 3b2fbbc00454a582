import pytest

from edgeproxy.http.etags import if_none_match, strong_match, weak_match


@pytest.mark.parametrize(
    ("one", "other", "weakly", "strongly"),
    [
        ('"1"', '"1"', True, True),
        ('W/"1"', '"1"', True, False),
        ('W/"1"', 'W/"1"', True, False),
        ('"1"', '"2"', False, False),
        ("", "", False, False),
    ],
)
def test_comparison(one: str, other: str, weakly: bool, strongly: bool) -> None:
    assert weak_match(one, other) is weakly
    assert strong_match(one, other) is strongly


@pytest.mark.parametrize(
    ("condition", "etag", "matches"),
    [
        ('"1"', '"1"', True),
        ('"0" , W/"1"', '"1"', True),
        ('"a,b"', '"a,b"', True),
        ('"a,b"', '"a"', False),
        (" * ", "", True),
        ("bare", "bare", True),
        ("bare", '"bare"', False),
        ("", "", False),
        ('"1"', "", False),
    ],
)
def test_if_none_match(condition: str, etag: str, matches: bool) -> None:
    assert if_none_match(condition, etag) is matches
