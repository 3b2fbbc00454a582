"""Where a place in compiled code comes from, by the source map at the code's end.

Only a map that the code carries itself is read (``//# sourceMappingURL=data:…``): the definition
has the code, not the folder it was built in. The decoder is our own: the libraries for Python have
been left alone since 2018, or are made for crash reports of whole programs.
"""

import base64
import binascii
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

__all__ = ["SourceMap", "inline_source_map"]

_COMMENT: Final = re.compile(
    r"^//[#@] sourceMappingURL=data:application/json[^,\n]*;base64,(\S+)\s*\Z", re.MULTILINE
)
_DIGITS: Final = {
    character: value
    for value, character in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )
}


@dataclass(frozen=True, slots=True)
class SourceMap:
    """For each line of the code its mappings: column, source, line and column in the source.

    All count from 0, as in the format.
    """

    sources: tuple[str, ...]
    lines: tuple[tuple[tuple[int, int, int, int], ...], ...]

    def original(self, line: int, column: int) -> tuple[str, int, int] | None:
        """File, line and column that a place comes from; all but the file count from 1."""
        if not 0 < line <= len(self.lines):
            return None
        mappings = self.lines[line - 1]
        index = bisect_right(mappings, column - 1, key=lambda mapping: mapping[0]) - 1
        if index < 0:
            return None
        _, source, original_line, original_column = mappings[index]
        return self.sources[source], original_line + 1, original_column + 1


def inline_source_map(code: str) -> SourceMap | None:
    """The map that ``code`` carries; None when there is none that can be read."""
    found = _COMMENT.search(code)
    if found is None:
        return None
    try:
        document = orjson.loads(base64.b64decode(found[1]))
        root = document.get("sourceRoot") or ""
        sources = tuple(posixpath.join(root, source) for source in document["sources"])
        return SourceMap(sources, tuple(_decoded(document["mappings"], len(sources))))
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None  # a broken map is no reason not to run the function


def _decoded(mappings: str, sources: int) -> Iterator[tuple[tuple[int, int, int, int], ...]]:
    source = line = column = 0
    for text in mappings.split(";"):
        found, generated = [], 0
        for segment in text.split(",") if text else ():
            fields = list(_numbers(segment))
            generated += fields[0]
            if len(fields) >= 4:
                source, line, column = source + fields[1], line + fields[2], column + fields[3]
                if not 0 <= source < sources:
                    raise ValueError("no such source")
                found.append((generated, source, line, column))
        yield tuple(found)


def _numbers(segment: str) -> Iterator[int]:
    """Variable-length quantities: five bits a digit, lowest first, and the sign in the last bit."""
    value = shift = 0
    for character in segment:
        digit = _DIGITS[character]
        value |= (digit & 31) << shift
        shift += 5
        if digit < 32:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0
