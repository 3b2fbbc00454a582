"""The operations on key-value stores as resources; what they hold is another API's matter."""

from typing import Final

from edgeproxy.entrypoints.cloudfront_api.account import Account, Store
from edgeproxy.entrypoints.cloudfront_api.answers import (
    Answer,
    ApiError,
    if_match,
    invalid_argument,
)
from edgeproxy.entrypoints.cloudfront_api.calls import Call, page
from edgeproxy.entrypoints.cloudfront_api.distribution_config import Arns
from edgeproxy.entrypoints.cloudfront_api.documents import (
    Content,
    document,
    parse,
    read,
    timestamp,
)
from edgeproxy.entrypoints.cloudfront_api.functions import NAME

__all__ = ["StoreOperations"]

MAX_STORES: Final = 50
MAX_COMMENT_CHARACTERS: Final = 128


class StoreOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._stores = account.stores
        self._arns = Arns(account.id)

    async def list(self, call: Call) -> Answer:
        # Every store is ready at once.
        stores = self._stores.all if call.query.get("Status", "READY") == "READY" else {}
        members = [(name, self._content(store)) for name, store in stores.items()]
        return Answer(200, document("KeyValueStoreList", page(call, "KeyValueStore", members)))

    async def describe(self, call: Call) -> Answer:
        return self._described(200, self._store(call))

    async def create(self, call: Call) -> Answer:
        request = parse(call.body, "CreateKeyValueStoreRequest")
        name = read(request, "Name")
        if not NAME.match(name):
            raise invalid_argument(f"{name!r} is no name: 1 to 64 letters, digits, - and _.")
        if name in self._stores.all:
            raise ApiError(409, "EntityAlreadyExists", f"There is a key value store {name}.")
        if len(self._stores.all) >= MAX_STORES:
            raise ApiError(400, "EntityLimitExceeded", "An account has at most 50 stores.")
        if request.find("{*}ImportSource") is not None:
            raise invalid_argument(
                "ImportSource needs S3, which is not here: create the store without it and put "
                "the keys in, or start edgeproxy with --kvs NAME=FILE."
            )
        store = self._stores.create(name, _comment(read(request, "Comment", "")))
        answer = self._described(201, store)
        location = {"Location": f"{call.url}/key-value-store/{store.values.id}"}
        return Answer(201, answer.body, {**answer.headers, **location})

    async def update(self, call: Call) -> Answer:
        store = self._store(call)
        if_match(call.if_match, store.etag)
        comment = _comment(read(parse(call.body, "UpdateKeyValueStoreRequest"), "Comment"))
        return self._described(200, self._stores.describe(store.values.name, comment))

    async def delete(self, call: Call) -> Answer:
        store = self._store(call)
        if_match(call.if_match, store.etag)
        name = store.values.name
        functions, connections = self._account.functions.all, self._account.connection_functions.all
        for staged in (*functions.values(), *connections.values()):
            versions = (staged.development, staged.live)
            if any(each and each.function.key_value_store == name for each in versions):
                function = staged.development.function.name
                message = f"The key value store is associated with the function {function}."
                raise ApiError(409, "CannotDeleteEntityWhileInUse", message)
        self._stores.delete(name)
        return Answer(204)

    def _store(self, call: Call) -> Store:
        store = self._stores.all.get(call.path["Name"])
        if store is None:
            raise ApiError(404, "EntityNotFound", "The specified key value store does not exist.")
        return store

    def _described(self, status: int, store: Store) -> Answer:
        body = document("KeyValueStore", self._content(store))
        return Answer(status, body, {"ETag": store.etag})

    def _content(self, store: Store) -> Content:
        return {
            "Name": store.values.name,
            "Id": store.values.id,
            "Comment": store.comment,
            "ARN": self._arns.cloudfront("key-value-store", store.values.id),
            "Status": "READY",
            "LastModifiedTime": timestamp(store.modified_s),
        }


def _comment(text: str) -> str:
    if len(text) > MAX_COMMENT_CHARACTERS:
        raise invalid_argument("A comment has at most 128 characters.")
    return text
