"""Which stored objects an invalidation takes away (CDN-INV). Pure.

Compared are the distribution, and path and query as they stand in the cache key: variants by
header, cookie, method or encoding of a path go together (CDN-INV-05).
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeAlias

__all__ = ["Matches", "Stored", "invalidation"]

_ESCAPE: Final = re.compile("%[0-9a-fA-F]{2}")


class Stored(Protocol):
    """The part of a key or an entry that an invalidation looks at."""

    @property
    def distribution_id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def query(self) -> str | None: ...


Matches: TypeAlias = Callable[[Stored], bool]


def invalidation(distribution_id: str, paths: Iterable[str]) -> Matches:
    """A test for objects that ``paths`` of one distribution take away.

    A ``*`` at the very end stands for anything, query included; elsewhere it is a literal
    (CDN-INV-02). Without it path and query must be exactly those (CDN-INV-03), with case, except
    that ``%c3`` and ``%C3`` are the same byte. A path without leading slash gets one (CDN-INV-01).
    """
    exact: set[str] = set()
    prefixes: list[str] = []
    for path in paths:
        wanted = _normalise(path if path.startswith("/") else f"/{path}")
        if wanted.endswith("*"):
            prefixes.append(wanted[:-1])
        else:
            exact.add(wanted)
    starts = tuple(prefixes)

    def matches(stored: Stored) -> bool:
        if stored.distribution_id != distribution_id:
            return False
        target = _normalise(f"{stored.path}?{stored.query}" if stored.query else stored.path)
        return target in exact or target.startswith(starts)

    return matches


def _normalise(path: str) -> str:
    return _ESCAPE.sub(lambda escape: escape[0].upper(), path) if "%" in path else path
