"""Layers: what Lambda refuses, and how they come to lie one over the other in ``/opt``.

A single layer that is a folder is used where it lies, so that edits are seen. Of several a copy is
made, in the order of the list (LR-300).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

__all__ = ["LARGEST_UNPACKED", "check_layers", "overlay", "size_of"]

LARGEST_UNPACKED: Final = 262_144_000
"""Bytes of code and layers together (LR-304)."""

_MOST: Final = 5


def check_layers(arns: Sequence[str], region: str) -> Iterator[str]:
    """Why Lambda refuses these layer versions for a function in ``region`` (LR-305, LI-345)."""
    if len(arns) > _MOST:
        yield f"Cannot reference more than {_MOST} layers."
    seen: dict[str, str] = {}
    for arn in arns:
        layer = arn.rpartition(":")[0] or arn
        if (other := seen.setdefault(layer, arn)) is not arn:
            yield (
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {other} and {arn} are versions of the same layer."
            )
    if any(arn.split(":")[3:4] not in ([], [region]) for arn in arns):
        yield (
            "Layers are not in the same region as the function. Layers are expected to be in "
            f"region {region}."
        )


def overlay(layers: Sequence[Path], folder: Path) -> Path | None:
    """The folder that stands for ``/opt``, below ``folder`` where one has to be made."""
    if len(layers) <= 1:
        return layers[0] if layers else None
    target = folder.resolve() / _digest(layers)
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder))
        for layer in layers:
            shutil.copytree(layer, temporary, symlinks=True, dirs_exist_ok=True)
        try:
            temporary.rename(target)
        except OSError:  # another process was faster
            if not target.exists():
                raise
            shutil.rmtree(temporary)
    return target


def size_of(folder: Path) -> int:
    """Bytes of all files below ``folder``."""
    return sum(path.stat().st_size for path in _files(folder))


def _digest(layers: Sequence[Path]) -> str:
    digest = blake2b(digest_size=16)
    for layer in layers:
        digest.update(f"{layer}\n".encode())
        for path in sorted(_files(layer)):
            status = path.stat()
            digest.update(f"{path}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (path for name in names if (path := Path(root, name)).is_file())
