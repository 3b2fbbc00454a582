"""The CloudFront KeyValueStore API, version 2022-07-26: the pairs of a store, in JSON.

Every change names the version it is made to. It is seen by the next run of a function; AWS takes
some seconds to bring it to its edges (CFF-KVS-10).
"""

import base64
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import orjson

from edgeproxy.distribution import quotas
from edgeproxy.entrypoints.cloudfront_api import KEY_VALUES_PREFIX
from edgeproxy.entrypoints.cloudfront_api.account import Account, Store
from edgeproxy.entrypoints.cloudfront_api.answers import ApiError
from edgeproxy.entrypoints.cloudfront_api.calls import body_of
from edgeproxy.entrypoints.cloudfront_api.distribution_config import Arns
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["KeyValueStoreApi"]

# CFF-KVS-09
MAX_KEYS: Final = 50
MAX_UPDATE_BYTES: Final = 3 * 1024 * 1024

# An ARN holds one slash, which clients may or may not encode.
_PATH: Final = re.compile(
    rf"{KEY_VALUES_PREFIX}/(?P<arn>[^/]+?(?:/|%2[Ff])[^/]+?)(?P<keys>/keys(?:/(?P<key>.+))?)?/?\Z"
)


class KeyValueStoreApi:
    """A Handler for the pairs of an account's stores; ``request_id`` makes up IDs."""

    def __init__(self, account: Account, request_id: Callable[[], str]) -> None:
        self._account = account
        self._request_id = request_id
        self._arns = Arns(account.id)

    async def __call__(self, request: Request) -> Response:
        """Answer one call; what goes wrong is an error document."""
        headers = {"x-amzn-RequestId": self._request_id(), "Content-Type": "application/json"}
        try:
            document, etag = await self._answer(request)
            status = 200
            if etag:
                headers["ETag"] = etag
        except ApiError as error:
            status, document = error.status, {"Message": error.message}
            headers["x-amzn-ErrorType"] = error.code
        return Response(status, Headers(list(headers.items())), BytesBody(orjson.dumps(document)))

    async def _answer(self, request: Request) -> tuple[dict[str, object], str]:
        found = _PATH.match(request.path)
        if found is None:
            raise ApiError(404, "ResourceNotFoundException", "The path names no key value store.")
        arn, key = unquote(found["arn"]), unquote(found["key"] or "")
        store = self._store(arn)
        received = await body_of(request)
        body = _object(received) if request.method in ("PUT", "POST") else {}
        match request.method, found["keys"] is not None, bool(key):
            case "GET", False, _:
                return self._description(store, arn), store.values.etag
            case "GET", True, False:
                return _listing(store, request.query or ""), ""
            case "GET", True, True:
                value = store.values.get(key)
                if value is None:
                    raise _no_key(key)
                return {"Key": key, "Value": value, **_size(store)}, ""
            case "PUT", True, True:
                return _edit(store, request, {key: _text(body, "Value")}, [])
            case "DELETE", True, True:
                return _edit(store, request, {}, [key])
            case "POST", True, False:
                puts = [(_text(put, "Key"), _text(put, "Value")) for put in _list(body, "Puts")]
                deletes = [_text(delete, "Key") for delete in _list(body, "Deletes")]
                names = [*(name for name, _ in puts), *deletes]
                if not names:
                    raise _invalid("An update needs Puts or Deletes.")
                if len(set(names)) != len(names):
                    raise _invalid("Each key may occur once in Puts and Deletes.")
                if len(names) > MAX_KEYS or len(received) > MAX_UPDATE_BYTES:
                    raise _invalid("An update has at most 50 keys and 3 MB.")
                return _edit(store, request, dict(puts), deletes)
            case method, _, _:
                raise ApiError(
                    400,
                    "UnknownOperationException",
                    f"edgeproxy has no operation {method} {request.path}.",
                )

    def _store(self, arn: str) -> Store:
        for store in self._account.stores.all.values():
            if self._arns.cloudfront("key-value-store", store.values.id) == arn:
                return store
        raise ApiError(404, "ResourceNotFoundException", f"There is no key value store {arn}.")

    def _description(self, store: Store, arn: str) -> dict[str, object]:
        return {
            **_size(store),
            "KvsARN": arn,
            "Created": store.values.created_s,
            "LastModified": store.values.updated_s,
            "Status": "READY",
        }


def _edit(
    store: Store, request: Request, puts: dict[str, str], deletes: list[str]
) -> tuple[dict[str, object], str]:
    given = request.headers.get("If-Match").strip('"')
    if not given:
        raise _invalid("If-Match is missing: give the ETag of DescribeKeyValueStore.")
    if given != store.values.etag:
        raise ApiError(
            409, "ConflictException", "If-Match is not the current version of the key value store."
        )
    for name in deletes:
        if not store.values.exists(name):
            raise _no_key(name)
    for name, value in puts.items():
        if not 0 < len(name.encode()) <= quotas.MAX_KEY_VALUE_STORE_KEY_BYTES:
            raise _invalid("A key has 1 to 512 bytes.")
        if len(value.encode()) > quotas.MAX_KEY_VALUE_STORE_VALUE_BYTES:
            raise _invalid("A value has at most 1 KB.")
    held = store.values.data
    added = sum(
        _bytes(name, value) - (_bytes(name, held[name]) if name in held else 0)
        for name, value in puts.items()
    )
    removed = sum(_bytes(name, held[name]) for name in deletes)
    if store.values.size + added - removed > quotas.MAX_KEY_VALUE_STORE_BYTES:
        raise ApiError(402, "ServiceQuotaExceededException", "A store has at most 5 MB.")
    store.values.edit(puts, deletes)
    return _size(store), store.values.etag


def _bytes(key: str, value: str) -> int:
    return len(key.encode()) + len(value.encode())


def _listing(store: Store, query: str) -> dict[str, object]:
    """The pairs by key, at most ``MaxResults`` (10 when not given, 50 at most)."""
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    most = given.get("MaxResults", "10")
    if not re.fullmatch("[0-9]{1,2}", most) or not 1 <= int(most) <= MAX_KEYS:
        raise _invalid("MaxResults is a number from 1 to 50.")
    try:
        after = base64.b64decode(given.get("NextToken", ""), b"-_", validate=True).decode()
    except ValueError as error:
        raise _invalid("The NextToken is not of this list.") from error
    names = sorted(name for name in store.values.data if name > after)
    shown = names[: int(most)]
    listed = [{"Key": name, "Value": store.values.get(name)} for name in shown]
    if len(names) == len(shown):
        return {"Items": listed}
    return {"Items": listed, "NextToken": base64.urlsafe_b64encode(shown[-1].encode()).decode()}


def _size(store: Store) -> dict[str, object]:
    return {"ItemCount": len(store.values.data), "TotalSizeInBytes": store.values.size}


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The body is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise _invalid("The body is not a JSON object.")
    return document


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise _invalid(f"{name} is not a list.")
    return value


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise _invalid(f"{name} is missing or no string.")
    return value


def _invalid(message: str) -> ApiError:
    return ApiError(400, "ValidationException", message)


def _no_key(key: str) -> ApiError:
    return ApiError(404, "ResourceNotFoundException", f"There is no key {key!r}.")
