"""InvokeWithResponseStream: what the function returns is sent on while it returns it."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.awslambda.streaming import StreamBroken, Streamed, streamed
from edgeproxy.entrypoints.lambda_api.answers import Answer
from edgeproxy.entrypoints.lambda_api.calls import Call
from edgeproxy.entrypoints.lambda_api.invoke import (
    InvokeOperations,
    client_context,
    log_tail,
    modes,
    read_event,
    throttled,
)
from edgeproxy.entrypoints.lambda_api.names import Named
from edgeproxy.entrypoints.url_streaming import StreamRecorder
from edgeproxy.events.event_stream import EVENT_STREAM, encode_complete, encode_payload_chunk
from edgeproxy.exchange.model import Exchange, Step
from edgeproxy.http.body import StreamBody
from edgeproxy.runtimes.invocation import InvocationResult, Returned, Throttled

__all__ = ["StreamingOperations"]

_TYPES: Final = ("RequestResponse", "DryRun")


class StreamingOperations:
    """The operation that streams (LI-060 to LI-065)."""

    def __init__(
        self, account: LambdaAccount, invoking: InvokeOperations, recorder: StreamRecorder
    ) -> None:
        self._account = account
        self._invoking = invoking
        self._recorder = recorder

    async def invoke(self, call: Call, exchange: Exchange) -> Answer:
        """Answers with the function's first byte, or when it has ended without one."""
        headers = call.request.headers
        kind, log = modes(call, _TYPES)
        named = self._invoking.find(call)
        exchange.name = named.name
        payload = await read_event(call, kind)
        context = client_context(headers.get("X-Amz-Client-Context"))
        trace_id = self._invoking.trace_id(call)
        if kind == "DryRun":
            return Answer(204)
        invoke = partial(
            self._account.service.invoke,
            named.name,
            payload,
            qualifier=named.qualifier,
            trace_id=self._invoking.passed(named, trace_id),
            client_context=context,
            tenant_id=headers.get("X-Amz-Tenant-Id"),
            request_id=call.request_id,
            request=call.request,
        )
        with exchange.step("function", before=call.request) as step:
            begun = await streamed(self._account.tasks, lambda sink: invoke(sink=sink))
            if isinstance(begun, Throttled):
                self._invoking.note(step, named, begun)
                raise throttled(begun)
            if isinstance(begun, Streamed):
                self._recorder.wait_for(exchange, begun.outcome)
        frames = self._frames(begun, named, step, with_log=log == "Tail")
        answered = {
            "Content-Type": EVENT_STREAM,
            "X-Amz-Executed-Version": self._version(named, begun),
            "X-Amzn-Trace-Id": trace_id,
        }
        return Answer(200, StreamBody(frames), answered)

    def _version(self, named: Named, begun: Streamed | InvocationResult) -> str:
        """Of a function that still runs it is the alias's main one."""
        if not isinstance(begun, Streamed | Throttled) and begun.version:
            return begun.version
        version = self._account.functions[named.name].version(named.qualifier)
        return version.spec.version if version is not None else LATEST

    async def _frames(
        self, begun: Streamed | InvocationResult, named: Named, step: Step, *, with_log: bool
    ) -> AsyncIterator[bytes]:
        result: InvocationResult | None
        if isinstance(begun, Streamed):
            try:
                async for chunk in begun.chunks:
                    yield encode_payload_chunk(chunk)
                outcome = await begun.outcome
                result = None if isinstance(outcome, Exception) else outcome
            except StreamBroken as broken:
                result = broken.result
            finally:
                await begun.chunks.aclose()
        else:
            result = begun
            if isinstance(result, Returned):
                yield encode_payload_chunk(result.payload)
        if result is None or isinstance(result, Throttled):
            yield encode_complete("ServiceException", "The function is gone.")
            return
        self._invoking.note(step, named, result)
        log = log_tail(result.log) if with_log else ""
        if isinstance(result, Returned):
            yield encode_complete(log_result=log)
        else:
            # UNSURE what stands in the two members (LI-064).
            yield encode_complete("Unhandled", orjson.dumps(result.document).decode(), log)
