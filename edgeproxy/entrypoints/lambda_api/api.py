"""Lambda's API: a Handler that unmodified AWS clients can call, whatever the date in its paths.

Requests may be signed; the signature is looked at by who stands before this.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.entrypoints.lambda_api.answers import Answer, LambdaError
from edgeproxy.entrypoints.lambda_api.calls import Call
from edgeproxy.entrypoints.lambda_api.invoke import InvokeOperations
from edgeproxy.entrypoints.lambda_api.operations import Operation, operations
from edgeproxy.entrypoints.lambda_api.streaming import StreamingOperations
from edgeproxy.entrypoints.url_streaming import StreamRecorder
from edgeproxy.errors import UsageError
from edgeproxy.exchange.delivery import record_delivery
from edgeproxy.exchange.model import Exchange, Recorder
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["LambdaApi"]

Invocation: TypeAlias = Callable[[Call, Exchange], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    operation: Operation | None = None
    invocation: Invocation | None = None


class LambdaApi:
    """Serves the operations on an account's functions; ``recorder`` hears of invocations."""

    def __init__(self, account: LambdaAccount, recorder: Recorder) -> None:
        self._account = account
        self._recorder = StreamRecorder(recorder)
        invoking = InvokeOperations(account)
        streaming = StreamingOperations(account, invoking, self._recorder)
        self._routes = [
            _invocation("/2015-03-31/functions/{FunctionName}/invocations", invoking.invoke),
            _invocation("/2014-11-13/functions/{FunctionName}/invoke-async", invoking.invoke_async),
            _invocation(
                "/2021-11-15/functions/{FunctionName}/response-streaming-invocations",
                streaming.invoke,
            ),
            *(_Route(method, _pattern(path), run) for method, path, run in operations(account)),
        ]

    async def __call__(self, request: Request) -> Response:
        """Answer one call; what goes wrong is an error document."""
        request_id = self._account.chance.uuid()
        route, path = self._find(request)
        call = Call(path, request, request_id, f"http://{request.host}")
        if route is not None and route.invocation is not None:
            clock = self._account.clock
            exchange = Exchange(request_id, "invoke", "", request, clock.now(), clock)
            answered = self._answered(route.invocation(call, exchange), request_id)
            return record_delivery(exchange, await answered, self._recorder)
        if route is not None and route.operation is not None:
            return await self._answered(route.operation(call), request_id)
        unknown = f"edgeproxy has no operation {request.method} {request.path}"
        return _refusal(LambdaError("NotImplementedException", unknown), request_id)

    def _find(self, request: Request) -> tuple[_Route | None, Mapping[str, str]]:
        for route in self._routes:
            found = route.pattern.fullmatch(request.path)
            if found is not None and route.method == request.method:
                return route, {name: unquote(text) for name, text in found.groupdict().items()}
        return None, {}

    async def _answered(self, work: Awaitable[Answer], request_id: str) -> Response:
        try:
            answer = await work
        except LambdaError as error:
            return _refusal(error, request_id)
        except UsageError as error:
            return _refusal(LambdaError("ServiceException", str(error)), request_id)
        headers = {"x-amzn-RequestId": request_id, **answer.headers}
        return Response(answer.status, Headers(list(headers.items())), answer.body)


def _refusal(error: LambdaError, request_id: str) -> Response:
    headers = [
        ("x-amzn-RequestId", request_id),
        ("Content-Type", "application/json"),
        ("x-amzn-ErrorType", error.name),
        *error.headers.items(),
    ]
    return Response(error.status, Headers(headers), BytesBody(orjson.dumps(error.document())))


def _pattern(template: str) -> re.Pattern[str]:
    # Of an ARN in a path, the client may leave the slashes as they are.
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "/?")


def _invocation(template: str, invocation: Invocation) -> _Route:
    return _Route("POST", _pattern(template), invocation=invocation)
