"""Reads the field-level encryption of ``--field-level-encryption`` (CDN-FLE).

CloudFormation has no resource for it. The file holds what the AWS CLI prints:
``FieldLevelEncryptionConfig``, the ``FieldLevelEncryptionProfiles`` that it names, and the
``PublicKeys`` that those name.
"""

from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from edgeproxy.distribution.field_encryption import (
    FORM,
    EncryptionEntity,
    EncryptionProfile,
    FieldLevelEncryption,
)
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import DefinitionError, Place, UsageError, reason
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.yaml_source import Table, parse_json
from edgeproxy.project.report import Notes

__all__ = ["read_field_encryption", "require_field_encryption"]

_CONFIG: Final = "FieldLevelEncryptionConfig"
_OPTION: Final = "--field-level-encryption"


def read_field_encryption(
    files: Mapping[str, Path], notes: Notes
) -> dict[str, FieldLevelEncryption]:
    """The configurations by ID. Raises :class:`DefinitionError` and :class:`UsageError`."""
    if files and find_spec("aws_encryption_sdk") is None:
        raise UsageError(
            f"{_OPTION} needs the AWS Encryption SDK",
            remedy="pip install 'edgeproxy[field-encryption]'",
        )
    return {name: _read(name, file, notes) for name, file in files.items()}


def require_field_encryption(names: Iterable[str], distributions: Iterable[Distribution]) -> None:
    """Refuse an ID that no behavior names."""
    used = {
        behavior.field_level_encryption.id
        for distribution in distributions
        for behavior in distribution.all_behaviors
        if behavior.field_level_encryption is not None
    }
    for name in names:
        if name not in used:
            raise UsageError(
                f"{_OPTION}: no behavior has the FieldLevelEncryptionId {name!r}",
                remedy="name it as the definition does",
            )


def _read(name: str, file: Path, notes: Notes) -> FieldLevelEncryption:
    try:
        value = parse_json(file.read_text("utf-8-sig"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"cannot be read: {reason(error)}", place=Place(file), remedy="check the path"
        ) from error
    if not isinstance(value, Table):
        raise DefinitionError(
            "is no JSON object", place=Place(file), remedy=f"write {{{_CONFIG!r}: …}}"
        )
    outer = Section(Source(file, notes), value, "")
    keys = {each.text("Id"): _key(each) for each in outer.sections("PublicKeys")}
    profiles = {
        each.text("Id"): _profile(each, keys)
        for each in outer.sections("FieldLevelEncryptionProfiles")
    }
    shown = outer.section("FieldLevelEncryption")
    config = (shown or outer).required_section(_CONFIG)
    config.ignore(NOT_TRAFFIC, "CallerReference", "Comment")
    by_type = config.section("ContentTypeProfileConfig")
    by_argument = config.section("QueryArgProfileConfig")
    config.finish()
    return FieldLevelEncryption(
        name,
        {} if by_type is None else _content_types(by_type, profiles),
        None if by_argument is None else _query_args(by_argument, profiles),
        by_type is not None and by_type.boolean("ForwardWhenContentTypeIsUnknown"),
        by_argument is not None and by_argument.boolean("ForwardWhenQueryArgProfileIsUnknown"),
    )


def _content_types(
    config: Section, profiles: Mapping[str, EncryptionProfile]
) -> dict[str, EncryptionProfile | None]:
    within = config.section("ContentTypeProfiles")
    found: dict[str, EncryptionProfile | None] = {}
    for each in within.sections("Items") if within is not None else ():
        each.choice("Format", ("URLEncoded",))
        content_type = each.choice("ContentType", (FORM,))
        found[content_type] = _named(each, profiles) if each.text("ProfileId", "") else None
        each.finish()
    return found


def _query_args(
    config: Section, profiles: Mapping[str, EncryptionProfile]
) -> dict[str, EncryptionProfile]:
    within = config.section("QueryArgProfiles")
    return {
        each.text("QueryArg"): _named(each, profiles)
        for each in (within.sections("Items") if within is not None else ())
    }


def _named(section: Section, profiles: Mapping[str, EncryptionProfile]) -> EncryptionProfile:
    profile_id = section.text("ProfileId")
    if profile_id not in profiles:
        raise _unknown(section, "ProfileId", profiles)
    return profiles[profile_id]


def _unknown(section: Section, name: str, known: Collection[str]) -> DefinitionError:
    return section.error(
        name,
        f"the file has no {name.removesuffix('Id')} with the ID {section.text(name)!r}",
        rule="CDN-FLE-01",
        remedy="it has " + (", ".join(known) or "none"),
    )


def _profile(section: Section, keys: Mapping[str, tuple[str, str]]) -> EncryptionProfile:
    config = section.required_section("FieldLevelEncryptionProfileConfig")
    config.ignore(NOT_TRAFFIC, "CallerReference", "Comment", "Name")
    entities = []
    for each in config.sections("EncryptionEntities"):
        key_id = each.text("PublicKeyId")
        if key_id not in keys:
            raise _unknown(each, "PublicKeyId", keys)
        name, pem = keys[key_id]
        patterns = each.texts("FieldPatterns")
        entities.append(EncryptionEntity(name, pem, each.text("ProviderId"), patterns))
        each.finish()
    config.finish()
    return EncryptionProfile(section.text("Id"), tuple(entities))


def _key(section: Section) -> tuple[str, str]:
    """The key's name and its PEM (CDN-FLE-03)."""
    # Few definitions have such keys, and the library is large.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    config = section.required_section("PublicKeyConfig")
    pem = config.text("EncodedKey")
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size != 2048:
        raise config.error(
            "EncodedKey",
            "is no RSA key of 2048 bits in PEM",
            rule="CDN-FLE-03",
            remedy="`openssl rsa -in PRIVATE_KEY_FILE -pubout` writes the public half of a key",
        )
    config.ignore(NOT_TRAFFIC, "CallerReference", "Comment")
    name = config.text("Name")
    config.finish()
    return name, pem
