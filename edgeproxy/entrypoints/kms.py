"""AWS KMS with keys of one's own: Encrypt, Decrypt and GenerateDataKey for unmodified clients.

A ciphertext is AES-256-GCM with the key's ID before it, so that Decrypt finds the key by itself,
and with the encryption context bound to it. It is no ciphertext of AWS's and of no use there.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import orjson

from edgeproxy.entrypoints.target_api import ApiRefusal, Document, Operation

__all__ = ["LocalKms"]

_ID_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_LARGEST: Final = 4096
_ALGORITHM: Final = "SYMMETRIC_DEFAULT"
_DATA_KEY_BYTES: Final = {"AES_128": 16, "AES_256": 32}


class LocalKms:
    """``keys`` are 32 bytes each, by key ID, alias (``alias/…``) or ARN."""

    def __init__(self, keys: Mapping[str, bytes], arn: str) -> None:
        """``arn`` is how ARNs of keys begin."""
        self._keys = {_short(name): key for name, key in keys.items()}
        self._arn = arn

    def operations(self) -> Mapping[str, Operation]:
        return {
            "TrentService.Encrypt": self.encrypt,
            "TrentService.Decrypt": self.decrypt,
            "TrentService.GenerateDataKey": self.generate_data_key,
        }

    def encrypt(self, call: Document) -> Document:
        name, plaintext = self._name(call), _bytes(call, "Plaintext")
        if not 1 <= len(plaintext) <= _LARGEST:
            raise ApiRefusal("ValidationException", f"Plaintext has 1 to {_LARGEST} bytes")
        return {
            "CiphertextBlob": self._sealed(name, plaintext, call),
            "KeyId": self._key_arn(name),
            "EncryptionAlgorithm": _ALGORITHM,
        }

    def decrypt(self, call: Document) -> Document:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        blob = _bytes(call, "CiphertextBlob")
        found = {_key_id(name): name for name in self._keys}.get(blob[:_ID_BYTES])
        if "KeyId" in call and found is not None and self._name(call) != found:
            raise ApiRefusal(
                "IncorrectKeyException",
                "The key ID in the request does not identify a key that can do this.",
            )
        end = _ID_BYTES + _NONCE_BYTES
        try:
            if found is None:
                raise InvalidTag
            plaintext = AESGCM(self._keys[found]).decrypt(
                blob[_ID_BYTES:end], blob[end:], _context(call)
            )
        except (InvalidTag, ValueError) as error:  # ValueError: too short
            raise ApiRefusal("InvalidCiphertextException", "") from error
        return {
            "Plaintext": base64.b64encode(plaintext).decode(),
            "KeyId": self._key_arn(found),
            "EncryptionAlgorithm": _ALGORITHM,
        }

    def generate_data_key(self, call: Document) -> Document:
        name = self._name(call)
        size = call.get("NumberOfBytes") or _DATA_KEY_BYTES.get(str(call.get("KeySpec")))
        if not isinstance(size, int) or not 1 <= size <= 1024:
            message = "Please specify either number of bytes (1 to 1024) or key spec."
            raise ApiRefusal("ValidationException", message)
        # No part of what a seed repeats: a key that others can tell is none.
        data_key = os.urandom(size)
        return {
            "Plaintext": base64.b64encode(data_key).decode(),
            "CiphertextBlob": self._sealed(name, data_key, call),
            "KeyId": self._key_arn(name),
        }

    def _name(self, call: Document) -> str:
        given = str(call.get("KeyId", ""))
        if (name := _short(given)) not in self._keys:
            raise ApiRefusal("NotFoundException", f"Key '{given}' does not exist")
        return name

    def _key_arn(self, name: str) -> str:
        if not name.startswith("alias/"):
            return f"{self._arn}:key/{name}"
        digits = _key_id(name).hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return f"{self._arn}:key/{'-'.join(parts)}"

    def _sealed(self, name: str, plaintext: bytes, call: Document) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._keys[name]).encrypt(nonce, plaintext, _context(call))
        return base64.b64encode(_key_id(name) + nonce + sealed).decode()


def _short(name: str) -> str:
    """A key's ID, or its alias with ``alias/``, whichever form names it."""
    return name.rpartition(":")[2].removeprefix("key/")


def _key_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_ID_BYTES).digest()


def _context(call: Document) -> bytes:
    return orjson.dumps(call.get("EncryptionContext") or {}, option=orjson.OPT_SORT_KEYS)


def _bytes(call: Document, name: str) -> bytes:
    try:
        return base64.b64decode(str(call.get(name, "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiRefusal("SerializationException", f"{name} is not base64: {error}") from error
