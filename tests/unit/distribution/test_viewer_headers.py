"""CloudFront's own headers say what is known about the viewer, and no more."""

import pytest

from edgeproxy.distribution.viewer_headers import (
    CANONICAL_NAMES,
    DEVICE_NAMES,
    GENERATED_NAMES,
    cloudfront_headers,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer

UNKNOWN_HERE = {
    "asn",
    "city",
    "country-region",
    "country-region-name",
    "latitude",
    "longitude",
    "metro-code",
    "postal-code",
    "time-zone",
    "ja3-fingerprint",
    "ja4-fingerprint",
}


def headers_for(viewer: Viewer, *lines: tuple[str, str], version: str = "1.1") -> dict[str, str]:
    return cloudfront_headers(Request("GET", "/", None, version, Headers(lines), viewer=viewer))


@pytest.mark.rule("CDN-CFH-02")
@pytest.mark.parametrize(
    ("ip", "value"), [("192.0.2.7", "192.0.2.7:4711"), ("2001:db8::7", "2001:db8::7:4711")]
)
def test_address(ip: str, value: str) -> None:
    assert headers_for(Viewer(ip, 4711))["CloudFront-Viewer-Address"] == value


def test_an_unknown_port_means_no_address() -> None:
    assert "CloudFront-Viewer-Address" not in headers_for(Viewer("192.0.2.7"))


@pytest.mark.rule("CDN-CFH-04", "CDN-CFH-05", "CDN-CFH-35")
def test_country() -> None:
    headers = headers_for(Viewer("192.0.2.7", country="DE"))
    assert headers["CloudFront-Viewer-Country"] == "DE"
    assert headers["CloudFront-Viewer-Country-Name"] == "Germany"


def test_a_country_without_a_name_in_the_table() -> None:
    headers = headers_for(Viewer("192.0.2.7", country="XK"))
    assert headers["CloudFront-Viewer-Country"] == "XK"
    assert "CloudFront-Viewer-Country-Name" not in headers


@pytest.mark.rule("CDN-CFH-32")
def test_non_ascii_names_are_percent_encoded() -> None:
    headers = headers_for(Viewer("192.0.2.7", country="CI"))
    assert headers["CloudFront-Viewer-Country-Name"] == "C%C3%B4te d'Ivoire"


@pytest.mark.rule("CDN-CFH-31")
def test_what_is_unknown_is_left_out() -> None:
    headers = headers_for(Viewer("192.0.2.7"))
    assert "CloudFront-Viewer-Country" not in headers
    assert not {f"CloudFront-Viewer-{what}".lower() for what in UNKNOWN_HERE} & {
        name.lower() for name in headers
    }
    assert all(headers[name] for name in headers if name != "CloudFront-Viewer-Header-Order")


@pytest.mark.rule("CDN-CFH-13", "CDN-CFH-14")
@pytest.mark.parametrize(("scheme", "version"), [("http", "1.0"), ("https", "2.0")])
def test_protocol(scheme: str, version: str) -> None:
    viewer = Viewer("192.0.2.7", scheme="https" if scheme == "https" else "http")
    headers = headers_for(viewer, version=version)
    assert headers["CloudFront-Forwarded-Proto"] == scheme
    assert headers["CloudFront-Viewer-Http-Version"] == version


@pytest.mark.rule("CDN-CFH-15")
def test_tls() -> None:
    secure = Viewer("192.0.2.7", 1, "https", "", "TLSv1.3", "TLS_AES_128_GCM_SHA256")
    value = "TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake"
    assert headers_for(secure)["CloudFront-Viewer-TLS"] == value
    assert "CloudFront-Viewer-TLS" not in headers_for(Viewer("192.0.2.7", 1))


@pytest.mark.rule("CDN-CFH-18", "CDN-CFH-19")
def test_header_order_and_count() -> None:
    headers = headers_for(Viewer("::1"), ("Host", "a"), ("x-b", "1"), ("Accept", "*"), ("x-b", "2"))
    assert headers["CloudFront-Viewer-Header-Order"] == "Host:x-b:Accept:x-b"
    assert headers["CloudFront-Viewer-Header-Count"] == "4"


@pytest.mark.rule("CDN-CFH-18")
def test_header_order_is_cut() -> None:
    lines = [(f"x-{number:096}", "1") for number in range(100)]
    assert len(headers_for(Viewer("::1"), *lines)["CloudFront-Viewer-Header-Order"]) == 7680


IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari"
IPAD = "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Version/12.1 Mobile/15E148 Safari/604.1"
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120.0 Mobile Safari/537.36"
GALAXY_TAB = "Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/120.0 Safari/537.36"
TIZEN_TV = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) Version/6.0 TV Safari/537.36"
FIRE_TV = "Mozilla/5.0 (Linux; Android 9; AFTMM) Chrome/120.0 Safari/537.36"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0 Safari/537.36"


@pytest.mark.rule("CDN-CFH-01", "CDN-CFH-33")
@pytest.mark.parametrize(
    ("user_agent", "devices"),
    [
        (IPHONE, {"IOS", "Mobile"}),
        (IPAD, {"IOS", "Mobile", "Tablet"}),
        (PIXEL, {"Android", "Mobile"}),
        (GALAXY_TAB, {"Android", "Mobile", "Tablet"}),
        (TIZEN_TV, {"SmartTV"}),
        (FIRE_TV, {"Android", "SmartTV"}),
        (WINDOWS, {"Desktop"}),
        ("curl/8.0 after-all", {"Desktop"}),
        ("", {"Desktop"}),
    ],
)
def test_devices(user_agent: str, devices: set[str]) -> None:
    headers = headers_for(Viewer("::1"), ("user-agent", user_agent))
    every = ("Android", "Desktop", "IOS", "Mobile", "SmartTV", "Tablet")
    told = {device: headers[f"CloudFront-Is-{device}-Viewer"] for device in every}
    assert told == {device: "true" if device in devices else "false" for device in every}


def test_the_names_cover_all_that_is_generated() -> None:
    viewer = Viewer("::1", 1, "https", "US", "TLSv1.3", "X")
    headers = headers_for(viewer)
    assert set(headers) <= set(CANONICAL_NAMES.values())
    assert set(CANONICAL_NAMES) == GENERATED_NAMES >= DEVICE_NAMES
    assert all(name == name.lower() for name in GENERATED_NAMES)
