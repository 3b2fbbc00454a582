"""Every random choice of the edge, from one generator that a seed makes repeatable."""

import random
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Final, TypeVar

__all__ = ["Chance"]

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

T = TypeVar("T")


class Chance:
    """Random identifiers and weighted draws. The same seed gives the same sequence."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def request_id(self) -> str:
        """An ``X-Amz-Cf-Id``: 56 characters of URL-safe base64 that end in ``==`` (CDN-RSP-03)."""
        drawn = self._random.getrandbits(320).to_bytes(40, "little")
        return b2a_base64(drawn, newline=False).translate(_URL_SAFE).decode("ascii")

    def uuid(self) -> str:
        """A version 4 UUID in its usual text form."""
        drawn = self._random.getrandbits(122)
        digits, variant = f"{drawn >> 2:030x}", "89ab"[drawn & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[15:18]}-{digits[18:]}"
        )

    def hex(self, digits: int) -> str:
        """That many lower-case hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def fraction(self) -> float:
        """A number from 0 up to but not including 1."""
        return self._random.random()

    def draw(self, choices: Sequence[T], weights: Sequence[float]) -> T:
        """One of ``choices``, with the probability of its weight over the sum of the weights."""
        return self._random.choices(choices, weights)[0]
