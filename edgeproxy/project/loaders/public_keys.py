"""Reads the public keys that ``--public-key`` names."""

from collections.abc import Mapping
from pathlib import Path

from edgeproxy.distribution.model import PublicKey
from edgeproxy.errors import DefinitionError, Place

__all__ = ["read_public_keys"]


def read_public_keys(files: Mapping[str, Path]) -> dict[str, PublicKey]:
    """The keys by key-pair ID. Raises :class:`DefinitionError` for a file that holds none."""
    return {key_id: PublicKey(key_id, _read(file)) for key_id, file in files.items()}


def _read(file: Path) -> str:
    try:
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"cannot be read: {error}", place=Place(file), remedy="check the path"
        ) from error
    if "-----BEGIN PUBLIC KEY-----" not in text:
        raise DefinitionError(
            "is not a public key in PEM",
            place=Place(file),
            rule="CDN-CFG-215",
            remedy="openssl rsa -pubout writes one",
        )
    return text
