"""Where a viewer is: told by options, by a request, or by a real database of addresses."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from edgeproxy.app.geo_database import GeoDatabases
from edgeproxy.app.viewers import viewer_from
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import EMPTY_HEADERS
from edgeproxy.http.messages import Viewer
from edgeproxy.settings import Settings
from edgeproxy.testing import Edge
from tests.support.delivery import CACHING_DISABLED, cache_policy, origin_request_policy
from tests.support.edge_functions import header, policies, telling
from tests.support.edge_functions import told as told_by_functions
from tests.support.viewer_functions import function

ALL_AND_CLOUDFRONT = "33f36d7e-f396-46d9-90e0-52428a34d9dc"
EVERYTHING = {"cache": CACHING_DISABLED, "forward": ALL_AND_CLOUDFRONT}

DETROIT = {
    "Country": "US",
    "Country-Name": "United States",
    "Country-Region": "MI",
    "Country-Region-Name": "Michigan",
    "City": "Ann Arbor",
    "Latitude": "42.30680",
    "Longitude": "-83.70590",
    "Metro-Code": "505",
    "Postal-Code": "48105",
    "Time-Zone": "America/Detroit",
    "ASN": "237",
}
CITIES: Mapping[str, Mapping[str, Any]] = {
    "198.51.100.0/24": {
        "country": {"iso_code": "US", "names": {"en": "United States"}},
        "subdivisions": [
            {"iso_code": "MI", "names": {"en": "Michigan"}},
            {"iso_code": "161", "names": {"en": "Washtenaw"}},
        ],
        "city": {"names": {"de": "Anna Laube", "en": "Ann Arbor"}},
        "location": {
            "latitude": 42.3068,
            "longitude": -83.7059,
            "metro_code": 505,
            "time_zone": "America/Detroit",
        },
        "postal": {"code": "48105"},
    },
    "203.0.113.0/25": {
        "country": {"iso_code": "DE"},
        "city": {"names": {"en": "Köln"}},
        "location": {"metro_code": 505},
    },
    "203.0.113.128/25": {"country": {"iso_code": "FR"}},
    "2001:db8::/32": {"country": {"iso_code": "JP"}, "city": {"names": {"en": "Tokyo"}}},
}
NETWORKS: Mapping[str, Mapping[str, Any]] = {
    "198.51.100.0/24": {"autonomous_system_number": 237, "autonomous_system_organization": "M"},
    "203.0.113.0/25": {"autonomous_system_number": 16509},
}


def database(path: Path, records: Mapping[str, Mapping[str, Any]], *, version: int = 6) -> str:
    writer = MMDBWriter(
        ip_version=version, ipv4_compatible=version == 6, float_type="f64", int_type="u32"
    )
    for network, record in records.items():
        writer.insert_network(IPSet([network]), dict(record))
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture
def databases(tmp_path: Path) -> list[str]:
    return [
        database(tmp_path / "City.mmdb", CITIES),
        database(tmp_path / "ASN.mmdb", NETWORKS, version=4),
    ]


def told(got: Any) -> dict[str, str]:
    """What an origin is told of the place and the network."""
    prefix = "CloudFront-Viewer-"
    said = {name.removeprefix(prefix): value for name, value in got.headers if prefix in name}
    return {name: value for name, value in said.items() if name in DETROIT}


@pytest.mark.rule("CDN-CFH-03", "CDN-CFH-04", "CDN-CFH-05", "CDN-CFH-06", "CDN-CFH-07")
@pytest.mark.rule("CDN-CFH-08", "CDN-CFH-09", "CDN-CFH-10", "CDN-CFH-11", "CDN-CFH-12")
@pytest.mark.rule("CDN-CFH-30", "CDN-CFH-31", "CDN-CFH-32", "CDN-CFH-35")
def test_databases_tell_where_an_address_is(deliver, origin, databases):
    site = deliver(EVERYTHING, options={"geo_database": databases})
    expected = {
        "198.51.100.7": DETROIT,
        # A metro code is for viewers in the USA; of the AWS network little is told.
        "203.0.113.7": {"Country": "DE", "City": "K%C3%B6ln", "ASN": "16509"},
        # Nothing is made up from a country but its name.
        "203.0.113.200": {"Country": "FR", "Country-Name": "France"},
        "2001:db8::1": {"Country": "JP", "Country-Name": "Japan", "City": "Tokyo"},
        "192.0.2.1": {},
    }
    for ip in expected:
        site.get("/", headers={"x-edgeproxy-viewer-ip": ip})
    site.get("/")
    assert [told(got) for got in origin.got] == [*expected.values(), {}]


@pytest.mark.rule("CDN-CFH-10", "CDN-CFH-31")
def test_what_options_say_of_the_viewer(deliver, origin):
    say = ["city=São Paulo", "country-region=SP", "metro-code=505", "time-zone=America/Sao_Paulo"]
    site = deliver(EVERYTHING, options={"viewer_country": "br", "viewer_location": say})
    site.get("/")
    site.get("/", headers={"x-edgeproxy-viewer-city": "Santos", "x-edgeproxy-viewer-asn": "27699"})
    site.get(
        "/", headers={"x-edgeproxy-viewer-country": "US", "x-edgeproxy-viewer-metro-code": "5"}
    )
    brazil = {
        "Country": "BR",
        "Country-Name": "Brazil",
        "Country-Region": "SP",
        "City": "S%C3%A3o Paulo",
        "Time-Zone": "America/Sao_Paulo",
    }
    assert [told(got) for got in origin.got] == [
        brazil,
        {**brazil, "City": "Santos", "ASN": "27699"},
        # Another country is another place.
        {"Country": "US", "Country-Name": "United States", "Metro-Code": "5"},
    ]
    assert not [
        name for got in origin.got for name, _ in got.headers if "edgeproxy" in name.lower()
    ]


def test_a_request_s_own_address_counts_more_than_options_and_its_words_most(
    deliver, origin, databases
):
    options = {
        "geo_database": databases,
        "viewer_ip": "198.51.100.1",
        "viewer_location": ["city=Ypsilanti"],
    }
    site = deliver(EVERYTHING, options=options)
    tokyo = {"x-edgeproxy-viewer-ip": "2001:db8::5"}
    requests = [{}, tokyo, tokyo | {"x-edgeproxy-viewer-country": "US"}]
    for headers in requests:
        site.get("/", headers=headers)
    assert [told(got) for got in origin.got] == [
        {**DETROIT, "City": "Ypsilanti"},
        {"Country": "JP", "Country-Name": "Japan", "City": "Tokyo"},
        {"Country": "US", "Country-Name": "United States"},
    ]


@pytest.mark.rule("CDN-GEO-01", "CDN-CFH-04")
def test_the_database_s_country_decides_who_may_enter_and_is_keyed(deliver, origin, databases):
    site = deliver(
        {"cache": cache_policy(headers="whitelist CloudFront-Viewer-Country")},
        Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["DE"]}},
        options={"geo_database": databases},
    )
    answers = [
        site.get("/", headers={"x-edgeproxy-viewer-ip": ip})
        for ip in ("203.0.113.9", "198.51.100.1", "198.51.100.2", "2001:db8::1")
    ]
    assert [(one.status, one.x_cache.split()[0]) for one in answers] == [
        (403, "Error"), (200, "Miss"), (200, "Hit"), (200, "Miss"),
    ]  # fmt: skip


@pytest.mark.rule("CDN-CFH-06", "CDN-CFH-08", "CDN-CFH-12")
def test_a_cache_policy_can_be_asked_for_places(deliver, origin):
    names = "CloudFront-Viewer-City CloudFront-Viewer-Country-Region CloudFront-Viewer-Time-Zone"
    site = deliver({"cache": cache_policy(headers=f"whitelist {names}")})
    spots = [
        {"x-edgeproxy-viewer-city": "Bonn"},
        {"x-edgeproxy-viewer-city": "Köln".encode().decode("latin-1")},
        {"x-edgeproxy-viewer-city": "Bonn", "x-edgeproxy-viewer-country-region": "NW"},
        {"x-edgeproxy-viewer-city": "Bonn"},
    ]
    outcomes = [site.get("/", headers=spot).x_cache.split()[0] for spot in spots]
    assert outcomes == ["Miss", "Miss", "Miss", "Hit"]
    assert origin.got[1].header("CloudFront-Viewer-City") == "K%C3%B6ln"


@pytest.mark.rule("LE-HDR-21", "CDN-CFH-16", "CDN-CFH-17")
def test_lambda_functions_see_what_origins_see(
    serve_lambda, origin, databases, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    tls = ["TLS", "JA3-Fingerprint", "JA4-Fingerprint"]
    asked = [f"CloudFront-Viewer-{name}" for name in (*DETROIT, *tls)]
    site = serve_lambda(
        {"origin-request": telling("origin-request")},
        options={"geo_database": databases, "https_port": 0, "viewer_ip": "198.51.100.1"},
        **policies(forward=origin_request_policy(f"whitelist {' '.join(asked)}")),
    )
    assert site.get("/", url=site.https_url).status == 200
    ((_, event),) = told_by_functions(site)
    shown = {name: header(event["request"], name.lower()) for name in asked}
    assert shown == {name: [origin.got[0].header(name)] for name in asked}
    assert told(origin.got[0]) == DETROIT
    assert all(shown[f"CloudFront-Viewer-{name}"] for name in tls)


@pytest.mark.rule("CFF-EVT-16")
def test_cloudfront_functions_see_what_origins_see(serve_cff, origin):
    forward = origin_request_policy("whitelist CloudFront-Viewer-City CloudFront-Viewer-ASN")
    code = "console.log(JSON.stringify(event.request.headers));"
    site = serve_cff(
        {"viewer-request": function(code)},
        resources={"Forward": forward},
        behavior={"OriginRequestPolicyId": {"Ref": "Forward"}},
    )
    site.get("/", headers={"x-edgeproxy-viewer-city": "Bonn"})
    (run,) = site.exchanges(1)[0].functions
    headers = json.loads(run.log[0].message)
    assert headers["cloudfront-viewer-city"] == {"value": "Bonn"}
    assert "cloudfront-viewer-asn" not in headers
    assert told(origin.got[0]) == {"City": "Bonn"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("city", "\xff"),
        ("latitude", "91"),
        ("longitude", "east"),
        ("country-region", "MICH"),
        ("metro-code", "x"),
        ("time-zone", "not a zone"),
        ("asn", "AS237"),
        ("town", "Bonn"),
    ],
)
def test_what_is_no_place_is_a_bad_request(deliver, origin, name, value):
    site = deliver({})
    assert site.get("/", headers={f"x-edgeproxy-viewer-{name}": value}).status == 400
    assert f"x-edgeproxy-viewer-{name} is " in site.console
    assert not origin.got


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"viewer_location": ["town=Bonn"]},
            "--viewer-location 'town=Bonn' is none of country-reg",
        ),
        ({"viewer_location": ["city"]}, "--viewer-location 'city' is not of the form NAME=VALUE"),
        ({"viewer_location": ["asn=1", "asn=2"]}, "is told twice"),
        ({"geo_database": ["/nowhere.mmdb"]}, "/nowhere.mmdb: cannot be read: No such file"),
        ({"geo_database": [__file__]}, "is not a database in MaxMind's format"),
    ],
)
def test_options_that_cannot_be(shared: Edge, tmp_path: Path, options, message):
    with pytest.raises(UsageError) as raised:
        shared.serve(tmp_path, **options)
    assert message in str(raised.value)


def test_a_database_of_something_else_is_refused(shared: Edge, tmp_path: Path):
    other = database(tmp_path / "other.mmdb", {"198.51.100.0/24": {"is_anonymous": "yes"}})
    with pytest.raises(UsageError, match="have none of the fields"):
        shared.serve(tmp_path, geo_database=[other])


def test_a_missing_library_is_named(shared: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(UsageError, match=r"edgeproxy\[geo\]"):
        shared.serve(tmp_path, geo_database=["City.mmdb"])


def test_databases_know_nothing_of_a_viewer_that_has_left_and_has_no_address(
    databases: list[str],
) -> None:
    known = GeoDatabases(databases)
    assert viewer_from(Settings(), known)("", 0, EMPTY_HEADERS) == Viewer("", 0)
    known.close()
