"""Lambda's API, a Handler. Nothing is imported here: most programs never hear a call of it."""

from typing import Final

__all__ = ["PREFIX"]

PREFIX: Final = r"/{date:20\d\d-\d\d-\d\d}"
"""How the paths of all operations begin."""
