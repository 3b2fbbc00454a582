"""Lambda's API behind a check of signatures: who may not call gets AWS's refusal (LI-026, LI-213).

Callers of other accounts may do what a function's resource-based policy lets them, nothing else.
"""

from dataclasses import replace
from urllib.parse import parse_qs, unquote

import orjson

from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.callers import Refused
from edgeproxy.entrypoints.lambda_api.actions import action_of, function_in, is_download
from edgeproxy.entrypoints.lambda_api.answers import LambdaError
from edgeproxy.entrypoints.lambda_api.calls import LARGEST_REQUEST
from edgeproxy.entrypoints.lambda_api.names import is_latest, parse_name
from edgeproxy.http.body import BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Request, Response

__all__ = ["SignedApi"]


class SignedApi:
    """A Handler before ``api``; where nothing is enforced, it hands every call on."""

    def __init__(self, api: Handler, access: Access, account: LambdaAccount) -> None:
        self._api = api
        self._access = access
        self._account = account

    async def __call__(self, request: Request) -> Response:
        """The API's answer, or why there is none."""
        if not self._access.enforced or is_download(request):
            return await self._api(request)
        try:
            body = await read_at_most(request.body, LARGEST_REQUEST)
            function, qualifier = self._asked_for(request)
            self._access.enter_api(request, body, action_of(request), function, qualifier)
        except BodyTooLarge:
            text = f"Request must be smaller than {LARGEST_REQUEST} bytes for this operation"
            return self._refusal(413, "RequestEntityTooLargeException", {"message": text})
        except Refused as refused:
            return self._refusal(403, refused.name, dict(refused.document))
        return await self._api(replace(request, body=BytesBody(body)))

    def _refusal(self, status: int, name: str, document: dict[str, str]) -> Response:
        headers = [
            ("x-amzn-RequestId", self._account.chance.uuid()),
            ("Content-Type", "application/json"),
            ("x-amzn-ErrorType", name),
        ]
        return Response(status, Headers(headers), BytesBody(orjson.dumps(document)))

    def _asked_for(self, request: Request) -> tuple[str, str]:
        """The function that the call is about and its qualifier; empty for other operations."""
        given = parse_qs(request.query or "").get("Qualifier", [""])[0]
        name, account = unquote(function_in(request)), self._account
        try:
            named = parse_name(name, given, account.region, account.id, invoked=True)
        except LambdaError:
            return "", ""  # The API itself says what is wrong with the name.
        return named.name, "" if is_latest(named.qualifier) else named.qualifier
