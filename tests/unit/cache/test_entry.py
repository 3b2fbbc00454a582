import pytest

from edgeproxy.cache.entry import Entry, Hit, initial_age, make_entry
from edgeproxy.cache.freshness import Storable
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import key

NOW = 1_800_000_000.0


def entry(headers: Headers, storable: Storable, body: bytes = b"hello") -> Entry:
    return make_entry(key("/a", "q=1"), 200, "Fine", headers, body, storable, NOW)


def test_an_entry_gives_back_what_was_stored() -> None:
    headers = Headers([("ETag", '"1"'), ("X-É", "caf\udce9"), ("Set-Cookie", "a"), ("X", "")])
    made = entry(headers, Storable(60, "max-age=60"))
    response = made.response()
    assert (response.status, response.reason, response.headers) == (200, "Fine", headers)
    assert isinstance(response.body, BytesBody)
    assert response.body.data == b"hello"
    assert (made.distribution_id, made.path, made.query) == ("E1", "/a", "q=1")


def test_an_entry_without_headers() -> None:
    assert entry(Headers(), Storable(60, "x")).headers == Headers()


def test_its_times() -> None:
    made = entry(Headers(), Storable(60, "x", stale_while_revalidate_s=5, stale_if_error_s=7))
    assert made.fresh_until == NOW + 60
    assert made.while_revalidating_until == NOW + 65
    assert made.on_error_until == NOW + 67
    assert entry(Headers(), Storable(60, "x")).on_error_until == float("inf")


def test_what_is_not_kept() -> None:
    headers = Headers(
        [("Age", "7"), ("Transfer-Encoding", "chunked"), ("X-Secret", "s"), ("X-Open", "o")]
    )
    made = entry(headers, Storable(60, "x", hidden=("x-secret",)))
    assert made.headers == Headers([("X-Open", "o")])
    assert made.initial_age_s == 7


@pytest.mark.parametrize(
    ("age", "seconds"), [("7", 7), (" 7 ", 7), ("", 0), ("-1", 0), ("7s", 0), ("9" * 20, 0)]
)
def test_the_age_of_the_origin(age: str, seconds: int) -> None:
    assert initial_age(Headers([("Age", age)])) == seconds


def test_the_age_grows_and_is_never_negative() -> None:
    made = entry(Headers([("Age", "7")]), Storable(60, "x"))
    assert [made.age_s(NOW + passed) for passed in (0, 1.9, 2, -3600)] == [7, 8, 9, 7]


def test_a_hit_says_why() -> None:
    assert Hit(12.7, "max-age=60").why == "fresh for 12 s more (max-age=60)"
