"""Patterns, path normalisation and host names, one by one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.distribution.matching import (
    match_behavior,
    match_host,
    normalise_path,
    path_pattern_problem,
    wildcard,
)
from edgeproxy.distribution.model import Behavior, CachePolicy, Distribution

CACHE = CachePolicy("p", 0, 0, 0)


@pytest.mark.parametrize(
    ("path", "normalised"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b", "/a/b"),
        ("//", "/"),
        ("/a/", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//../b", "/b"),
        ("/.hidden/a..b/...", "/.hidden/a..b/..."),
        ("/%2f%2e%2E/a", "/%2F%2E%2E/a"),
        ("/100%/x", "/100%/x"),
        ("*", "*"),
    ],
)
def test_normalise_path(path: str, normalised: str) -> None:
    assert normalise_path(path) == normalised


@given(st.text("/.a%2f", max_size=30).map(lambda rest: f"/{rest}"))
def test_normalising_again_changes_nothing(path: str) -> None:
    once = normalise_path(path)
    assert normalise_path(once) == once
    assert once.startswith("/")
    assert "//" not in once
    assert not {".", ".."} & set(once.split("/"))


def slow_match(pattern: str, text: str) -> bool:
    """Wildcard matching by the book, without regular expressions."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slow_match(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and slow_match(pattern[1:], text[1:])


@given(st.text("ab/*?", max_size=8), st.text("ab/\n", max_size=8))
def test_wildcards_match_as_by_the_book(pattern: str, text: str) -> None:
    assert (wildcard(pattern).fullmatch(text) is not None) == slow_match(pattern, text)


@given(st.text(max_size=12).filter(lambda text: not set(text) & {"*", "?"}))
def test_every_other_character_is_literal(text: str) -> None:
    assert wildcard(text).fullmatch(text)
    assert wildcard(f"*{text}").fullmatch(f"x{text}")


def test_many_wildcards_do_not_take_forever() -> None:
    assert wildcard("*a" * 60 + "b").fullmatch("a" * 5000) is None


@pytest.mark.parametrize("pattern", ["*", "/images/*.jpg", "a_b-c.$/~\"'@:+?&*", "x" * 255])
def test_patterns_aws_takes(pattern: str) -> None:
    assert path_pattern_problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("x" * 256, "longer than 255"), ("/a b", "' '"), ("/[ab]", r"'\['"), ("/ü", "'ü'")],
)
def test_patterns_aws_refuses(pattern: str, problem: str) -> None:
    assert re.search(problem, path_pattern_problem(pattern))


def distribution(name: str, *aliases: str, enabled: bool = True) -> Distribution:
    return Distribution(
        name,
        f"E{name.upper()}",
        f"d{name}.cloudfront.net",
        {},
        Behavior("*", "o", CACHE),
        aliases=aliases,
        enabled=enabled,
    )


@pytest.mark.parametrize(
    "host",
    [
        "dsite.cloudfront.net",
        "DSITE.CloudFront.net:8080",
        "dsite.cloudfront.localhost:8080",
        "esite.cloudfront.localhost",
        "esite.cloudfront.net",
        "www.example.org",
    ],
)
def test_every_name_of_a_distribution(host: str) -> None:
    site = distribution("site", "www.example.org")
    assert match_host([distribution("other"), site], host) is site


@pytest.mark.parametrize("host", ["", ":80", "localhost", "[::1]:8080", "example.org", "*"])
def test_hosts_of_nobody(host: str) -> None:
    assert match_host([distribution("site", "*.example.org")], host) is None


def test_without_behaviors_the_default_serves_everything() -> None:
    site = distribution("site")
    assert match_behavior(site, "/a//b") is site.default_behavior
