"""HTTP dates (RFC 9110, 5.6.7)."""

import re
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

__all__ = ["format_date", "parse_date"]

# The parser of email knows many more forms, and takes a zone it does not know for UTC.
_FORMS: Final = re.compile(
    r"[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d gmt"
    r"|[a-z]{6,9}, \d\d-[a-z]{3}-\d\d \d\d:\d\d:\d\d gmt"
    r"|[a-z]{3} [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}",
    re.ASCII | re.IGNORECASE,
)


def format_date(epoch_s: float) -> str:
    """``Sat, 21 Nov 2026 03:50:32 GMT`` for seconds since the epoch."""
    return formatdate(epoch_s, usegmt=True)


def parse_date(text: str) -> float | None:
    """Seconds since the epoch, or None when ``text`` is not one of the three HTTP date forms.

    Names of days, months and the zone are taken in any case.
    """
    if not _FORMS.fullmatch(text.strip()):
        return None
    try:
        moment = parsedate_to_datetime(text)
        # The asctime form names no zone; HTTP means UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
