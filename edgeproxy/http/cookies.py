"""The Cookie header (RFC 6265, 4.2) as CloudFront reads it: raw names and values, nothing decoded.

Only ``name=value`` counts, and a name that starts with ``$`` is not a cookie (CDN-KEY-13).
"""

from collections.abc import Iterable

__all__ = ["format_cookies", "parse_cookies"]


def parse_cookies(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Name and value of each cookie in the values of all ``Cookie`` lines, in order."""
    cookies = []
    for line in lines:
        for piece in line.split(";"):
            name, separator, value = piece.strip(" \t").partition("=")
            if separator and name and name[0] != "$":
                cookies.append((name, value))
    return cookies


def format_cookies(cookies: Iterable[tuple[str, str]]) -> str:
    """The value of one ``Cookie`` line."""
    return "; ".join(f"{name}={value}" for name, value in cookies)
