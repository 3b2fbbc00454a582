"""What a request's conditions and ranges mean for a stored object (RFC 9110, 13 and 14)."""

from edgeproxy.http.dates import parse_date
from edgeproxy.http.etags import if_none_match, strong_match
from edgeproxy.http.headers import Headers
from edgeproxy.http.ranges import ByteRange, Unsatisfiable, parse_ranges

__all__ = ["asked_ranges", "is_same_version", "is_unchanged"]


def is_unchanged(asked: Headers, stored: Headers) -> bool:
    """CDN-VAL-15: the tag decides if the viewer sent one, else the date."""
    condition = asked.joined("If-None-Match")
    if condition is not None:
        return if_none_match(condition, stored.get("ETag"))
    if "If-Modified-Since" not in asked:
        return False
    since = parse_date(asked.get("If-Modified-Since"))
    modified = parse_date(stored.get("Last-Modified"))
    return since is not None and modified is not None and since >= modified


def is_same_version(validator: str, stored: Headers) -> bool:
    """An ``If-Range`` (CDN-RNG-08); compared strongly, since parts will be put together."""
    if validator.endswith('"'):
        return strong_match(validator, stored.get("ETag"))
    date = parse_date(validator)
    return date is not None and date == parse_date(stored.get("Last-Modified"))


def asked_ranges(
    asked: Headers, stored: Headers, size: int
) -> tuple[ByteRange, ...] | Unsatisfiable | None:
    """The ranges that a GET with ``asked`` gets of an object of ``size``; None for the whole."""
    if "Range" not in asked:
        return None
    if "If-Range" in asked and not is_same_version(asked.get("If-Range"), stored):
        return None
    return parse_ranges(asked.get("Range"), size)
