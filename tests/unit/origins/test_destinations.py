from pathlib import Path

import pytest

from edgeproxy.distribution.model import Origin
from edgeproxy.errors import UsageError
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.destinations import Address, Destinations, Folder, Local, parse_mapping
from tests.unit.origins.raw_origin import custom_origin

WEB = custom_origin()


def resolve(destinations: Destinations, origin: Origin = WEB):
    return destinations.resolve(origin, "http")


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("web=http://127.0.0.1:9000", ("web", "http://127.0.0.1:9000")),
        ("www.example.com=./site", ("www.example.com", "./site")),
        ("web=http://h/a=b", ("web", "http://h/a=b")),
    ],
)
def test_a_mapping_is_split_at_its_first_equals_sign(text: str, mapping) -> None:
    assert parse_mapping(text) == mapping


@pytest.mark.parametrize("text", ["", "web", "web=", "=http://h", "="])
def test_a_mapping_without_name_or_target_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_mapping(text)
    assert repr(text) in str(refused.value)
    assert "--origin web=http://127.0.0.1:9000" in str(refused.value)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("http://127.0.0.1:9000", Address("http", "127.0.0.1", 9000, any_certificate=True)),
        ("http://localhost", Address("http", "localhost", 80, any_certificate=True)),
        ("https://[::1]/", Address("https", "::1", 443, any_certificate=True)),
        ("HTTPS://Dev.Example.com/a/b/", Address("https", "dev.example.com", 443, "/a/b")),
        ("http://app.localhost:3000", Address("http", "app.localhost", 3000, "", True)),
        ("http://192.0.2.1:8", Address("http", "192.0.2.1", 8)),
    ],
)
def test_url_targets(target: str, address: Address) -> None:
    assert resolve(Destinations({"web": target}, handlers={})) == address


@pytest.mark.parametrize(
    "target",
    [
        "ftp://h/",
        "http://",
        "http://h:0/",
        "http://h:99999/",
        "http://h:x/",
        "http://user@h/",
        "http://h/?q",
        "http://h/#f",
        "http://[::1",
        "/no/such/folder",
    ],
)
def test_targets_that_cannot_be_used_are_refused_by_name(target: str) -> None:
    with pytest.raises(UsageError, match=r"^--origin web="):
        Destinations({"web": target}, handlers={})


def test_a_folder_is_a_destination(tmp_path: Path) -> None:
    assert resolve(Destinations({"web": str(tmp_path)}, handlers={})) == Folder(tmp_path.resolve())


def test_the_id_wins_over_the_domain_name_and_names_compare_without_case() -> None:
    mapping = {"WWW.example.COM": "http://by.domain", "web": "http://by.id"}
    destinations = Destinations(mapping, handlers={})
    assert resolve(destinations) == Address("http", "by.id", 80)
    assert resolve(destinations, custom_origin(id="other")) == Address("http", "by.domain", 80)


def test_a_mapping_for_an_id_holds_for_its_domain_name_too() -> None:
    api = custom_origin(id="api", domain_name="api.example.com")
    destinations = Destinations({"api": "http://h:1"}, handlers={}, declared=[WEB, api])
    switched = custom_origin(domain_name="API.example.com")  # still has the ID "web"
    assert resolve(destinations, switched) == Address("http", "h", 1)


def test_a_mapping_for_an_id_does_not_hold_once_a_function_has_changed_the_domain() -> None:
    destinations = Destinations({"web": "http://h:1"}, handlers={}, declared=[WEB])
    changed = custom_origin(domain_name="other.example.com")
    assert resolve(destinations, changed) == Address("http", "other.example.com", 80)
    assert resolve(destinations) == Address("http", "h", 1)


async def test_handlers_hold_by_domain_name_and_id_and_a_mapping_wins() -> None:
    async def handler(request: Request) -> Response:
        return Response(200)

    by_domain = Destinations({}, handlers={"www.EXAMPLE.com": handler})
    assert resolve(by_domain) == Local(handler)
    assert resolve(Destinations({}, handlers={"web": handler})) == Local(handler)
    both = Destinations({"web": "http://h:1"}, handlers={"web": handler})
    assert resolve(both) == Address("http", "h", 1)


@pytest.mark.parametrize("name", ["web", "www.example.com"])
def test_origin_host_sends_the_mapped_authority(name: str) -> None:
    destinations = Destinations(
        {"web": "http://localhost:3000"}, handlers={}, origin_hosts=frozenset({name})
    )
    address = resolve(destinations)
    assert isinstance(address, Address)
    assert destinations.host_for(WEB, address) == "localhost:3000"
    other = custom_origin(id="other", domain_name="other.example.com")
    assert destinations.host_for(other, address) is None


@pytest.mark.parametrize(
    ("address", "authority"),
    [
        (Address("http", "h", 80), "h"),
        (Address("https", "h", 443), "h"),
        (Address("http", "h", 443), "h:443"),
        (Address("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_an_authority_names_the_port_when_it_is_not_the_default(
    address: Address, authority: str
) -> None:
    assert address.authority == authority
    assert str(address) == f"{address.scheme}://{authority}"
