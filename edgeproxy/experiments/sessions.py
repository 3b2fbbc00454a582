"""Recorded sessions: which pages a visitor asked for, in which order, from a HAR file."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from edgeproxy.errors import Place, UsageError, reason

__all__ = ["read_session"]


def read_session(file: Path) -> tuple[str, ...]:
    """Paths with their queries, in order: the GET requests for the host that the first one asked.

    Raises ``UsageError`` for a file that is no HTTP archive, or one without such requests.
    """
    try:
        entries = json.loads(file.read_text("utf-8-sig"))["log"]["entries"]
        requests = [(each["request"]["method"], urlsplit(each["request"]["url"]))
                    for each in entries]  # fmt: skip
    except OSError as error:
        raise UsageError(f"cannot be read: {reason(error)}", place=Place(file)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "is not an HTTP archive (HAR)",
            place=Place(file),
            remedy="export one from a browser's dev tools or the inspector",
        ) from error
    asked = [url for method, url in requests if method == "GET"]
    paths = [
        (url.path or "/") + (f"?{url.query}" if url.query else "")
        for url in asked
        if url.netloc == asked[0].netloc
    ]
    if not paths:
        raise UsageError("holds no GET request", place=Place(file))
    return tuple(paths)
