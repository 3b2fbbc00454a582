"""AWS's APIs that name the operation in a header or in the path, as unmodified clients call them.

CodeDeploy, CloudWatch and KMS have one URL each for all operations. Clients speak ``awsJson1.1``
(``X-Amz-Target: Service.Operation``) or RPC v2 in CBOR (``/service/S/operation/O``), whichever
they prefer. Signatures are not looked at.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from edgeproxy.http.body import BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["PATHS", "ApiRefusal", "Document", "Operation", "TargetApi"]

PATHS: Final = ("/", r"/service/{service}/operation/{operation}")
_RPC: Final = re.compile(r"/service/(\w+)/operation/(\w+)")
_LARGEST: Final = 1_048_576

Document: TypeAlias = dict[str, Any]
"""The members of a request or an answer."""

Operation: TypeAlias = Callable[[Document], Document]
"""Raises :class:`ApiRefusal`."""


class ApiRefusal(Exception):
    """A refusal with AWS's name for it."""

    def __init__(self, name: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status


class TargetApi:
    """A Handler for the operations in a table whose keys are like ``TrentService.Decrypt``."""

    def __init__(self, operations: Mapping[str, Operation], request_id: Callable[[], str]) -> None:
        self._operations = operations
        self._request_id = request_id

    async def __call__(self, request: Request) -> Response:
        """Answer one call; what goes wrong is an error document."""
        rpc = _RPC.fullmatch(request.path)
        target = f"{rpc[1]}.{rpc[2]}" if rpc else request.headers.get("X-Amz-Target") or ""
        status = 200
        try:
            body = await read_at_most(request.body, _LARGEST)
            operation = self._operations.get(target)
            if operation is None:
                raise ApiRefusal("UnknownOperationException", f"edgeproxy has no {target!r}", 404)
            answer = operation(_decoded(body, is_cbor=rpc is not None))
        except BodyTooLarge:
            status, answer = 413, {"__type": "RequestEntityTooLargeException"}
        except ApiRefusal as refusal:
            status = refusal.status
            answer = {"__type": refusal.name, "message": refusal.message}
        lines = [("x-amzn-RequestId", self._request_id())]
        if rpc is not None:
            lines += [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")]
            return Response(status, Headers(lines), BytesBody(_cbor(answer)))
        lines.append(("Content-Type", "application/x-amz-json-1.1"))
        return Response(status, Headers(lines), BytesBody(orjson.dumps(answer)))


def _decoded(body: bytes, *, is_cbor: bool) -> Document:
    document: object
    try:
        if is_cbor:
            from awscrt import cbor

            document = cbor.AwsCborDecoder(body).pop_next_data_item() if body else {}
        else:
            document = orjson.loads(body or b"{}")
    except (orjson.JSONDecodeError, RuntimeError) as error:  # RuntimeError is the decoder's
        raise ApiRefusal("SerializationException", f"the body cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ApiRefusal("SerializationException", "the body is no object")
    return document


def _cbor(document: Document) -> bytes:
    from awscrt import cbor

    encoder = cbor.AwsCborEncoder()
    encoder.write_data_item(document)
    encoded: bytes = encoder.get_encoded_data()
    return encoded
