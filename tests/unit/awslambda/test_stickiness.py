import pytest

from edgeproxy.awslambda.stickiness import StickyBy, fraction_of, parse_sticky
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

REQUEST = Request(
    "GET", "/", headers=Headers([("X-User", "ann"), ("Cookie", "a=1; sid=x"), ("Cookie", "sid=y")])
)


@pytest.mark.rule("LI-112")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("header:x-user", "ann"),
        ("header:x-other", ""),
        ("cookie:sid", "x"),
        ("cookie:SID", ""),
    ],
)
def test_what_stands_for_a_user(text: str, value: str) -> None:
    sticky = parse_sticky(text)
    assert sticky is not None
    assert sticky.value(REQUEST) == value


def test_what_is_no_choice() -> None:
    assert parse_sticky("") is None
    assert parse_sticky("header:a:b") == StickyBy("header", "a:b")
    with pytest.raises(UsageError):
        parse_sticky("header")


def test_fractions_are_spread_and_repeatable() -> None:
    fractions = [fraction_of("arn", str(number)) for number in range(1000)]
    assert fractions == [fraction_of("arn", str(number)) for number in range(1000)]
    assert 0 <= min(fractions) < 0.01
    assert 0.99 < max(fractions) < 1
    assert abs(sum(fractions) / 1000 - 0.5) < 0.05
    assert fraction_of("ab", "c") != fraction_of("a", "bc")
