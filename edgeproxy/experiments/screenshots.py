"""Pictures of pages, taken by the Chromium or Chrome of this machine without a window.

It runs when a picture is asked for, in a profile that is thrown away. Pictures are kept in memory,
the newest of them.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edgeproxy.errors import UsageError

__all__ = ["Screenshots", "browser"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_KEPT: Final = 16
_MOST_BYTES: Final = 32 * 1024 * 1024
_LOADS_S: Final = 10
"""How long a page may load before it is taken as it is."""
_TAKES_S: Final = 60
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--ignore-certificate-errors",  # The edge's is its own.
    "--mute-audio",
    "--no-first-run",
    "--window-size=1280,800",
    f"--timeout={_LOADS_S * 1000}",
)


def browser() -> str | None:
    """The program; None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Screenshots:
    """Takes and keeps them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._taken = 0

    def get(self, number: str) -> bytes | None:
        """A picture as PNG, while it is kept."""
        return self._kept.get(number)

    async def take(self, url: str, host: str) -> str:
        """The number of a picture of ``url``, whose host name stands for the address ``host``.

        Raises ``UsageError`` where it cannot be taken.
        """
        program = browser()
        if program is None:
            raise UsageError(
                "there is no browser to take pictures with", remedy="install Chromium or Chrome"
            )
        with tempfile.TemporaryDirectory(prefix="edgeproxy-", ignore_cleanup_errors=True) as folder:
            file = Path(folder) / "page.png"
            flags = [*_FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={file}"]
            flags.append(f"--host-resolver-rules=MAP {urlsplit(url).hostname} {host}")
            if os.geteuid() == 0:
                flags.append("--no-sandbox")  # It has none for root.
            await _run(program, *flags, url)
            try:
                picture = file.read_bytes()
            except OSError as error:
                raise UsageError(f"{program} took no picture of {url}") from error
        self._taken += 1
        self._kept[str(self._taken)] = picture
        while len(self._kept) > _KEPT or sum(map(len, self._kept.values())) > _MOST_BYTES:
            _ = self._kept.popitem(last=False)
        return str(self._taken)


async def _run(*command: str) -> None:
    """Run a program to its end, or end it and all that it has started."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_TAKES_S):
            _ = await process.wait()
    except TimeoutError as error:
        raise UsageError(f"{command[0]} took no picture within {_TAKES_S} s") from error
    finally:
        with suppress(ProcessLookupError):  # Nothing of it is left.
            os.killpg(process.pid, signal.SIGKILL)
        _ = await process.wait()
