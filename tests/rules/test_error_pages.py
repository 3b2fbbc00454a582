"""Custom error responses, refusals and the access log, on the whole way from viewer to origin."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Edge, Site
from edgeproxy.testing.responses import SiteResponse

TEMPLATE = """
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Restrictions: {GeoRestriction: {RestrictionType: blacklist, Locations: [FR]}}
        CustomErrorResponses:
          - {ErrorCode: 403, ResponseCode: 200, ResponsePagePath: /index.html}
          - {ErrorCode: 405, ResponseCode: 200, ResponsePagePath: /errors/missing.html}
          - {ErrorCode: 502, ResponseCode: 503, ResponsePagePath: /pages/sorry.html}
        Origins:
          - {Id: web, DomainName: web.example,
             CustomOriginConfig: {OriginProtocolPolicy: http-only}}
          - {Id: pages, DomainName: pages.example,
             CustomOriginConfig: {OriginProtocolPolicy: http-only}}
          - {Id: dead, DomainName: dead.example,
             CustomOriginConfig: {OriginProtocolPolicy: http-only},
             ConnectionAttempts: 1}
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
        CacheBehaviors:
          - {PathPattern: /dead/*, TargetOriginId: dead, ViewerProtocolPolicy: allow-all,
             CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6}
          - {PathPattern: /secure/*, TargetOriginId: web, ViewerProtocolPolicy: redirect-to-https,
             CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6,
             FunctionAssociations:
               [{EventType: viewer-request, FunctionARN: !GetAtt Greet.FunctionARN}]}
          - {PathPattern: /hello, TargetOriginId: web, ViewerProtocolPolicy: allow-all,
             CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6,
             FunctionAssociations:
               [{EventType: viewer-request, FunctionARN: !GetAtt Greet.FunctionARN}]}
          - {PathPattern: /pages/*, TargetOriginId: pages, ViewerProtocolPolicy: allow-all,
             CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6}
  Greet:
    Type: AWS::CloudFront::Function
    Properties:
      Name: greet
      AutoPublish: true
      FunctionConfig: {Comment: answers itself, Runtime: cloudfront-js-2.0}
      FunctionCode: "function handler(event) { return {statusCode: 403}; }"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "site.yaml").write_text(TEMPLATE)
    for name, text in {
        "web/index.html": "home",
        "web/here.txt": "here",
        "pages/pages/sorry.html": "sorry",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


class LoggedSite:
    """Asks the site, and gives the answer together with its line of the access log."""

    def __init__(self, site: Site, log: Path) -> None:
        self._site = site
        self._log = log
        self._asked = 0

    def ask(
        self, path: str, method: str = "GET", **more: Any
    ) -> tuple[SiteResponse, dict[str, str]]:
        answer = self._site.request(method, path, **more)
        self._asked += 1
        self._site.exchanges(self._asked)
        with self._log.open(newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[2:]
        assert len(rows) == self._asked
        line = dict(zip(STANDARD_FIELDS, rows[-1], strict=True))
        assert line["x-edge-request-id"] == answer.headers.get("X-Amz-Cf-Id")
        return answer, line


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[LoggedSite]:
    with Edge() as edge:
        log = folder / "access.log"
        origins: dict[str, str | Path] = {
            "web": folder / "web",
            "pages": folder / "pages",
            "dead": "http://127.0.0.1:9",
        }
        yield LoggedSite(edge.serve(folder / "site.yaml", origins=origins, access_log=log), log)


@pytest.mark.rule("CDN-LOG-20", "CDN-LOG-21")
def test_hits_and_misses_are_logged(site: LoggedSite) -> None:
    results = [site.ask("/here.txt")[1]["x-edge-result-type"] for _ in range(2)]
    assert results == ["Miss", "Hit"]


@pytest.mark.rule("CDN-MTH-03")
def test_a_post_is_never_a_hit(site: LoggedSite) -> None:
    site.ask("/index.html")
    for _ in range(2):
        answer, line = site.ask("/index.html", "POST")
        assert not answer.x_cache.startswith("Hit")
        assert line["x-edge-result-type"] != "Hit"


@pytest.mark.rule("CDN-CEP-04", "CDN-CEP-11", "CDN-CEP-16", "CDN-LOG-09", "CDN-XC-04")
def test_a_single_page_application(site: LoggedSite) -> None:
    for _ in range(2):  # The second time the error and the page are in the cache.
        answer, line = site.ask("/any/route")
        assert (answer.status, answer.text) == (200, "home")
        assert answer.x_cache == "Error from cloudfront"
        assert line["sc-status"] == "200"
        assert line["x-edge-result-type"] == line["x-edge-response-result-type"] == "Error"


def test_the_page_of_a_head_has_no_body(site: LoggedSite) -> None:
    answer, _ = site.ask("/any/route", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.rule("CDN-CEP-06", "CDN-CEP-07", "CDN-CEP-18")
def test_a_page_that_is_missing_is_not_looked_for_twice(site: LoggedSite) -> None:
    answer, line = site.ask("/here.txt", "PATCH", body=b"x")
    assert answer.status == 403
    assert answer.text != "home"
    assert line["sc-status"] == "403"


@pytest.mark.rule("CDN-CEP-04", "CDN-BEH-25")
def test_the_page_s_path_chooses_its_own_behavior(site: LoggedSite) -> None:
    answer, line = site.ask("/dead/x")
    assert (answer.status, answer.text) == (503, "sorry")
    assert line["x-edge-result-type"] == "Error"
    assert line["x-edge-detailed-result-type"] == "OriginConnectError"


@pytest.mark.rule("CDN-GEO-02", "CDN-GEO-04", "CDN-CEP-08")
def test_a_page_for_countries_that_are_blocked(site: LoggedSite) -> None:
    answer, line = site.ask("/here.txt", headers={"x-edgeproxy-viewer-country": "FR"})
    assert (answer.status, answer.text) == (200, "home")
    assert line["x-edge-detailed-result-type"] == "ClientGeoBlocked"


@pytest.mark.rule("CDN-CEP-08", "CDN-LOG-08", "CDN-XC-07")
def test_no_page_for_what_a_function_answered(site: LoggedSite) -> None:
    answer, line = site.ask("/hello")
    assert (answer.status, answer.body) == (403, b"")
    assert answer.x_cache == "FunctionGeneratedResponse from cloudfront"
    assert line["x-edge-result-type"] == "FunctionGeneratedResponse"


@pytest.mark.rule("CDN-BEH-30", "CDN-VPP-07", "CDN-VPP-08")
def test_the_redirect_comes_before_the_function(site: LoggedSite) -> None:
    answer, line = site.ask("/secure/x?y", headers={"Host": "site.example"})
    assert answer.status == 301
    assert answer.headers.get("Location") == "https://site.example/secure/x?y"
    assert answer.headers.get("Content-Length") == "167"
    assert answer.x_cache == "Redirect from cloudfront"
    assert line["x-edge-result-type"] == line["x-edge-detailed-result-type"] == "Redirect"


@pytest.mark.rule("CDN-REQ-07")
def test_a_get_with_a_length_of_zero(site: LoggedSite) -> None:
    answer, _ = site.ask("/here.txt", headers={"Content-Length": "0"})
    assert (answer.status, answer.text) == (200, "here")
