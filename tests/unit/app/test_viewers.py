"""Who the viewer is: a request's headers win over the options, and those over the connection."""

import pytest

from edgeproxy.app.geo_database import GeoDatabases
from edgeproxy.app.viewers import viewer_from
from edgeproxy.http.headers import Headers
from edgeproxy.http.location import Location
from edgeproxy.http.messages import Viewer
from edgeproxy.server.reading import Refused
from edgeproxy.settings import Settings

NOBODY = Settings()
GERMAN = Settings(
    viewer_ip="198.51.100.1", viewer_country="de", viewer_location=("city=Bonn", "asn=1")
)


def viewer(settings: Settings, *lines: tuple[str, str]) -> Viewer:
    return viewer_from(settings, GeoDatabases(()))("192.0.2.7", 50, Headers(lines))


@pytest.mark.parametrize(
    ("lines", "settings", "expected"),
    [
        ({}, NOBODY, Viewer("192.0.2.7", 50)),
        (
            {},
            GERMAN,
            Viewer("198.51.100.1", 50, country="DE", location=Location(city="Bonn", asn="1")),
        ),
        (
            {"X-Edgeproxy-Viewer-Ip": "2001:db8::1", "X-Edgeproxy-Viewer-Country": "fr"},
            GERMAN,
            Viewer("2001:db8::1", 50, country="FR", location=Location(asn="1")),
        ),
        (
            {"X-Edgeproxy-Viewer-Country": "", "X-Edgeproxy-Viewer-City": "Köln"},
            GERMAN,
            Viewer("198.51.100.1", 50, country="DE", location=Location(city="Köln", asn="1")),
        ),
    ],
)
def test_headers_win_over_options_over_the_connection(
    lines: dict[str, str], settings: Settings, expected: Viewer
) -> None:
    assert viewer(settings, *lines.items()) == expected


@pytest.mark.rule("CDN-GEO-05")
def test_x_forwarded_for_says_nothing_about_the_viewer() -> None:
    assert viewer(NOBODY, ("X-Forwarded-For", "198.51.100.9")).ip == "192.0.2.7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-edgeproxy-viewer-ip", "localhost"),
        ("x-edgeproxy-viewer-ip", "1.2.3.4, 5.6.7.8"),
        ("x-edgeproxy-viewer-country", "Germany"),
        ("x-edgeproxy-viewer-country", "Ä"),
        ("x-edgeproxy-viewer-latitude", "-91"),
        ("x-edgeproxy-viewer-planet", "Mars"),
    ],
)
def test_what_cannot_be_is_a_bad_request(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        viewer(NOBODY, (name, value))
