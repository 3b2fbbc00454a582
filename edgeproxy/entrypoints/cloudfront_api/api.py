"""The CloudFront API, version 2020-05-31: a Handler that unmodified AWS clients can call.

Requests may be signed; the signature is not looked at.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

from edgeproxy.entrypoints.cloudfront_api import CLOUDFRONT_PREFIX
from edgeproxy.entrypoints.cloudfront_api.account import Account
from edgeproxy.entrypoints.cloudfront_api.answers import Answer, ApiError
from edgeproxy.entrypoints.cloudfront_api.calls import Call, body_of
from edgeproxy.entrypoints.cloudfront_api.connection_functions import (
    ConnectionFunctionOperations,
)
from edgeproxy.entrypoints.cloudfront_api.deployment import DeploymentPolicyOperations
from edgeproxy.entrypoints.cloudfront_api.distributions import DistributionOperations
from edgeproxy.entrypoints.cloudfront_api.documents import document
from edgeproxy.entrypoints.cloudfront_api.functions import FunctionOperations
from edgeproxy.entrypoints.cloudfront_api.stores import StoreOperations
from edgeproxy.entrypoints.cloudfront_api.tags import TagOperations
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["CloudFrontApi"]

Operation: TypeAlias = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    operation: Operation


class CloudFrontApi:
    """Serves what lies under its prefix of an account; ``request_id`` makes up IDs."""

    def __init__(self, account: Account, request_id: Callable[[], str]) -> None:
        self._request_id = request_id
        distributions = DistributionOperations(account)
        policies = DeploymentPolicyOperations(account)
        functions = FunctionOperations(account)
        connections = ConnectionFunctionOperations(account)
        stores = StoreOperations(account)
        self._routes = [
            _route("GET", "/distribution", distributions.list),
            _route("GET", "/distribution/{Id}", distributions.get),
            _route("GET", "/distribution/{Id}/config", distributions.get_config),
            _route("PUT", "/distribution/{Id}/promote-staging-config", distributions.promote),
            _route("GET", "/continuous-deployment-policy", policies.list),
            _route("GET", "/continuous-deployment-policy/{Id}", policies.get),
            _route("PUT", "/continuous-deployment-policy/{Id}", policies.update),
            _route("GET", "/continuous-deployment-policy/{Id}/config", policies.get_config),
            _route("GET", "/function", functions.list),
            _route("POST", "/function", functions.create),
            _route("GET", "/function/{Name}", functions.get),
            _route("PUT", "/function/{Name}", functions.update),
            _route("DELETE", "/function/{Name}", functions.delete),
            _route("GET", "/function/{Name}/describe", functions.describe),
            _route("POST", "/function/{Name}/publish", functions.publish),
            _route("POST", "/function/{Name}/test", functions.test),
            _route("POST", "/connection-functions", connections.list),
            _route("GET", "/connection-function/{Identifier}", connections.get),
            _route("GET", "/connection-function/{Identifier}/describe", connections.describe),
            _route("POST", "/connection-function/{Identifier}/test", connections.test),
            _route("GET", "/key-value-store", stores.list),
            _route("POST", "/key-value-store", stores.create),
            _route("GET", "/key-value-store/{Name}", stores.describe),
            _route("PUT", "/key-value-store/{Name}", stores.update),
            _route("DELETE", "/key-value-store/{Name}", stores.delete),
            _route("GET", "/tagging", TagOperations(account).list),
        ]
        for whose in ("/distribution/{Id}", "/distribution-tenant/{TenantId}"):
            path = f"{whose}/invalidation"
            self._routes += [
                _route("POST", path, distributions.create_invalidation),
                _route("GET", path, distributions.list_invalidations),
                _route("GET", f"{path}/{{InvalidationId}}", distributions.get_invalidation),
            ]

    async def __call__(self, request: Request) -> Response:
        """Answer one call; what goes wrong is an error document."""
        request_id = self._request_id()
        try:
            operation, path = self._find(request)
            call = Call(
                path,
                dict(parse_qsl(request.query or "", keep_blank_values=True)),
                request.headers.get("If-Match").strip('"'),
                await body_of(request),
                f"http://{request.host}{CLOUDFRONT_PREFIX}",
            )
            answer = await operation(call)
        except ApiError as error:
            answer = Answer(error.status, _error(error, request_id))
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "text/xml", **answer.headers}
        return Response(answer.status, Headers(list(headers.items())), BytesBody(answer.body))

    def _find(self, request: Request) -> tuple[Operation, Mapping[str, str]]:
        path = request.path.removeprefix(CLOUDFRONT_PREFIX)
        for route in self._routes:
            found = route.pattern.match(path)
            if found is not None and route.method == request.method:
                parts = {name: unquote(text) for name, text in found.groupdict().items()}
                return route.operation, parts
        raise ApiError(
            400,
            "UnsupportedOperation",
            f"edgeproxy has no operation {request.method} {request.path}.",
        )


def _route(method: str, template: str, operation: Operation) -> _Route:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
    return _Route(method, re.compile(f"{pattern}/?\\Z"), operation)


def _error(error: ApiError, request_id: str) -> bytes:
    kind = "Sender" if error.status < 500 else "Receiver"
    return document(
        "ErrorResponse",
        {
            "Error": {"Type": kind, "Code": error.code, "Message": error.message},
            "RequestId": request_id,
        },
    )
