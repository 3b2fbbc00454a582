"""Header lines as received: in order, with their case, duplicates kept."""

from collections.abc import Iterable, Iterator
from typing import Final

from multidict import CIMultiDict

__all__ = ["EMPTY_HEADERS", "Headers", "WrittenHeaders"]


class Headers:
    """An immutable sequence of header lines; names compare without case.

    Values are text as decoded from the wire (UTF-8 with ``surrogateescape``, so any byte survives
    a round trip). Every ``with…`` method returns a new object and leaves this one as it is.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: CIMultiDict[str] = CIMultiDict(lines)

    def get(self, name: str, default: str = "") -> str:
        """The first value of ``name``, or ``default``."""
        return self._lines.get(name, default)

    def get_all(self, name: str) -> list[str]:
        """All values of ``name`` in order; empty when there is none."""
        return self._lines.getall(name, [])

    def joined(self, name: str) -> str | None:
        """All values of ``name`` joined by ``", "`` (RFC 9110, 5.3), or None when absent."""
        values = self._lines.getall(name, None)
        return None if values is None else ", ".join(values)

    def lines(self) -> list[tuple[str, str]]:
        """Every line as (name, value), in order, names as received."""
        return list(self._lines.items())

    def names(self) -> list[str]:
        """Lower-case names in order of first appearance, each once."""
        return list(dict.fromkeys(map(str.lower, self._lines)))

    def names_with(self, prefix: str) -> list[str]:
        """Those of :meth:`names` that begin with ``prefix``."""
        # Mostly there is none: one search in all is several times as fast as one in each.
        if prefix not in "".join(self._lines).lower():
            return []
        return [name for name in self.names() if name.startswith(prefix)]

    def as_multidict(self) -> CIMultiDict[str]:
        """A copy that the caller may change, for libraries that want one."""
        return self._lines.copy()

    def with_set(self, name: str, *values: str) -> "Headers":
        """Exactly ``values`` under ``name``, where its first line stood, else at the end."""
        changed = self._lines.copy()
        if len(values) == 1:
            changed[name] = values[0]
            return self.adopted(changed)
        changed.popall(name, None)
        changed.extend((name, value) for value in values)
        return self.adopted(changed)

    def with_added(self, name: str, value: str) -> "Headers":
        """One more line at the end."""
        changed = self._lines.copy()
        changed.add(name, value)
        return self.adopted(changed)

    def with_default(self, name: str, value: str) -> "Headers":
        """``value`` under ``name`` unless a line of that name is there."""
        return self if name in self._lines else self.with_added(name, value)

    def without(self, *names: str) -> "Headers":
        """No line of any of ``names``."""
        if not any(name in self._lines for name in names):
            return self
        changed = self._lines.copy()
        for name in names:
            changed.popall(name, None)
        return self.adopted(changed)

    @classmethod
    def adopted(cls, lines: CIMultiDict[str]) -> "Headers":
        """``lines`` themselves; whoever hands them over changes them no more."""
        headers = cls.__new__(cls)
        headers._lines = lines
        return headers

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._lines.items())

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.lines() == other.lines()

    def __hash__(self) -> int:
        return hash(tuple(self._lines.items()))

    def __repr__(self) -> str:
        return f"Headers({self.lines()!r})"


class WrittenHeaders(Headers):
    """Header lines that stand ready for the wire; they are taken apart when somebody looks.

    ``written`` are the lines, each with its end, and with a ``Content-Length`` of ``length``.
    """

    __slots__ = ("length", "written")

    def __init__(self, written: bytes, length: int) -> None:
        self.written = written
        self.length = length

    def __getattr__(self, name: str) -> CIMultiDict[str]:
        if name != "_lines":
            raise AttributeError(name)
        text = self.written.decode("utf-8", "surrogateescape")
        lines = (line.partition(": ") for line in text.split("\r\n")[:-1])
        self._lines = CIMultiDict([(name, value) for name, _, value in lines])
        return self._lines


EMPTY_HEADERS: Final = Headers()
