"""Work that is done once for a frozen value, on the path of every request.

The result is found again by identity: hashing a whole behavior or all headers for each request
would cost more than the work it saves.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["PreparedOnce"]

V = TypeVar("V")
R = TypeVar("R")

_LIMIT: Final = 1024


class PreparedOnce(Generic[V, R]):
    """Decorates a function of one frozen value; the same object gets the first call's result.

    At most ``limit`` results are kept: by default enough for the definition of an edge.
    """

    def __init__(self, prepare: Callable[[V], R], limit: int = _LIMIT) -> None:
        self._prepare = prepare
        self._limit = limit
        # The value is kept beside its result: its id cannot become another object's meanwhile.
        self._results: dict[int, tuple[V, R]] = {}

    def __call__(self, value: V) -> R:
        known = self._results.get(id(value))
        if known is not None:
            return known[1]
        if len(self._results) >= self._limit:
            self._results.clear()
        result = self._prepare(value)
        self._results[id(value)] = (value, result)
        return result
