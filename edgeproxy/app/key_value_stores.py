"""The running key-value stores: the definition's and those made over the API, over reloads.

A store is edited in memory. As long as the definition says the same of it, its contents stay; when
the file behind it is saved with other contents, the file wins.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import KeyValueStore
from edgeproxy.project.identifiers import etag, policy_id

if TYPE_CHECKING:
    from edgeproxy.entrypoints.cloudfront_api.account import Store
    from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues

__all__ = ["KeyValueStores"]


class KeyValueStores:
    """Stores by name; ``tell`` hears when a saved file takes the place of edits."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._declared: Mapping[str, KeyValueStore] = {}
        self._stores: dict[str, Store] = {}
        self._revision = 0

    @property
    def all(self) -> "Mapping[str, Store]":
        return self._stores

    def values(self, name: str) -> "KeyValues | None":
        """The contents of a store, or None when there is none of that name."""
        store = self._stores.get(name)
        return None if store is None else store.values

    def apply(self, declared: Mapping[str, KeyValueStore]) -> None:
        """Take over what the definition says now."""
        for name in self._declared.keys() - declared.keys():
            self._stores.pop(name, None)
        for name, store in declared.items():
            before, held = self._declared.get(name), self._stores.get(name)
            if held is None:
                store_id = policy_id(store.logical_id) if store.logical_id else ""
                self._open(name, store.data, store_id)
            elif before is None or before.data != store.data:
                if before is None or held.values.data != before.data:
                    where = store.source.name if store.source is not None else "the definition"
                    self._tell(
                        f"key-value store {name}: the contents of {where} have changed and take "
                        "the place of what was written over the API"
                    )
                held.values.replace(store.data)
        self._declared = dict(declared)

    def create(self, name: str, comment: str) -> "Store":
        return self._open(name, {}, policy_id(f"api/{name}"), comment)

    def describe(self, name: str, comment: str) -> "Store":
        changed = replace(
            self._stores[name],
            comment=comment,
            etag=self._etag(name),
            modified_s=self._clock.now(),
        )
        self._stores[name] = changed
        return changed

    def delete(self, name: str) -> None:
        del self._stores[name]

    def _open(
        self, name: str, data: Mapping[str, str], store_id: str, comment: str = ""
    ) -> "Store":
        from edgeproxy.entrypoints.cloudfront_api.account import Store
        from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues

        values = KeyValues(name, data, now=self._clock.now, store_id=store_id)
        store = Store(values, self._etag(name), values.created_s, comment)
        self._stores[name] = store
        return store

    def _etag(self, name: str) -> str:
        self._revision += 1
        return etag(f"key-value-store/{name}/{self._revision}/{self._clock.now()}")
