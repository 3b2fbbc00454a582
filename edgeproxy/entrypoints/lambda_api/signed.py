"""Lambda's API behind a check of signatures: who may not call gets AWS's refusal (LI-026, LI-213).

Callers of other accounts may invoke what a resource-based policy lets them, and nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, unquote

import orjson

from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.callers import Refused
from edgeproxy.awslambda.policies import INVOKE
from edgeproxy.entrypoints.lambda_api.calls import LARGEST_REQUEST
from edgeproxy.http.body import BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Request, Response

__all__ = ["SignedApi"]

_INVOKED: Final = re.compile(
    r"/[\d-]+/functions/([^/]+)/(?:invocations|invoke-async|response-streaming-invocations)/?"
)
_NAME: Final = re.compile(r"(?:.*\bfunction:|\d{12}:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?")


class SignedApi:
    """A Handler before ``api``; where nothing is enforced, it hands every call on."""

    def __init__(self, api: Handler, access: Access, request_id: Callable[[], str]) -> None:
        self._api = api
        self._access = access
        self._request_id = request_id

    async def __call__(self, request: Request) -> Response:
        """The API's answer, or why there is none."""
        if not self._access.enforced:
            return await self._api(request)
        try:
            body = await read_at_most(request.body, LARGEST_REQUEST)
            function, qualifier = _asked_for(request)
            action = INVOKE if function else "lambda:*"
            self._access.enter_api(request, body, action, function, qualifier)
        except BodyTooLarge:
            text = f"Request must be smaller than {LARGEST_REQUEST} bytes for this operation"
            return self._refusal(413, "RequestEntityTooLargeException", {"message": text})
        except Refused as refused:
            return self._refusal(403, refused.name, dict(refused.document))
        return await self._api(replace(request, body=BytesBody(body)))

    def _refusal(self, status: int, name: str, document: dict[str, str]) -> Response:
        headers = [
            ("x-amzn-RequestId", self._request_id()),
            ("Content-Type", "application/json"),
            ("x-amzn-ErrorType", name),
        ]
        return Response(status, Headers(headers), BytesBody(orjson.dumps(document)))


def _asked_for(request: Request) -> tuple[str, str]:
    """The function that is to run and its qualifier; empty for other operations."""
    path = _INVOKED.fullmatch(request.path)
    found = _NAME.fullmatch(unquote(path[1])) if path is not None else None
    if found is None:
        return "", ""
    given = parse_qs(request.query or "").get("Qualifier", [""])[0]
    qualifier = found["qualifier"] or given
    return found["name"], "" if qualifier == "$LATEST" else qualifier
