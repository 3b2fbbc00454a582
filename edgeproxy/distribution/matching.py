"""Which distribution a host belongs to, and which behavior serves a path (CDN-BEH).

Patterns know two wildcards: ``*`` for any run of characters, slashes included, and ``?`` for
exactly one. They cover the whole path and compare with case. The path is normalised for matching
only; key and origin get it as the viewer sent it (CDN-BEH-18 to 20).
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.quotas import MAX_PATH_PATTERN_CHARACTERS

__all__ = [
    "local_name",
    "match_behavior",
    "match_host",
    "normalise_path",
    "path_pattern_problem",
    "wildcard",
]

_LOCAL_DOMAIN: Final = ".cloudfront.localhost"
_MAY_NEED_NORMALISING: Final = re.compile(r"//|/\.|%")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_FOREIGN_TO_PATTERNS: Final = re.compile(r"""[^A-Za-z0-9_\-.*$/~"'@:+?&]""")


def wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern with ``*`` and ``?`` as a regular expression for ``fullmatch`` (CDN-BEH-11)."""
    first, *others = [
        "".join("." if character == "?" else re.escape(character) for character in literal)
        for literal in pattern.split("*")
    ]
    if not others:
        return re.compile(first, re.DOTALL)
    # Each inner literal is taken where it first occurs; atomic, so that matching stays linear.
    inner = "".join(f"(?>.*?{literal})" for literal in others[:-1] if literal)
    return re.compile(f"{first}{inner}.*{others[-1]}", re.DOTALL)


def path_pattern_problem(pattern: str) -> str:
    """What AWS would refuse about a path pattern, or an empty string (CDN-BEH-17)."""
    if len(pattern) > MAX_PATH_PATTERN_CHARACTERS:
        return f"longer than {MAX_PATH_PATTERN_CHARACTERS} characters"
    foreign = _FOREIGN_TO_PATTERNS.search(pattern)
    return f"{foreign[0]!r} is not allowed in a path pattern" if foreign else ""


def normalise_path(path: str) -> str:
    """``path`` as patterns see it: no dot segments, single slashes, escapes in capitals.

    Nothing is percent-decoded (CDN-BEH-21, U): ``%2F`` is no slash and ``%2E`` no dot.
    """
    if not _MAY_NEED_NORMALISING.search(path):
        return path
    segments = _ESCAPE.sub(lambda escape: escape[0].upper(), path).split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    is_directory = bool(kept) and segments[-1] in ("", ".", "..")
    return "/" + "/".join(kept) + ("/" if is_directory else "")


def match_behavior(distribution: Distribution, path: str) -> Behavior:
    """The first behavior whose pattern matches, else the default one (CDN-BEH-10)."""
    if distribution.behaviors:
        normalised = normalise_path(path)
        for matches, behavior in _matchers(distribution):
            if matches(normalised):
                return behavior
    return distribution.default_behavior


@PreparedOnce
def _matchers(
    distribution: Distribution,
) -> tuple[tuple[Callable[[str], re.Match[str] | None], Behavior], ...]:
    # A leading slash is optional (CDN-BEH-14).
    return tuple(
        (wildcard("/" + behavior.path_pattern.removeprefix("/")).fullmatch, behavior)
        for behavior in distribution.behaviors
    )


def match_host(distributions: Iterable[Distribution], host: str) -> Distribution | None:
    """The distribution that ``host`` belongs to; a port is ignored.

    Exact names come before wildcard aliases, longer wildcards before shorter ones (CDN-BEH-02). A
    disabled distribution is unknown (CDN-BEH-05, U).
    """
    enabled = [distribution for distribution in distributions if distribution.enabled]
    labels = host.partition(":")[0].lower().split(".")
    names = [".".join(labels)]
    names += [".".join(["*", *labels[depth:]]) for depth in range(1, len(labels))]
    for name in names:
        for distribution in enabled:
            if name in _host_names(distribution):
                return distribution
    return None


def local_name(distribution: Distribution) -> str:
    """The host that names ``distribution`` on this machine."""
    return f"{distribution.id}{_LOCAL_DOMAIN}"


@PreparedOnce
def _host_names(distribution: Distribution) -> frozenset[str]:
    """Aliases, the domain name, and the names that stand for it on this machine.

    A tenant has no domain name of its own: its connection group's belongs to all of the group.
    """
    if distribution.tenant is not None:
        return frozenset(name.lower() for name in (*distribution.aliases, local_name(distribution)))
    label, _, domain = distribution.domain_name.partition(".")
    local = [f"{name}{_LOCAL_DOMAIN}" for name in (label, distribution.id)]
    names = [*distribution.aliases, distribution.domain_name, f"{distribution.id}.{domain}", *local]
    return frozenset(name.lower() for name in names)
