"""Synthetic visitors and their cookies."""

from collections import Counter

from edgeproxy.experiments.visitors import CookieJar, population

NOW = 1_800_000_000.0


def test_the_same_seed_gives_the_same_visitors() -> None:
    def described(seed: int) -> list[tuple[str, str, str]]:
        return [(each.ip, each.country, each.device) for each in population(50, seed)]

    assert described(1) == described(1)
    assert described(1) != described(2)


def test_visitors_are_of_many_kinds_and_each_has_an_address() -> None:
    visitors = list(population(2000, 1))
    assert len({each.ip for each in visitors}) == 2000
    assert all(each.ip.startswith("198.18.") for each in visitors)
    assert len({each.country for each in visitors}) > 5
    devices = Counter(each.device for each in visitors)
    assert devices["mobile"] > devices["tablet"] > 0
    assert len({each.headers for each in visitors}) > 10


def test_a_cookie_is_kept_until_it_ends_by_the_clock_of_the_edge() -> None:
    jar = CookieJar()
    jar.store(["ab=a; Path=/; Max-Age=3600"], "/", NOW)
    assert jar.value("ab", "/", NOW + 3599) == "a"
    assert jar.value("ab", "/", NOW + 3600) is None
    jar.store(["ab=b; Path=/; Expires=Fri, 15 Jan 2027 08:00:10 GMT"], "/", NOW)
    assert jar.header("/", NOW + 9) == "ab=b"
    assert jar.header("/", NOW + 10) == ""


def test_a_cookie_ends_at_once() -> None:
    jar = CookieJar()
    jar.store(["ab=a", "ab=gone; Max-Age=0"], "/", NOW)
    assert jar.header("/", NOW) == ""
    jar.store(["ab=a"], "/", NOW)
    jar.store(["ab=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/", NOW)
    assert jar.header("/", NOW) == ""


def test_cookies_belong_to_paths() -> None:
    jar = CookieJar()
    jar.store(["ab=shop"], "/shop/cart", NOW)
    jar.store(["ab=all; Path=/", "x=1; Path=nonsense"], "/index.html", NOW)
    assert jar.header("/shop/pay", NOW) == "ab=shop; ab=all; x=1"
    assert jar.value("ab", "/shop/pay", NOW) == "shop"
    assert jar.header("/shopping", NOW) == "ab=all; x=1"
    assert jar.value("ab", "/", NOW) == "all"


def test_lines_that_are_no_cookies_are_dropped() -> None:
    jar = CookieJar()
    jar.store(
        ["", "nothing", "=value", "ok=1; Max-Age=soon; Expires=later", "b=2; Max-Age=--1"], "/", NOW
    )
    assert jar.header("/", NOW) == "b=2; ok=1"
