"""Which stored objects an invalidation takes away (CDN-INV). Pure.

An item of an invalidation is a path or, with ``#`` before it, a cache tag. Compared are the
distribution, and path and query as they stand in the cache key: variants by header, cookie, method
or encoding of a path go together (CDN-INV-05).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from edgeproxy.http.headers import Headers

__all__ = [
    "NO_TAG",
    "Keyed",
    "Selection",
    "Tagged",
    "invalidation",
    "is_tag",
    "tags_in",
    "target_of",
]

_ESCAPE: Final = re.compile("%[0-9a-fA-F]{2}")
# CDN-INV-18: visible ASCII without the comma.
_TAG: Final = re.compile(r"[!-+\--~]{1,256}")
_MAX_TAGS: Final = 50
NO_TAG: Final = "is not 1 to 256 visible ASCII characters without a comma"


class Keyed(Protocol):
    """The part of a key or an entry that an invalidation by path looks at."""

    @property
    def distribution_id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def query(self) -> str | None: ...


class Tagged(Keyed, Protocol):
    """The part of an entry that an invalidation looks at."""

    @property
    def tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of one distribution that an invalidation names."""

    distribution_id: str
    exact: frozenset[str]
    """Targets as :func:`target_of` gives them."""
    prefixes: tuple[str, ...]
    tags: frozenset[str]

    @property
    def everything(self) -> bool:
        """Whether all objects of the distribution go."""
        return "/" in self.prefixes

    def takes(self, stored: Tagged) -> bool:
        """Whether ``stored`` goes."""
        return self._names(stored) or (
            stored.distribution_id == self.distribution_id and not self.tags.isdisjoint(stored.tags)
        )

    def may_take(self, coming: Keyed) -> bool:
        """Whether an object that is being fetched, its tags not yet known, might have to go."""
        return self._names(coming) or (
            bool(self.tags) and coming.distribution_id == self.distribution_id
        )

    def _names(self, keyed: Keyed) -> bool:
        if keyed.distribution_id != self.distribution_id:
            return False
        target = target_of(keyed)
        return target in self.exact or target.startswith(self.prefixes)


def invalidation(distribution_id: str, items: Iterable[str]) -> Selection:
    """The objects that ``items`` of one distribution take away.

    A ``*`` at the very end of a path stands for anything, query included; elsewhere it is a literal
    (CDN-INV-02). Without it path and query must be exactly those (CDN-INV-03), with case, except
    that ``%c3`` and ``%C3`` are the same byte. A path without leading slash gets one (CDN-INV-01).
    A tag is compared without case, and whole (CDN-INV-18).
    """
    exact: set[str] = set()
    prefixes: set[str] = set()
    tags: set[str] = set()
    for item in items:
        if item.startswith("#"):
            tags.add(item[1:].lower())
            continue
        wanted = _normalise(item if item.startswith("/") else f"/{item}")
        if wanted.endswith("*"):
            prefixes.add(wanted[:-1])
        else:
            exact.add(wanted)
    return Selection(distribution_id, frozenset(exact), tuple(sorted(prefixes)), frozenset(tags))


def target_of(keyed: Keyed) -> str:
    """Path and query of an object, as they are compared with those of an invalidation."""
    return _normalise(f"{keyed.path}?{keyed.query}" if keyed.query else keyed.path)


def is_tag(text: str) -> bool:
    """Whether ``text`` can be a cache tag (CDN-INV-18)."""
    return _TAG.fullmatch(text) is not None


def tags_in(headers: Headers, name: str) -> tuple[str, ...]:
    """The cache tags in the header ``name`` of an origin's answer, in small letters (CDN-INV-17).

    Of more than 50 the rest is not taken (CDN-INV-18); what cannot be a tag is left out.
    """
    if not name or name not in headers:
        return ()
    listed = (tag.strip(" \t") for tag in ",".join(headers.get_all(name)).split(","))
    return tuple(dict.fromkeys([tag.lower() for tag in listed if is_tag(tag)][:_MAX_TAGS]))


def _normalise(path: str) -> str:
    return _ESCAPE.sub(lambda escape: escape[0].upper(), path) if "%" in path else path
