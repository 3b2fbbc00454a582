"""CloudFront KeyValueStore: a named set of strings that functions of runtime 2.0 read.

Functions never write (CFF-KVS-08). A change, of the whole contents or of some keys, happens at once
or not at all, and the next read sees it.
"""

import uuid
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Final

import orjson

from edgeproxy.errors import DefinitionError, Place

__all__ = ["MAX_KEY_BYTES", "MAX_STORE_BYTES", "MAX_VALUE_BYTES", "KeyValues", "load_import_file"]

# CFF-KVS-09
MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 1024
MAX_STORE_BYTES: Final = 5 * 1024 * 1024


class KeyValues:
    """One store. ``store_id`` is what ``cf.kvs(id)`` takes (CFF-KVS-02). A file that stands in no
    definition has none: an ID is made from its name then, and the name is taken as well.

    Raises :class:`DefinitionError` for contents beyond the limits of CFF-KVS-09.
    """

    def __init__(
        self, name: str, data: Mapping[str, str], *, now: Callable[[], float], store_id: str = ""
    ) -> None:
        _check(data, Place(path=name))
        self.name = name
        self.id = store_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"key-value-store/{name}"))
        self.ids = (self.id,) if store_id else (self.id, name)
        self._now = now
        self._data: Mapping[str, str] = dict(data)
        self._revision = 0
        self.created_s = self.updated_s = now()

    @property
    def data(self) -> Mapping[str, str]:
        """The contents, read-only."""
        return MappingProxyType(self._data)

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        return sum(len(key.encode()) + len(value.encode()) for key, value in self._data.items())

    @property
    def etag(self) -> str:
        """Another text after every change."""
        state = f"{self.id}/{self.created_s}/{self._revision}"
        digest = blake2b(state.encode(), digest_size=8).digest()
        return f"KV{b32encode(digest).decode().rstrip('=')}"

    def get(self, key: str) -> str | None:
        return self._data.get(key)

    def exists(self, key: str) -> bool:
        return key in self._data

    def meta(self) -> dict[str, object]:
        """What ``meta()`` resolves to (CFF-KVS-06)."""
        return {
            "creationDateTime": _iso(self.created_s),
            "lastUpdatedDateTime": _iso(self.updated_s),
            "keyCount": len(self._data),
        }

    def replace(self, data: Mapping[str, str]) -> None:
        """New contents in place of the old; nothing changes when they are refused."""
        _check(data, Place(path=self.name))
        self._data = dict(data)
        self._revision += 1
        self.updated_s = self._now()

    def edit(self, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Some keys set and others taken away; nothing changes when the result is refused."""
        gone = set(deletes)
        kept = {key: value for key, value in self._data.items() if key not in gone}
        self.replace(kept | dict(puts))


def load_import_file(path: Path) -> dict[str, str]:
    """The pairs of a file in AWS's import format, ``{"data": [{"key": …, "value": …}]}``.

    Raises :class:`DefinitionError` that names the file and the entry.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DefinitionError(
            f"the key-value store's file cannot be read: {error.strerror}", place=Place(path)
        ) from error
    except orjson.JSONDecodeError as error:
        raise DefinitionError(
            f"not valid JSON: {error.msg}",
            place=Place(path, error.lineno),
            remedy='The format is {"data": [{"key": "name", "value": "text"}]}.',
        ) from error
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise DefinitionError(
            'the file has no list "data"',
            place=Place(path),
            remedy='The format is {"data": [{"key": "name", "value": "text"}]}.',
        )
    data: dict[str, str] = {}
    for number, entry in enumerate(entries):
        match entry:
            case {"key": str(key), "value": str(value)}:
                if key in data:
                    raise DefinitionError(
                        f'the key "{key}" occurs twice', place=Place(path, path=f"data[{number}]")
                    )
                data[key] = value
            case _:
                raise DefinitionError(
                    'an entry needs "key" and "value", both strings',
                    place=Place(path, path=f"data[{number}]"),
                    remedy="Write numbers and objects as text.",
                )
    _check(data, Place(path))
    return data


def _check(data: Mapping[str, str], place: Place) -> None:
    total = 0
    for key, value in data.items():
        key_bytes, value_bytes = len(key.encode()), len(value.encode())
        total += key_bytes + value_bytes
        if not 0 < key_bytes <= MAX_KEY_BYTES:
            raise DefinitionError(
                f'the key "{key[:40]}" has {key_bytes} bytes; 1 to {MAX_KEY_BYTES} are allowed',
                place=place,
                rule="CFF-KVS-09",
            )
        if value_bytes > MAX_VALUE_BYTES:
            raise DefinitionError(
                f'the value of "{key}" has {value_bytes} bytes; the limit is {MAX_VALUE_BYTES}',
                place=place,
                rule="CFF-KVS-09",
                remedy="Spread the value over several keys.",
            )
    if total > MAX_STORE_BYTES:
        raise DefinitionError(
            f"the store has {total} bytes; the limit is {MAX_STORE_BYTES}",
            place=place,
            rule="CFF-KVS-09",
        )


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
