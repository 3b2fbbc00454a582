"""The Lambda service as the doors that run functions need it."""

from typing import Protocol

from edgeproxy.http.messages import Request
from edgeproxy.runtimes.invocation import InvocationResult, ResponseSink

__all__ = ["Invoker"]


class Invoker(Protocol):
    """Runs Lambda functions."""

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        trace_id: str = "",
        client_context: str = "",
        request_id: str = "",
        sink: ResponseSink | None = None,
        request: Request | None = None,
    ) -> InvocationResult:
        """Run a function on an event given as JSON text in UTF-8.

        ``sink`` takes a streamed response; ``request`` is what the answer is for.
        """
        ...
