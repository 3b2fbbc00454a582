"""Requests that a door has answered and may answer again without its handler.

A request is known again by all of its bytes; or by its request line and those of its header lines
that matter to the answer, which the answer itself has said (:class:`Repeat`). Heads are looked at
here only if they are of the plainest form there is, no name in them twice: everything else is for
the real parser. What is in the table has gone through it, so nothing is decided here that it has
not decided before.
"""

import re
from typing import Final, TypeAlias, TypeVar

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Repeat, Request, Viewer
from edgeproxy.server.reading import ViewerFrom, told_viewer

__all__ = ["Hits", "PlainRequest"]

_MOST: Final = 20_000
"""Entries of each table; the oldest leaves."""
_LONGEST_HEAD: Final = 4096

_HEAD: Final = re.compile(
    rb"((?:GET|HEAD) /[!-~]* HTTP/1\.1)\r\n"
    rb"((?:(?!(?i:x-edgeproxy-|sec-websocket-key1:))"
    rb"[!#-'*+\-.0-9A-Z^-z|~]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
_LINE: Final = re.compile(rb"([^:]+):[\t ]*([^\r]*)\r\n")

_K = TypeVar("_K")
_V = TypeVar("_V")
_Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Hits:
    """What viewers have asked for; ``sender`` is their address, and the protocol they speak."""

    __slots__ = ("_answers", "_exact", "_names", "_seen")

    def __init__(self) -> None:
        self._exact: dict[tuple[bytes, str], Repeat] = {}
        self._names: dict[bytes, frozenset[bytes]] = {}
        """By request line: which header lines matter."""
        self._answers: dict[tuple[bytes, str, frozenset[bytes], _Lines], Repeat] = {}
        """By request line and the lines that matter, as far as was known when it was learned."""
        self._seen: set[int] = set()
        """Hashes of heads. The whole of a head is remembered at its second sight: many never have
        one."""

    def find(self, head: bytes, sender: str = "") -> Repeat | None:
        """How the request with this head is answered, as far as is known."""
        repeat = self._exact.get((head, sender))
        if repeat is not None:
            return repeat
        plain = _plain(head)
        if plain is None or (names := self._names.get(plain[1])) is None:
            return None
        lines = _mattering(plain[2], names)
        repeat = None if lines is None else self._answers.get((plain[1], sender, names, lines))
        if repeat is not None:
            self._remember((head, sender), repeat)
        return repeat

    def learn(self, head: bytes, repeat: Repeat, sender: str = "") -> None:
        """From now on requests like the one with this head are answered by ``repeat``."""
        plain = _plain(head)
        if plain is None:
            return
        if repeat.depends_on is None:
            if _mattering(plain[2], frozenset()) is not None:
                self._remember((head, sender), repeat)
            return
        line = plain[1]
        names = self._names.get(line, repeat.depends_on)
        if not names >= repeat.depends_on:
            names |= repeat.depends_on
        lines = _mattering(plain[2], names)
        if lines is None:
            return
        _put(self._names, line, names)
        _put(self._answers, (line, sender, names, lines), repeat)
        if (head, sender) in self._exact:
            self._exact[head, sender] = repeat

    def clear(self) -> None:
        """Forget all of it."""
        self._exact.clear()
        self._names.clear()
        self._answers.clear()
        self._seen.clear()

    def _remember(self, asked: tuple[bytes, str], repeat: Repeat) -> None:
        seen = hash(asked)
        if seen in self._seen:
            _put(self._exact, asked, repeat)
            return
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen.add(seen)


class PlainRequest:
    """A request with a head that :class:`Hits` has answered."""

    __slots__ = ("_tell", "head", "viewer")

    def __init__(self, head: bytes, viewer: Viewer, tell: ViewerFrom | None) -> None:
        self.head = head
        self.viewer = viewer
        self._tell = tell

    def request(self) -> Request:
        line, _, rest = self.head.partition(b"\r\n")
        method, target, _ = line.decode("ascii").split(" ")
        path, mark, query = target.partition("?")
        headers = Headers(
            (name.decode("ascii"), value.rstrip(b" \t").decode("utf-8", "surrogateescape"))
            for name, value in _LINE.findall(rest)
        )
        return Request(
            method,
            path,
            query if mark else None,
            headers=headers,
            viewer=told_viewer(self.viewer, self._tell, headers),
        )


def _plain(head: bytes) -> re.Match[bytes] | None:
    return _HEAD.fullmatch(head) if len(head) <= _LONGEST_HEAD else None


def _mattering(lines: bytes, names: frozenset[bytes]) -> _Lines | None:
    """Those of ``lines`` with one of ``names``; None where a name comes twice.

    The parser takes some names only once.
    """
    pairs = _LINE.findall(lines)
    told = [name.lower() for name, _ in pairs]
    if len(set(told)) < len(told):
        return None
    return tuple([pair for pair, name in zip(pairs, told, strict=True) if name in names])


def _put(table: dict[_K, _V], key: _K, value: _V) -> None:
    if len(table) >= _MOST and key not in table:
        del table[next(iter(table))]
    table[key] = value
