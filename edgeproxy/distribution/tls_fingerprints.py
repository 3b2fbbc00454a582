"""JA3 and JA4 of a ClientHello: which program a TLS viewer is (CDN-CFH-16, CDN-CFH-17).

JA3 is Salesforce's, JA4 that of FoxIO, each by its published description. GREASE, values that
browsers put in at random (RFC 8701), counts in neither. Nothing here fails on bytes that are no
ClientHello: the handshake, which is over by then, has judged them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["ja3_fingerprint", "ja4_fingerprint"]

_SERVER_NAME: Final = 0
_GROUPS: Final = 10
_POINT_FORMATS: Final = 11
_SIGNATURE_ALGORITHMS: Final = 13
_ALPN: Final = 16
_VERSIONS: Final = 43
_GREASE: Final = frozenset(0x0A0A + 0x1010 * step for step in range(16))
_JA4_VERSIONS: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
_NO_HASH: Final = "0" * 12


@dataclass(frozen=True, slots=True)
class _Hello:
    version: int
    ciphers: tuple[int, ...]
    extensions: dict[int, bytes]
    """In the order sent, without GREASE."""

    def numbers(self, extension: int, length_bytes: int = 2) -> list[int]:
        """The list of two-byte numbers, without GREASE, that is the content of ``extension``."""
        return _numbers(self.extensions.get(extension, b"")[length_bytes:])


@lru_cache(maxsize=64)
def ja3_fingerprint(client_hello: bytes) -> str:
    """32 hexadecimal digits."""
    hello = _read(client_hello)
    fields = (
        [hello.version],
        hello.ciphers,
        hello.extensions,
        hello.numbers(_GROUPS),
        hello.extensions.get(_POINT_FORMATS, b"")[1:],
    )
    text = ",".join("-".join(map(str, numbers)) for numbers in fields)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=64)
def ja4_fingerprint(client_hello: bytes) -> str:
    """Three parts joined by ``_``, the first in clear: ``t13d1516h2_8daaf6152771_e5627efa2ab1``."""
    hello = _read(client_hello)
    version = max(hello.numbers(_VERSIONS, length_bytes=1), default=hello.version)
    clear = (
        f"t{_JA4_VERSIONS.get(version, '00')}{'d' if _SERVER_NAME in hello.extensions else 'i'}"
        f"{min(len(hello.ciphers), 99):02}{min(len(hello.extensions), 99):02}{_alpn(hello)}"
    )
    extensions = _hex(sorted(hello.extensions.keys() - {_SERVER_NAME, _ALPN}))
    if algorithms := _hex(hello.numbers(_SIGNATURE_ALGORITHMS)):
        extensions += f"_{algorithms}"
    return "_".join((clear, _hashed(_hex(sorted(hello.ciphers))), _hashed(extensions)))


def _alpn(hello: _Hello) -> str:
    """First and last character of the first protocol; of its hexadecimal form if they are odd."""
    protocols = hello.extensions.get(_ALPN, b"")[2:]
    first = protocols[1 : 1 + _number(protocols, 1)]
    if not first:
        return "00"
    ends = bytes((first[0], first[-1])).decode("latin-1")
    return ends if ends.isascii() and ends.isalnum() else first.hex()[0] + first.hex()[-1]


def _hex(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else _NO_HASH


def _read(message: bytes) -> _Hello:
    body = message[4:]  # after the message's type and length
    version, rest = int.from_bytes(body[:2]), body[34:]  # after the 32 random bytes
    rest = rest[1 + _number(rest, 1) :]  # after the session ID
    ciphers = _numbers(rest[2 : 2 + _number(rest, 2)])
    rest = rest[2 + _number(rest, 2) :]
    rest = rest[1 + _number(rest, 1) :]  # after the compression methods
    extensions = {}
    rest = rest[2 : 2 + _number(rest, 2)]
    while rest:
        number, length = _number(rest, 2), _number(rest[2:], 2)
        extensions[number] = rest[4 : 4 + length]
        rest = rest[4 + length :]
    plain = {number: data for number, data in extensions.items() if number not in _GREASE}
    return _Hello(version, tuple(ciphers), plain)


def _number(data: bytes, size: int) -> int:
    """The number that ``data`` begins with."""
    return int.from_bytes(data[:size])


def _numbers(data: bytes) -> list[int]:
    pairs = (int.from_bytes(data[start : start + 2]) for start in range(0, len(data), 2))
    return [number for number in pairs if number not in _GREASE]
