from dataclasses import fields, replace

from edgeproxy.cache.entry import Entry, make_entry
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.stores.packing import LAYOUT, pack, unpack
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import key

HEADERS = Headers([("ETag", '"1"'), ("X-É", "caf\udce9"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])


def entry(storable: Storable) -> Entry:
    made = make_entry(key("/a"), 404, "Füll", HEADERS, b"body", storable, 1_800_000_000.25)
    return replace(made, path="/caf\udce9", query="é=\udcff", retry_at=7.5, detail="Error")


def test_all_but_the_body_comes_back() -> None:
    for storable in (Storable(60, "max-age=60"), Storable(0, "x", 5, 7)):
        packed = entry(storable)
        assert unpack(pack(packed)) == replace(packed, body=b"")
        assert unpack(pack(packed), b"body") == packed


def test_an_object_without_query_has_none_afterwards() -> None:
    packed = replace(entry(Storable(60, "x")), query=None)
    assert unpack(pack(packed), b"body").query is None


def test_every_field_but_the_body_is_told_apart_by_the_layout() -> None:
    packed = pack(entry(Storable(60, "x")))
    assert all(field.name.encode() in packed for field in fields(Entry) if field.name != "body")
    assert 0 < LAYOUT < 2**31
