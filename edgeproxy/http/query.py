"""Query strings as raw text: nothing is decoded, and only ``&`` separates (CDN-KEY-09)."""

from collections.abc import Iterable

__all__ = ["format_query", "parse_query"]


def parse_query(raw: str) -> list[tuple[str, str | None]]:
    """Name and value of each parameter, in order; None for one without ``=``.

    Nothing between two ampersands is no parameter.
    """
    pairs: list[tuple[str, str | None]] = []
    for piece in raw.split("&"):
        if piece:
            name, separator, value = piece.partition("=")
            pairs.append((name, value if separator else None))
    return pairs


def format_query(pairs: Iterable[tuple[str, str | None]]) -> str:
    """The text of a query string, without a question mark."""
    return "&".join(name if value is None else f"{name}={value}" for name, value in pairs)
