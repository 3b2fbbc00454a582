"""Reads the public keys that ``--public-key`` names."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeproxy.distribution.model import Distribution, PublicKey
from edgeproxy.distribution.public_keys import key_problem
from edgeproxy.errors import DefinitionError, Place, UsageError, reason

__all__ = ["read_public_keys", "require_trust"]


def read_public_keys(files: Mapping[str, Path]) -> dict[str, PublicKey]:
    """The keys by key-pair ID. Raises :class:`DefinitionError` for a file that holds none."""
    return {key_id: PublicKey(key_id, _read(file)) for key_id, file in files.items()}


def require_trust(files: Mapping[str, Path], distributions: Iterable[Distribution]) -> None:
    """Refuse a ``--public-key`` where nothing asks for signatures."""
    if files and not any(each.key_groups for each in distributions):
        raise UsageError(
            "--public-key: no behavior asks for signatures",
            remedy="name a key group in TrustedKeyGroups",
        )


def _read(file: Path) -> str:
    try:
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"cannot be read: {reason(error)}", place=Place(file), remedy="check the path"
        ) from error
    if problem := key_problem(text):
        raise DefinitionError(
            problem,
            place=Place(file),
            rule="CDN-CFG-215",
            remedy="`openssl pkey -in PRIVATE_KEY_FILE -pubout` writes the public half of a key",
        )
    return text
