"""Revisions of a definition and its functions, checked out by git beside each other."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeproxy.errors import UsageError

__all__ = ["checked_out"]


@contextmanager
def checked_out(target: Path, revision: str) -> Iterator[Path]:
    """``target`` as it was in ``revision`` of its repository; gone when the block ends.

    The work tree and the index stay as they are. Raises ``UsageError`` when git refuses.
    """
    folder = target.resolve().parent
    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    with tempfile.TemporaryDirectory(prefix="edgeproxy-") as temporary:
        tree = Path(temporary) / "tree"
        _ = _git(root, "worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield tree / target.resolve().relative_to(root)
        finally:
            _ = _git(root, "worktree", "remove", "--force", str(tree))


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed", remedy="it checks out the revisions") from error
    if done.returncode:
        raise UsageError(done.stderr.strip() or f"git {arguments[0]} failed")
    return done.stdout.strip()
