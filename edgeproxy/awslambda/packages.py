"""Packages of code: zip files that come over the API, and folders that are run where they lie.

A package is unpacked below the state folder under a name made of its contents, beside the zip file
itself. So whoever has the name has the code, and a version keeps what it was published with.
"""

import asyncio
import base64
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR
from hashlib import sha256
from pathlib import Path
from typing import Final

from edgeproxy.awslambda.layers import LARGEST_UNPACKED
from edgeproxy.awslambda.resources import Version

__all__ = [
    "LARGEST_ZIP",
    "BadPackage",
    "Package",
    "code_of",
    "frozen_copy",
    "package_of",
    "unpack",
    "zipped",
]

LARGEST_ZIP: Final = 52_428_800
"""Bytes of a zip file that is sent (LI-337)."""
_BAD_NAMES: Final = (EEXIST, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR)
_NOT_CODE: Final = (".git", ".edgeproxy")


class BadPackage(Exception):
    """A zip file that Lambda does not take, in AWS's words."""


@dataclass(frozen=True, slots=True)
class Package:
    """A folder with code, the size of its zip file in bytes and the digest in base64."""

    folder: Path
    sha256: str
    size: int


def unpack(data: bytes, folder: Path) -> Package:
    """The package in a zip file, unpacked below ``folder``. Raises :class:`BadPackage`."""
    digest = sha256(data)
    target = (folder / digest.hexdigest()).resolve()
    # Before the file is read: a state folder that cannot be made is no fault of the file.
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > LARGEST_UNPACKED:
                raise BadPackage(f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes")
            if not target.exists():
                _extract(archive, target)
    except (
        zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error,
        OSError,
    ) as error:  # fmt: skip
        # Encrypted and damaged members; and names that cannot be given, which is no fault of ours.
        if isinstance(error, OSError) and error.errno not in _BAD_NAMES:
            raise
        raise BadPackage(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    kept = target.with_suffix(".zip")
    if not kept.exists():
        _write(kept, data)
    return Package(target, base64.b64encode(digest.digest()).decode(), len(data))


def _extract(archive: zipfile.ZipFile, target: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        links = []
        for item in archive.infolist():
            path = Path(archive.extract(item, temporary))
            mode = item.external_attr >> 16
            if stat.S_ISLNK(mode):
                links.append(path)
            elif mode & 0o777 and not item.is_dir():
                path.chmod(mode & 0o777 | 0o600)
        # Last, so that nothing is written through one to somewhere else.
        for link in links:
            leads_to = os.fsdecode(link.read_bytes())
            link.unlink()
            link.symlink_to(leads_to)
        temporary.chmod(0o755)
        _settle(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _settle(temporary: Path, target: Path) -> None:
    """Give a folder its name, unless another process was faster."""
    try:
        temporary.rename(target)
    except OSError:
        if not target.exists():
            raise


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).replace(path)


async def code_of(version: Version) -> Package:
    """The package of a version; where it is the user's own folder, as that is now."""
    if version.code_sha256:
        return Package(version.spec.code_root, version.code_sha256, version.code_size)
    # In a thread: there may be thousands of files.
    return await asyncio.to_thread(package_of, version.spec.code_root)


def package_of(folder: Path) -> Package:
    """The package that lies in a folder of the user's; its digest changes with every edit."""
    digest, size = sha256(), 0
    for path in sorted(_files(folder)):
        status = path.stat()
        text = f"{path.relative_to(folder)}\n{status.st_size}\n{status.st_mtime_ns}\n"
        digest.update(text.encode("utf-8", "surrogateescape"))
        size += status.st_size
    return Package(folder, base64.b64encode(digest.digest()).decode(), size)


def frozen_copy(package: Package, folder: Path) -> Package:
    """The same code where no edit reaches it."""
    target = (folder / base64.b64decode(package.sha256).hex()).resolve()
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder))
        try:
            shutil.copytree(
                package.folder,
                temporary,
                symlinks=True,
                # The state folder may lie inside the code, and the copy in it.
                ignore=lambda parent, names: [
                    name
                    for name in names
                    if name in _NOT_CODE or Path(parent, name).resolve() == folder.resolve()
                ],
                dirs_exist_ok=True,
            )
            _settle(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Package(target, package.sha256, package.size)


def zipped(folder: Path) -> bytes:
    """The zip file of a package: as it came, or made of what lies in the folder."""
    kept = folder.with_suffix(".zip")
    if kept.is_file():
        return kept.read_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in sorted(_files(folder)):
            archive.write(path, path.relative_to(folder))
    return stream.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_CODE]
        yield from (path for name in names if (path := Path(root, name)).is_file())
