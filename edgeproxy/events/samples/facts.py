"""What the sample events have in common: whose they are, and when they happened.

The time stands still, so that an event printed twice is the same event.
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

__all__ = [
    "ACCOUNT",
    "MILLISECONDS",
    "REGION",
    "SECONDS",
    "TIME",
    "TIME_MS",
    "Document",
    "Json",
    "base64_of",
]

Document: TypeAlias = dict[str, Any]

Json: TypeAlias = Annotated[str, "JSON"]
"""A parameter of a sample that is given as JSON, since it becomes part of the event."""

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"

_MOMENT: Final = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SECONDS: Final = int(_MOMENT.timestamp())
MILLISECONDS: Final = SECONDS * 1000
TIME: Final = f"{_MOMENT:%Y-%m-%dT%H:%M:%S}Z"
TIME_MS: Final = f"{_MOMENT:%Y-%m-%dT%H:%M:%S}.000Z"


def base64_of(text: str) -> str:
    """The UTF-8 of ``text`` as base64."""
    return base64.b64encode(text.encode()).decode("ascii")
