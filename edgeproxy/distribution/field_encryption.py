"""Field-level encryption: which fields of a form are encrypted, with whose key (CDN-FLE)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["FORM", "EncryptionEntity", "EncryptionProfile", "FieldLevelEncryption"]

FORM: Final = "application/x-www-form-urlencoded"
"""The one content type that AWS knows (CDN-FLE-01)."""


@dataclass(frozen=True, slots=True)
class EncryptionEntity:
    """A key with what it is for; whoever decrypts needs the key's name and the provider's."""

    key_name: str
    encoded_key: str
    provider_id: str
    patterns: tuple[str, ...]
    """Names of fields, or beginnings of names with a final ``*``."""

    def covers(self, name: str) -> bool:
        """Whether the field of that name is encrypted with this key."""
        return any(
            name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
            for pattern in self.patterns
        )


@dataclass(frozen=True, slots=True)
class EncryptionProfile:
    """``FieldLevelEncryptionProfileConfig``."""

    id: str
    entities: tuple[EncryptionEntity, ...]

    def entity_for(self, name: str) -> EncryptionEntity | None:
        """What encrypts the field of that name, if anything does."""
        return next((each for each in self.entities if each.covers(name)), None)


@dataclass(frozen=True, slots=True)
class FieldLevelEncryption:
    """``FieldLevelEncryptionConfig``; ``content_types`` and ``query_args`` lead to profiles.

    A content type may be known without a profile. ``query_args`` is None where the query argument
    ``fle-profile`` has no say.
    """

    id: str
    content_types: Mapping[str, EncryptionProfile | None] = field(default_factory=dict)
    query_args: Mapping[str, EncryptionProfile] | None = None
    forwards_unknown_content_type: bool = False
    forwards_unknown_query_arg: bool = False
