"""Which requests enter a behavior, and what the others get instead."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    GeoRestriction,
    Origin,
    ViewerProtocolPolicy,
)
from edgeproxy.edge.admission import Admitted, Refused, admit
from edgeproxy.http.body import EMPTY_BODY, Body, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer

ID = "A" * 54 + "=="
READ = ("GET", "HEAD")
ALL = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
BEHAVIOR = Behavior("*", "web", CachePolicy("CachingOptimized", 1, 86_400, 31_536_000))
SITE = Distribution(
    "Site",
    "E1",
    "d1.cloudfront.net",
    {"web": Origin("web", "web.example", CustomOrigin())},
    BEHAVIOR,
)
HOST = Headers([("Host", "site.example")])


async def _chunks() -> AsyncIterator[bytes]:
    yield b"x"


def ask(
    method: str = "GET",
    *,
    policy: str = "allow-all",
    allowed: tuple[str, ...] = ALL,
    scheme: Any = "http",
    version: str = "1.1",
    country: str = "",
    geo: GeoRestriction | None = None,
    body: Body = EMPTY_BODY,
    headers: Headers = HOST,
    query: str | None = None,
) -> Admitted | Refused:
    behavior = replace(
        BEHAVIOR, viewer_protocol_policy=ViewerProtocolPolicy(policy), allowed_methods=allowed
    )
    viewer = Viewer("192.0.2.7", scheme=scheme, country=country)
    request = Request(method, "/a%20b", query, version, headers, body, viewer)
    site = replace(SITE, geo_restriction=geo or GeoRestriction())
    return admit(site, behavior, request, ID, now=0)


def refused(*arguments: Any, **options: Any) -> Refused:
    answer = ask(*arguments, **options)
    assert isinstance(answer, Refused)
    return answer


def text_of(answer: Refused) -> str:
    assert isinstance(answer.response.body, BytesBody)
    return answer.response.body.data.decode()


class TestProtocol:
    @pytest.mark.rule("CDN-VPP-01")
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_allow_all(self, scheme: str) -> None:
        assert ask(scheme=scheme) == Admitted()

    @pytest.mark.parametrize("policy", ["https-only", "redirect-to-https"])
    def test_https_is_always_welcome(self, policy: str) -> None:
        assert ask(scheme="https", policy=policy) == Admitted()

    @pytest.mark.rule("CDN-VPP-02", "CDN-VPP-03")
    def test_https_only(self) -> None:
        answer = refused(policy="https-only")
        assert answer.response.status == 403
        assert "\nBad request.\n" in text_of(answer)
        assert "https-only" in answer.why

    @pytest.mark.rule("CDN-VPP-04")
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("version", ["1.0", "1.1", "2.0"])
    @pytest.mark.parametrize(("query", "tail"), [(None, ""), ("", "?"), ("b=c%20d", "?b=c%20d")])
    def test_reading_is_redirected_with_301(
        self, method: str, version: str, query: str | None, tail: str
    ) -> None:
        answer = refused(method, policy="redirect-to-https", version=version, query=query)
        assert answer.response.status == 301
        assert answer.response.headers.get("Location") == f"https://site.example/a%20b{tail}"

    @pytest.mark.rule("CDN-VPP-05")
    @pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "POST", "PUT"])
    @pytest.mark.parametrize("version", ["1.1", "2.0"])
    def test_writing_is_redirected_with_307(self, method: str, version: str) -> None:
        answer = refused(method, policy="redirect-to-https", version=version)
        assert answer.response.status == 307
        assert answer.response.headers.get("Location") == "https://site.example/a%20b"

    @pytest.mark.rule("CDN-VPP-06", "CDN-VER-04")
    @pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "POST", "PUT"])
    def test_but_not_over_http_1_0(self, method: str) -> None:
        answer = refused(method, policy="redirect-to-https", version="1.0")
        assert answer.response.status == 403
        assert answer.result_type == "Error"

    @pytest.mark.rule("CDN-VPP-07")
    def test_the_redirect_s_result_type(self) -> None:
        answer = refused(policy="redirect-to-https")
        assert (answer.result_type, answer.detailed_result_type) == ("Redirect", "Redirect")

    def test_without_a_host_the_redirect_leads_to_the_distribution(self) -> None:
        answer = refused(policy="redirect-to-https", version="1.0", headers=Headers())
        assert answer.response.headers.get("Location") == "https://d1.cloudfront.net/a%20b"


class TestMethods:
    @pytest.mark.rule("CDN-MTH-01")
    @pytest.mark.parametrize("allowed", [READ, (*READ, "OPTIONS"), ALL])
    def test_those_of_the_set_enter_and_no_others(self, allowed: tuple[str, ...]) -> None:
        entered = {method for method in ALL if ask(method, allowed=allowed) == Admitted()}
        assert entered == set(allowed)

    @pytest.mark.rule("CDN-MTH-02", "CDN-GEN-12")
    def test_the_others_get_403_and_are_told_why(self) -> None:
        answer = refused("POST", allowed=READ)
        assert answer.response.status == 403
        assert "is not configured to allow the HTTP request method" in text_of(answer)
        assert "supports only cachable requests" in text_of(answer)
        assert answer.result_type == "Error"
        assert answer.detailed_result_type == "InvalidRequestMethod"
        assert answer.why == "POST is not among AllowedMethods GET, HEAD"


class TestBodies:
    @pytest.mark.rule("CDN-REQ-06")
    @pytest.mark.parametrize(
        "body", [BytesBody(b"x"), StreamBody(_chunks(), 1), StreamBody(_chunks())]
    )
    def test_a_get_has_none(self, body: Body) -> None:
        answer = refused(body=body)
        assert answer.response.status == 403
        assert "\nBad request.\n" in text_of(answer)
        assert "CDN-REQ-06" in answer.why

    @pytest.mark.rule("CDN-REQ-07")
    def test_a_length_of_zero_is_none(self) -> None:
        headers = HOST.with_added("Content-Length", "0")
        assert ask(headers=headers, body=BytesBody(b"")) == Admitted()

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_others_may_have_one(self, method: str) -> None:
        assert ask(method, body=BytesBody(b"x")) == Admitted()


class TestCountries:
    @pytest.mark.rule("CDN-GEO-01")
    @pytest.mark.parametrize(
        ("kind", "entered"), [("whitelist", {"DE"}), ("blacklist", {"FR"}), ("none", {"DE", "FR"})]
    )
    def test_who_may_enter(self, kind: str, entered: set[str]) -> None:
        geo = GeoRestriction(kind, frozenset({"DE", "AT"}))
        assert {c for c in ("DE", "FR") if ask(country=c, geo=geo) == Admitted()} == entered

    @pytest.mark.rule("CDN-GEO-02", "CDN-GEN-13")
    def test_the_others_get_403_and_are_told_why(self) -> None:
        answer = refused(country="FR", geo=GeoRestriction("whitelist", frozenset({"DE"})))
        assert answer.response.status == 403
        assert "is configured to block access from your country" in text_of(answer)
        assert (answer.result_type, answer.detailed_result_type) == ("Error", "ClientGeoBlocked")

    @pytest.mark.rule("CDN-GEO-03")
    def test_who_comes_from_nowhere_may_enter(self) -> None:
        assert ask(country="", geo=GeoRestriction("whitelist", frozenset({"DE"}))) == Admitted()


@pytest.mark.rule("CDN-BEH-05")
def test_a_distribution_that_is_disabled_is_as_good_as_unknown() -> None:
    request = Request("GET", "/", headers=HOST, viewer=Viewer("192.0.2.7", scheme="https"))
    answer = admit(replace(SITE, enabled=False), BEHAVIOR, request, ID, now=0)
    assert isinstance(answer, Refused)
    assert answer.response.status == 403
    assert "\nBad request.\n" in text_of(answer)


@pytest.mark.rule("CDN-BEH-06")
@pytest.mark.parametrize(
    ("via", "enters"),
    [
        ([], True),
        (["1.1 proxy", "1.1 varnish", "1.1 squid"], True),
        (["1.1 a.cloudfront.net (CloudFront)"], True),
        (["1.1 a.cloudfront.net (CloudFront), 1.1 b.cloudfront.net (CloudFront)"], False),
        (["1.1 a.cloudfront.net (CloudFront)", "2.0 b.cloudfront.net (CloudFront)"], False),
    ],
)
def test_at_most_two_distributions_in_a_row(via: list[str], enters: bool) -> None:
    headers = Headers([*HOST, *(("Via", value) for value in via)])
    assert (ask(headers=headers) == Admitted()) == enters
    if not enters:
        assert refused(headers=headers).response.status == 403


@pytest.mark.rule("CDN-BEH-30")
def test_the_order_of_the_checks() -> None:
    """Each mends what the one before complained of; what is left complains next."""
    wrong: dict[str, Any] = {
        "method": "GET",
        "policy": "https-only",
        "allowed": ("HEAD",),
        "body": BytesBody(b"x"),
        "country": "FR",
        "geo": GeoRestriction("blacklist", frozenset({"FR"})),
    }
    whys = []
    for mended in ({}, {"scheme": "https"}, {"allowed": READ}, {"body": EMPTY_BODY}):
        wrong |= mended
        whys.append(refused(**wrong).detailed_result_type)
    assert whys == ["InvalidRequest", "InvalidRequestMethod", "InvalidRequest", "ClientGeoBlocked"]
    assert ask(**wrong | {"country": "DE"}) == Admitted()
