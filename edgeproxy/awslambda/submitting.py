"""Who takes events of asynchronous invocations, as the doors need it."""

from typing import Protocol

__all__ = ["Submit"]


class Submit(Protocol):
    """Accepts an event; what becomes of it, the caller does not learn."""

    async def __call__(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> None: ...
