"""What ``cf`` tells a CloudFront Function of the edge, and takes from it, through a whole edge."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from edgeproxy.testing import Site, SiteResponse
from tests.support.viewer_functions import function

IMPORT = "import cf from 'cloudfront';"


def runs(site: Site, response: SiteResponse) -> dict[str, Any]:
    """The function runs of an exchange, by event type."""
    identifier = response.headers.get("X-Amz-Cf-Id")
    page: Any = site.get(f"/api/exchanges/{identifier}", url=site.endpoints["control"]).json()
    found = [step["function"] for step in page["steps"] if step.get("function")]
    return {run["event_type"]: run for run in found}


@pytest.mark.rule("CFF-HLP-01")
def test_a_viewer_request_is_told_where_it_is(serve_cff: Callable[..., Site]) -> None:
    site = serve_cff(
        {
            "viewer-request": function(
                result="{statusCode: 200, body: JSON.stringify(cf.edgeLocation)}", head=IMPORT
            )
        }
    )
    response = site.get("/")
    place: Any = response.json()
    assert place.keys() == {"name", "serverIp", "region"}
    assert place["name"] == response.headers.get("X-Amz-Cf-Pop")[:3]
    assert ipaddress.ip_address(place["serverIp"]).is_loopback
    assert place["region"] == "us-east-1"


@pytest.mark.rule("CFF-HLP-01")
def test_a_viewer_response_is_not(serve_cff: Callable[..., Site]) -> None:
    told = "event.response.headers['x-place'] = {value: JSON.stringify(cf.edgeLocation)};"
    code = function(told, result="event.response", head=IMPORT)
    assert serve_cff({"viewer-response": code}).get("/").headers.get("X-Place") == "{}"


@pytest.mark.rule("CFF-HLP-02")
def test_log_data_stands_in_the_exchange(serve_cff: Callable[..., Site]) -> None:
    site = serve_cff(
        {
            "viewer-request": function(
                "cf.logCustomData('first');", "cf.logCustomData('a b\\u20ac');", head=IMPORT
            ),
            "viewer-response": function(
                "cf.logCustomData('%'.repeat(300));", result="event.response", head=IMPORT
            ),
        }
    )
    found = runs(site, site.get("/"))
    assert found["viewer-request"]["log_data"] == "a%20b%E2%82%AC"
    assert found["viewer-response"]["log_data"] == ("%25" * 300)[:800]


@pytest.mark.rule("CFF-HLP-03")
@pytest.mark.parametrize("use", ["id", "parameters.get('a')"])
def test_a_standard_distribution_has_no_tenant(serve_cff: Callable[..., Site], use: str) -> None:
    caught = f"try {{ cf.distributionTenant.{use}; }} catch (e) {{ return answer(e); }}"
    answer = "function answer(e) { return {statusCode: 200, body: e.name + ': ' + e.message}; }"
    site = serve_cff({"viewer-request": function(caught, head=f"{IMPORT}\n{answer}")})
    assert site.get("/").text == "TypeError: the distributionTenant module is not available"
