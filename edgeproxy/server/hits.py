"""Requests that a door has answered and may answer again without its handler.

A request is known again by the shape of its head: which header lines there are, in which order, and
what stands in those that matter to the answer, which the answer itself has said (:class:`Repeat`).
Its target is looked at by who answers. A shape is made of a head of the plainest form there is, no
name in it twice, that has gone through the real parser: a request of the same shape differs from it
in nothing that the parser could object to. Everything else is for the parser.

Where somebody has to be asked each time (:class:`Rerun`), all of the head has to be the same.
"""

import re
from typing import Any, Final, TypeAlias

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Repeat, Request, Rerun, Viewer
from edgeproxy.server.reading import ViewerFrom, told_viewer

__all__ = ["Hits", "PlainRequest", "Shape"]

_MOST: Final = 10_000
"""Answers that one shape remembers, and heads that are known as a whole."""
_MOST_SHAPES: Final = 50
_LONGEST_HEAD: Final = 4096

_TARGET: Final = rb"/[!-~]*+"
_VALUE: Final = rb"[\t -~\x80-\xff]*+"
_HEAD: Final = re.compile(
    rb"(?:GET|HEAD) " + _TARGET + rb" HTTP/1\.1\r\n"
    rb"((?:(?!(?i:x-edgeproxy-|sec-websocket-key1:))"
    rb"[!#-'*+\-.0-9A-Z^-z|~]++:" + _VALUE + rb"\r\n)++)\r\n"
)
_LINE: Final = re.compile(rb"([^:]+):[\t ]*([^\r]*)\r\n")

_Told: TypeAlias = tuple[bytes | Any, ...]
"""The method, and the values of the header lines that matter."""


class Shape:
    """Heads with the same header lines, of which the same ones matter."""

    __slots__ = ("_answers", "_count", "_fits")

    def __init__(self, lines: list[bytes], names: frozenset[bytes]) -> None:
        self._answers: dict[str, dict[_Told, Repeat]] = {}
        """By sender."""
        self._count = 0
        parts = [_TARGET + rb" HTTP/1\.1\r\n"]
        for name in lines:
            value = rb"[\t ]*+(" + _VALUE + rb")" if name.lower() in names else _VALUE
            parts.append(re.escape(name) + rb":" + value + rb"\r\n")
        self._fits = re.compile(rb"(GET|HEAD) " + b"".join(parts) + rb"\r\n").fullmatch

    def find(self, head: bytes, sender: str) -> tuple[Repeat, bytes] | None:
        """What answers requests like the one with this head, and the target of that."""
        fitting = self._fits(head)
        if fitting is None or len(head) > _LONGEST_HEAD:
            return None
        answers = self._answers.get(sender)
        repeat = None if answers is None else answers.get(fitting.groups())
        if repeat is None:
            return None
        start = head.index(b"/")
        return repeat, head[start : head.index(b" ", start)]

    def learn(self, head: bytes, sender: str, repeat: Repeat) -> None:
        fitting = self._fits(head)
        assert fitting is not None, "it is the shape of this head"
        told = fitting.groups()
        earlier = self._answers.get(sender, {}).get(told)
        if earlier is not None:
            repeat = repeat.joined(earlier)
        else:
            if self._count >= _MOST:
                self._answers.clear()
                self._count = 0
            self._count += 1
        self._answers.setdefault(sender, {})[told] = repeat


class Hits:
    """What viewers have asked for; ``sender`` is their address, and the protocol they speak."""

    __slots__ = ("_seen", "heads", "shapes")

    def __init__(self) -> None:
        self.heads: dict[tuple[bytes, str], tuple[Rerun, bytes]] = {}
        """By head and sender; each with the target of that head."""
        self._seen: set[int] = set()
        """Hashes of these: one is remembered at its second sight, since many never have one."""
        self.shapes: dict[tuple[bytes, frozenset[bytes]], Shape] = {}
        """By the names of all lines, as they are spelled, and of those that matter."""

    def learn(self, head: bytes, repeat: Repeat | Rerun, sender: str = "") -> None:
        """From now on requests like the one with this head are answered by ``repeat``."""
        if isinstance(repeat, Rerun):
            self._learn_head(head, repeat, sender)
            return
        plain = _HEAD.fullmatch(head) if len(head) <= _LONGEST_HEAD else None
        if plain is None:
            return
        lines = [name for name, _ in _LINE.findall(plain[1])]
        if len({name.lower() for name in lines}) < len(lines):
            return  # The parser takes some names only once.
        kind = b":".join(lines), repeat.depends_on
        shape = self.shapes.get(kind)
        if shape is None:
            if len(self.shapes) >= _MOST_SHAPES:
                del self.shapes[next(iter(self.shapes))]
            shape = self.shapes[kind] = Shape(lines, repeat.depends_on)
        shape.learn(head, sender, repeat)

    def _learn_head(self, head: bytes, rerun: Rerun, sender: str) -> None:
        asked = head, sender
        if asked not in self.heads:
            seen = hash(asked)
            if seen not in self._seen:
                if len(self._seen) >= _MOST:
                    self._seen.clear()
                self._seen.add(seen)
                return
            if len(head) > _LONGEST_HEAD or _HEAD.fullmatch(head) is None:
                return
            if len(self.heads) >= _MOST:
                del self.heads[next(iter(self.heads))]
        self.heads[asked] = rerun, head.split(b" ", 2)[1]

    def clear(self) -> None:
        """Forget all of it."""
        self.heads.clear()
        self._seen.clear()
        self.shapes.clear()


class PlainRequest:
    """A request with a head that has the shape of one before it."""

    __slots__ = ("_tell", "head", "target", "viewer")

    def __init__(self, head: bytes, target: bytes, viewer: Viewer, tell: ViewerFrom | None) -> None:
        self.head = head
        self.target = target
        self.viewer = viewer
        self._tell = tell

    def request(self) -> Request:
        line, _, rest = self.head.partition(b"\r\n")
        path, mark, query = self.target.decode("ascii").partition("?")
        headers = Headers(
            (name.decode("ascii"), value.rstrip(b" \t").decode("utf-8", "surrogateescape"))
            for name, value in _LINE.findall(rest)
        )
        return Request(
            line.partition(b" ")[0].decode("ascii"),
            path,
            query if mark else None,
            headers=headers,
            viewer=told_viewer(self.viewer, self._tell, headers),
        )
