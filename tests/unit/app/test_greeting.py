"""The greeting names every URL, the policies in force, and what is not done as AWS does it."""

from dataclasses import replace
from typing import Any

from edgeproxy.app.greeting import greeting
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    LegacyCacheSettings,
    Origin,
    OriginRequestPolicy,
    PublicKey,
    ViewerProtocolPolicy,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.errors import Place
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Project, Report, ReportLine, Treatment
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.settings import Settings

DEFAULT = Behavior(
    "*",
    "web",
    CachePolicy("CachingDisabled", 0, 0, 0),
    origin_request_policy=OriginRequestPolicy("AllViewer"),
    response_headers_policy=ResponseHeadersPolicy("SecurityHeaders"),
    functions=(
        FunctionAssociation(EventType.VIEWER_REQUEST, EdgeFunctionKind.LAMBDA, "auth"),
        FunctionAssociation(EventType.VIEWER_RESPONSE, EdgeFunctionKind.CLOUDFRONT, "sign"),
    ),
)
LEGACY = Behavior("/old/*", "web", LegacyCacheSettings(query_string=False))
ORIGINS = {"web": Origin("web", "web.example", CustomOrigin())}
SITE = Distribution("Site", "E1", "d1.cloudfront.net", ORIGINS, DEFAULT, (LEGACY,))
OLD = Distribution("Old", "E2", "d2.cloudfront.net", ORIGINS, LEGACY)


def endpoints(*distributions: str) -> dict[str, Any]:
    return {
        "control": "http://127.0.0.1:8081",
        "viewer": "http://127.0.0.1:8080",
        "https_viewer": None,
        "distributions": {
            name: {"url": f"http://127.0.0.1:{9000 + index}", "https_url": None}
            for index, name in enumerate(distributions)
        },
        "function_urls": {
            "ApiUrl": {"function": "api", "url": "http://127.0.0.1:8082/", "https_url": None}
        },
        "load_balancers": {"Alb": {"listeners": [{"port": 80, "url": "http://127.0.0.1:8083"}]}},
    }


def greet(*distributions: Distribution, report: Report | None = None, **options: Any) -> list[str]:
    project = Project({d.logical_id: d for d in distributions}, report=report or Report())
    names = [distribution.logical_id for distribution in distributions]
    text = greeting(Loaded(project), endpoints(*names), Settings(**options))
    return [line.strip() for line in text.splitlines()]


def test_one_distribution() -> None:
    assert greet(SITE) == [
        "edgeproxy is ready",
        "http://127.0.0.1:9000  distribution Site (d1.cloudfront.net)",
        (
            "cache policy CachingDisabled, origin request policy AllViewer, "
            "response headers policy SecurityHeaders"
        ),
        "*: viewer-request auth, viewer-response sign",
        "http://127.0.0.1:8082/  function URL ApiUrl of api",
        "http://127.0.0.1:8083  load balancer Alb, port 80",
        "http://127.0.0.1:8081  inspector (and JSON API, metrics)",
    ]


def test_with_several_the_shared_listener_is_named_too() -> None:
    lines = greet(SITE, OLD)
    assert "http://127.0.0.1:8080  the distribution that the Host header names," in lines
    host = "E1.cloudfront.localhost"
    assert f"for example: curl -H 'Host: {host}' http://127.0.0.1:8080/" in lines
    assert "http://127.0.0.1:9000  distribution Site (d1.cloudfront.net)" in lines
    assert "http://127.0.0.1:9001  distribution Old (d2.cloudfront.net)" in lines
    assert "legacy cache settings" in lines


REPORT = Report(
    (
        ReportLine(Place(path="Comment"), Treatment.HONOURED),
        ReportLine(Place(path="PriceClass"), Treatment.IGNORED, "there is one edge location"),
        ReportLine(Place(path="OriginShield"), Treatment.APPROXIMATED, "one tier of cache"),
    )
)


def test_what_is_not_honoured_is_counted() -> None:
    *_, last = greet(report=REPORT)
    assert last == (
        "1 properties honoured, 1 approximated, 1 ignored "
        "(--verbose or `edgeproxy check` lists them)"
    )


def test_and_listed_on_demand() -> None:
    *_, total, ignored, approximated = greet(report=REPORT, verbose=True)
    assert total == "1 properties honoured, 1 approximated, 1 ignored"
    assert ignored == "ignored: PriceClass: there is one edge location"
    assert approximated == "approximated: OriginShield: one tier of cache"


def test_nothing_is_said_when_all_is_honoured() -> None:
    *_, last = greet(report=Report(REPORT.lines[:1]), verbose=True)
    assert last.endswith("inspector (and JSON API, metrics)")


def test_what_aws_would_refuse_is_counted_once() -> None:
    refused = CheckFinding("LE-ASSOC-05", Place(), "no version")
    warned = replace(refused, severity=Severity.WARNING)
    loaded = Loaded(Project({"Site": SITE}), findings=(refused, refused, warned))
    *_, last = greeting(loaded, endpoints("Site"), Settings()).splitlines()
    assert (
        last.strip() == "AWS would refuse this definition: 1 error (`edgeproxy check` lists them)"
    )


def test_behaviors_that_want_https_are_said() -> None:
    secure = replace(LEGACY, viewer_protocol_policy=ViewerProtocolPolicy.REDIRECT_TO_HTTPS)
    site = replace(SITE, behaviors=(secure,))
    assert "these behaviors want HTTPS: /old/*" in greet(site)
    assert not any("HTTPS" in line for line in greet(SITE))


def test_behaviors_for_signed_requests_and_signers_without_keys_are_said() -> None:
    private = replace(LEGACY, trusted_key_groups=("keys", "self"))
    groups = {"keys": (PublicKey("K1", "PEM"),), "self": ()}
    site = replace(SITE, behaviors=(private,), key_groups=groups)
    said = greet(site)
    assert "signed URLs or cookies only: /old/*" in said
    assert "no public key is known of self: what they sign is refused" in said
    assert "-> give --public-key KEY_PAIR_ID=PEM_FILE" in said
    assert not any("--public-key" in line for line in greet(replace(site, key_groups={})))
    assert not any("signed" in line for line in greet(SITE))
