"""What an origin's ``Cache-Control`` says, as far as CloudFront reads it.

Names compare without case, unknown directives are skipped, the first usable value of a repeated
directive counts, and a number that is none counts as absent (CDN-TTL-14). Without effect at the
edge, and therefore not read: ``must-revalidate``, ``proxy-revalidate``, ``immutable``,
``no-transform`` (CDN-TTL-13, U), and ``Pragma`` (CDN-TTL-23, U).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from edgeproxy.http.headers import Headers

__all__ = ["LONGEST_TTL_S", "CacheControl", "parse_cache_control"]

LONGEST_TTL_S: Final = 3_153_600_000
"""One hundred years, the largest lifetime there is (CDN-TTL-16)."""

_DIRECTIVE: Final = re.compile(r'([^\s,="]+)(?:=("(?:[^"\\]|\\.)*"|[^,]*))?|"(?:[^"\\]|\\.)*"')
_NUMBER: Final = re.compile(r"-?[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives that count; numbers in seconds, None when absent."""

    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    max_age_s: int | None = None
    s_maxage_s: int | None = None
    stale_while_revalidate_s: int | None = None
    stale_if_error_s: int | None = None
    hidden: tuple[str, ...] = ()
    """Headers named by ``no-cache="…"`` or ``private="…"``: not to be stored (CDN-TTL-11)."""

    @property
    def forbidding(self) -> str:
        """The directive that forbids reuse, or an empty string."""
        if self.no_store:
            return "no-store"
        if self.private:
            return "private"
        return "no-cache" if self.no_cache else ""

    @property
    def age(self) -> tuple[str, int] | None:
        """The directive that gives the lifetime, and its seconds (CDN-TTL-01)."""
        if self.s_maxage_s is not None:
            return "s-maxage", self.s_maxage_s
        if self.max_age_s is not None:
            return "max-age", self.max_age_s
        return None


_NOTHING: Final = CacheControl()


def parse_cache_control(headers: Headers) -> CacheControl:
    """What all ``Cache-Control`` lines of a response say together."""
    text = headers.joined("Cache-Control")
    return _parse(text) if text else _NOTHING


@lru_cache(maxsize=1024)  # Origins say few different things.
def _parse(text: str) -> CacheControl:
    flags: set[str] = set()
    numbers: dict[str, int] = {}
    hidden: list[str] = []
    for match in _DIRECTIVE.finditer(text):
        name, value = (match[1] or "").lower(), match[2]
        match name:
            case "no-cache" | "private" if value:
                hidden += (field.strip() for field in value.strip('" ').split(","))
            case "no-store" | "no-cache" | "private":
                flags.add(name)
            case "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error":
                seconds = _seconds(value or "")
                if seconds is not None:
                    numbers.setdefault(name, seconds)
            case _:
                pass
    return CacheControl(
        no_store="no-store" in flags,
        no_cache="no-cache" in flags,
        private="private" in flags,
        max_age_s=numbers.get("max-age"),
        s_maxage_s=numbers.get("s-maxage"),
        stale_while_revalidate_s=numbers.get("stale-while-revalidate"),
        stale_if_error_s=numbers.get("stale-if-error"),
        hidden=tuple(name for name in hidden if name),
    )


def _seconds(value: str) -> int | None:
    digits = value.rstrip()
    if len(digits) > 1 and digits[0] == digits[-1] == '"':
        digits = digits[1:-1]
    if not _NUMBER.fullmatch(digits):
        return None
    # CDN-TTL-15 (U): a negative number counts as 0, one too large as the longest lifetime. The
    # length is looked at first, since converting an endless number is slow.
    if digits.startswith("-"):
        return 0
    digits = digits.lstrip("0") or "0"
    return LONGEST_TTL_S if len(digits) > 10 else min(int(digits), LONGEST_TTL_S)
