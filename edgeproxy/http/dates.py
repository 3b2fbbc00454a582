"""HTTP dates (RFC 9110, 5.6.7)."""

from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime

__all__ = ["format_date", "parse_date"]


def format_date(epoch_s: float) -> str:
    """``Sat, 21 Nov 2026 03:50:32 GMT`` for seconds since the epoch."""
    return formatdate(epoch_s, usegmt=True)


def parse_date(text: str) -> float | None:
    """Seconds since the epoch, or None when ``text`` is not one of the three HTTP date forms."""
    try:
        moment = parsedate_to_datetime(text)
        # The asctime form names no zone; HTTP means UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
