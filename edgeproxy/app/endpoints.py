"""The document that names every URL: the endpoints file and ``GET /api/endpoints``."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import orjson

from edgeproxy.errors import Place, UsageError

__all__ = ["EndpointsFile"]


class EndpointsFile:
    """The file that tells scripts where the listeners are; there while they accept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, document: dict[str, object]) -> None:
        """Put the document there in one step, so that a reader sees all of it or nothing."""
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink()
                raise
        except OSError as error:
            raise UsageError(
                f"the endpoints file cannot be written: {error.strerror}",
                place=Place(self._path),
                remedy="give --endpoints-file a path in a folder that exists",
            ) from error

    def remove(self) -> None:
        """Take it away; nothing to do when somebody already did."""
        with suppress(FileNotFoundError):
            self._path.unlink()
