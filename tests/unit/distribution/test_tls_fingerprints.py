"""JA3 and JA4 against values that others have published."""

import base64
import hashlib
from collections.abc import Iterable

import pytest

from edgeproxy.distribution.tls_fingerprints import ja3_fingerprint, ja4_fingerprint


def sized(data: bytes, length_bytes: int) -> bytes:
    return len(data).to_bytes(length_bytes) + data


def words(numbers: Iterable[int]) -> bytes:
    return b"".join(number.to_bytes(2) for number in numbers)


def hello(
    version: int,
    ciphers: Iterable[int],
    extensions: Iterable[tuple[int, bytes]] = (),
    *,
    has_extensions: bool = True,
) -> bytes:
    listed = b"".join(words([number]) + sized(data, 2) for number, data in extensions)
    body = words([version]) + bytes(32) + sized(b"", 1) + sized(words(ciphers), 2) + b"\1\0"
    return b"\1" + sized(body + (sized(listed, 2) if has_extensions else b""), 3)


def list_of(*numbers: int, length_bytes: int = 2) -> bytes:
    return sized(words(numbers), length_bytes)


# Safari 17, with the zeros of its padding left out.
SAFARI = base64.b64decode(
    "AQAB/AMDr/Rlc6y8QJWPkR1urUOii6a3JtIv3vXJBxNLJOUi9log1XOckHTLeeVWYDWZkueCWcp9WTGmxQNtRINN"
    "b//3S/MAKhoaEwETAhMDwCzAK8ypwDDAL8yowArACcAUwBMAnQCcADUAL8AIwBIACgEAAYkqKgAAAAAADgAMAAAJ"
    "bG9jYWxob3N0ABcAAP8BAAEAAAoADAAK+voAHQAXABgAGQALAAIBAAAQAA4ADAJoMghodHRwLzEuMQAFAAUBAAAA"
    "AAANABgAFgQDCAQEAQUDAgMIBQgFBQEIBgYBAgEAEgAAADMAKwAp+voAAQAAHQAgIq5T+3FI0B7mvzrnk9eajFfv"
    "W2u8r6s0tME6Lxh1FCsALQACAQEAKwALCvr6AwQDAwMCAwEAGwADAgABqqoAAQAAFQDF"
) + bytes(197)


@pytest.mark.rule("CDN-CFH-16", "CDN-CFH-17")
def test_a_browser() -> None:
    """It sends GREASE as a cipher, a group, a version and two extensions."""
    assert ja3_fingerprint(SAFARI) == "773906b0efdefa24a7f2b8eb6985bf37"
    assert ja4_fingerprint(SAFARI) == "t13d2014h2_a09f3c656075_14788d8d241b"


@pytest.mark.rule("CDN-CFH-16")
def test_the_examples_of_ja3() -> None:
    ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]
    extensions = [(0, b""), (10, list_of(23, 24, 25)), (11, b"\1\0")]
    assert ja3_fingerprint(hello(769, ciphers, extensions)) == "ada70206e40642a3e4461f35503241d5"
    ciphers = [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99]
    without = hello(769, ciphers, has_extensions=False)
    assert ja3_fingerprint(without) == "de350869b8c85de67a350c8d186f11e6"


SIGNATURES = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
CIPHERS = [
    0x2A2A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013,
    0xC014, 0x009C, 0x009D, 0x002F, 0x0035,
]  # fmt: skip
OTHERS = [0x001B, 0x0000, 0x0033, 0x4469, 0x0017, 0x002D, 0x0005, 0x0023, 0x0012, 0xFF01, 0x0015]


@pytest.mark.rule("CDN-CFH-17")
def test_the_example_of_ja4() -> None:
    extensions = [
        (0xCACA, b""),
        (0x002B, list_of(0x5A5A, 0x0304, 0x0303, length_bytes=1)),
        (0x0010, sized(sized(b"h2", 1) + sized(b"http/1.1", 1), 2)),
        (0x000D, list_of(*SIGNATURES)),
        (0x000A, list_of(0x8A8A, 0x001D)),
        (0x000B, b"\1\0"),
        *((number, b"") for number in OTHERS),
    ]
    fingerprint = ja4_fingerprint(hello(0x0303, CIPHERS, extensions))
    assert fingerprint == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.rule("CDN-CFH-17")
@pytest.mark.parametrize(
    ("message", "fingerprint"),
    [
        (hello(0x0301, [], has_extensions=False), "t10i000000_000000000000_000000000000"),
        (hello(0x0302, [0x0A0A, 5]), f"t11i010000_{hashed('0005')}_000000000000"),
        # A protocol whose ends are no letters; no signature algorithms.
        (
            hello(0x0303, [5], [(0x10, sized(sized(b"\xab\xcd", 1), 2)), (5, b"")]),
            f"t12i0102ad_{hashed('0005')}_{hashed('0005')}",
        ),
        (hello(0x0303, [5] * 120), f"t12i990000_{hashed(','.join(['0005'] * 120))}_000000000000"),
        (b"", "t00i000000_000000000000_000000000000"),
        (b"\1\0\0\xff" + b"\xff" * 40, "t00i000000_000000000000_000000000000"),
    ],
    ids=["bare", "grease only", "odd protocol", "many ciphers", "nothing", "no hello"],
)  # fmt: skip
def test_corner_cases(message: bytes, fingerprint: str) -> None:
    assert ja4_fingerprint(message) == fingerprint
    assert len(ja3_fingerprint(message)) == 32
