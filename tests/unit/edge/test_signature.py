"""CloudFront's own headers are on every response, whoever made it."""

import re

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.edge.pages import error_page
from edgeproxy.edge.signature import Identity, refusals, signed
from edgeproxy.http.body import BytesBody
from edgeproxy.http.dates import parse_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response

ID = "A" * 54 + "=="
NOW = 1_795_233_032.0
IDENTITY = Identity(via_host="0123456789abcdef" * 2 + ".cloudfront.net")
VIA = "1.1 0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)"


def sign(*lines: tuple[str, str], result_type: str = "Hit") -> Headers:
    return signed(Response(200, Headers(lines)), result_type, IDENTITY, NOW, ID).headers


@pytest.mark.rule("CDN-RSP-01")
def test_what_is_added() -> None:
    assert sign().lines() == [
        ("Date", "Sat, 21 Nov 2026 03:50:32 GMT"),
        ("X-Cache", "Hit from cloudfront"),
        ("Via", VIA),
        ("X-Amz-Cf-Pop", "SEA19-C1"),
        ("X-Amz-Cf-Id", ID),
    ]


@pytest.mark.rule("LE-ERR-05")
@pytest.mark.parametrize("result_type", ["Miss", "Error", "LambdaExecutionError", "Redirect"])
def test_x_cache_names_the_result_type(result_type: str) -> None:
    assert sign(result_type=result_type).get("X-Cache") == f"{result_type} from cloudfront"


@pytest.mark.rule("CDN-RSP-01")
def test_what_the_origin_said_of_the_same_name_is_replaced() -> None:
    headers = sign(
        ("x-cache", "HIT from squid"),
        ("X-Cache", "second"),
        ("X-Amz-Cf-Id", "theirs"),
        ("x-amz-cf-pop", "X"),
    )
    assert headers.get_all("X-Cache") == ["Hit from cloudfront"]
    assert headers.get_all("X-Amz-Cf-Id") == [ID]
    assert headers.get_all("X-Amz-Cf-Pop") == ["SEA19-C1"]


@pytest.mark.rule("CDN-RSP-02")
@pytest.mark.parametrize(
    ("earlier", "via"),
    [
        ([], VIA),
        (["1.1 varnish"], f"1.1 varnish, {VIA}"),
        (["1.0 a", "1.1 b"], f"1.0 a, 1.1 b, {VIA}"),
    ],
)
def test_via_comes_after_the_origin_s_own(earlier: list[str], via: str) -> None:
    assert sign(*(("Via", value) for value in earlier)).get_all("Via") == [via]


@pytest.mark.rule("CDN-RSP-02")
def test_the_edge_s_host_has_32_hexadecimal_digits() -> None:
    assert re.fullmatch(r"1\.1 [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)", Identity().via("1.1"))


@pytest.mark.rule("CDN-RSP-03")
def test_the_edge_s_name() -> None:
    assert re.fullmatch(r"[A-Z]{3}\d+-[A-Z]\d+", Identity().pop)


@pytest.mark.rule("CDN-RSP-09")
def test_the_origin_s_server_and_date_stay() -> None:
    headers = sign(("Server", "nginx"), ("Date", "Fri, 20 Nov 2026 00:00:00 GMT"))
    assert headers.get_all("Server") == ["nginx"]
    assert headers.get_all("Date") == ["Fri, 20 Nov 2026 00:00:00 GMT"]


@pytest.mark.rule("CDN-RSP-10")
def test_an_origin_without_them_gets_a_date_and_no_server() -> None:
    assert sign().get("Date") == "Sat, 21 Nov 2026 03:50:32 GMT"
    assert "Server" not in sign()


@pytest.mark.rule("CDN-GEN-01", "CDN-RSP-09", "LE-ERR-08")
def test_a_page_of_cloudfront_s_own_has_all_its_headers() -> None:
    page = signed(error_page(502, "Bad.", ID), "LambdaValidationError", IDENTITY, NOW, ID)
    assert dict(page.headers) == {
        "Server": "CloudFront",
        "Content-Type": "text/html",
        "Date": "Sat, 21 Nov 2026 03:50:32 GMT",
        "X-Cache": "LambdaValidationError from cloudfront",
        "Via": VIA,
        "X-Amz-Cf-Pop": "SEA19-C1",
        "X-Amz-Cf-Id": ID,
    }


class TestRefusals:
    @pytest.mark.rule("CDN-GEN-11")
    def test_a_signed_page_that_keeps_the_detail_to_itself(self) -> None:
        clock = Clock()
        told: list[str] = []
        refuse = refusals(IDENTITY, clock, Chance(), told.append)
        page = refuse(400, "Bad Request", "a secret detail")
        assert told == ["400 a secret detail"]
        assert isinstance(page.body, BytesBody)
        text = page.body.data.decode()
        assert page.status == 400
        assert page.reason == "Bad Request"
        assert page.headers.get("X-Cache") == "Error from cloudfront"
        assert "\nBad request.\n" in text
        assert "secret" not in text
        assert "x-edgeproxy-why" not in page.headers
        date = parse_date(page.headers.get("Date"))
        assert date == pytest.approx(clock.now(), abs=5)

    @pytest.mark.rule("CDN-GEN-03")
    def test_the_page_shows_the_id_of_its_headers_and_each_has_its_own(self) -> None:
        refuse = refusals(IDENTITY, Clock(), Chance(), lambda text: None)
        pages = [refuse(400, "", ""), refuse(400, "", "")]
        ids = [page.headers.get("X-Amz-Cf-Id") for page in pages]
        assert ids[0] != ids[1]
        for page, request_id in zip(pages, ids, strict=True):
            assert isinstance(page.body, BytesBody)
            assert f"Request ID: {request_id}\n" in page.body.data.decode()

    @pytest.mark.rule("CDN-REQ-08")
    @pytest.mark.parametrize("status", [501, 505])
    def test_an_unknown_coding_or_version_is_an_error_of_syntax(self, status: int) -> None:
        page = refusals(IDENTITY, Clock(), Chance(), lambda text: None)(status, "Not this", "why")
        assert (page.status, page.reason) == (400, "Bad Request")

    def test_who_sends_a_bad_header_of_the_local_edge_is_told_why(self) -> None:
        why = "x-edgeproxy-viewer-ip is not an IP address"
        page = refusals(IDENTITY, Clock(), Chance(), lambda text: None)(400, "", why)
        assert page.headers.get("x-edgeproxy-why") == why

    def test_the_listener_reports_its_own_failures_itself(self) -> None:
        told: list[str] = []
        refusals(IDENTITY, Clock(), Chance(), told.append)(500, "", "the handler failed")
        assert told == []
