"""Which errors are shown with the distribution's own page, and what the viewer then gets."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomErrorResponse,
    CustomOrigin,
    Distribution,
    Origin,
)
from edgeproxy.edge.custom_errors import ErrorPage, page_for, replace_page
from edgeproxy.edge.passage import Verdict
from edgeproxy.http.body import EMPTY_BODY, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.log_formats import Layout
from tests.unit.exchange.records import exchange

NOT_FOUND = CustomErrorResponse(404, 10, 200, "/index.html")
SITE = Distribution(
    "Site",
    "E1",
    "d1.cloudfront.net",
    {"web": Origin("web", "web.example", CustomOrigin())},
    Behavior("*", "web", CachePolicy("CachingOptimized", 1, 86_400, 31_536_000)),
    custom_error_responses={
        404: NOT_FOUND,
        403: replace(NOT_FOUND, error_code=403, response_page_path="/errors/403.html?from=edge"),
        500: CustomErrorResponse(500, 60),
        503: CustomErrorResponse(503, 10, None, "/503.html"),
    },
)
REQUEST = Request(
    "POST",
    "/missing",
    "x=1",
    "2.0",
    Headers(
        [
            ("Host", "site.example"),
            ("Cookie", "a=1"),
            ("Range", "bytes=0-1"),
            ("If-None-Match", '"x"'),
            ("Content-Length", "3"),
            ("Content-Type", "text/plain"),
        ]
    ),
    BytesBody(b"abc"),
    Viewer("192.0.2.7", country="DE"),
    "websocket",
)


def error(status: int, result_type: str = "Error") -> Verdict:
    return Verdict(Response(status), result_type, "", f"the origin answered {status}")


def page(status: int, result_type: str = "Error") -> ErrorPage | None:
    return page_for(SITE, REQUEST, error(status, result_type))


class TestWhich:
    @pytest.mark.parametrize("status", [400, 404, 503])
    def test_statuses_with_a_page(self, status: int) -> None:
        assert (page(status) is not None) == (status in (404, 503))

    @pytest.mark.rule("CDN-CEP-02")
    def test_an_entry_without_page_only_sets_the_time(self) -> None:
        assert page(500) is None

    @pytest.mark.rule("CDN-CEP-08", "LE-ERR-10")
    @pytest.mark.parametrize("result_type", ["CapacityExceeded", "LimitExceeded"])
    def test_errors_of_capacity_keep_cloudfront_s_page(self, result_type: str) -> None:
        assert page(503, result_type) is None

    @pytest.mark.rule("LE-ERR-10")
    def test_errors_of_functions_do_not(self) -> None:
        assert page(503, "LambdaExecutionError") is not None


class TestRequest:
    @pytest.mark.rule("CDN-CEP-04", "CDN-CEP-18")
    def test_it_is_a_get_for_the_page_by_the_same_viewer(self) -> None:
        wanted = page(404)
        assert wanted is not None
        assert wanted.entry is NOT_FOUND
        assert wanted.request == Request(
            "GET",
            "/index.html",
            None,
            "2.0",
            Headers([("Host", "site.example"), ("Cookie", "a=1")]),
            EMPTY_BODY,
            REQUEST.viewer,
        )

    def test_a_path_may_have_a_query(self) -> None:
        wanted = page(403)
        assert wanted is not None
        assert (wanted.request.path, wanted.request.query) == ("/errors/403.html", "from=edge")


class Closing:
    """A body that tells when it was given up."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"x"

    async def aclose(self) -> None:
        self.closed = True


class TestReplacing:
    async def replaced(self, status: int, fetched: Response, result_type: str = "Hit") -> Verdict:
        wanted = page(status)
        assert wanted is not None
        return await replace_page(wanted, error(status), Verdict(fetched, result_type))

    @pytest.mark.rule("CDN-CEP-11", "CDN-CEP-12", "CDN-CEP-16")
    async def test_status_of_the_entry_rest_of_the_page_result_of_the_error(self) -> None:
        headers = Headers([("Content-Type", "text/html"), ("ETag", '"1"'), ("Age", "7")])
        fetched = Response(200, headers, BytesBody(b"<p>"), reason="Fine")
        verdict = await self.replaced(404, fetched)
        assert verdict.response.status == 200
        assert verdict.response.reason == ""
        assert verdict.response.headers.get("ETag") == '"1"'
        assert verdict.response.headers.get("Content-Type") == "text/html"
        assert verdict.response.body is fetched.body
        assert verdict.result_type == "Error"
        assert verdict.why == (
            "the origin answered 404; shown with the custom error page /index.html"
        )

    @pytest.mark.rule("CDN-CEP-12")
    async def test_the_error_s_own_headers_and_body_are_gone(self) -> None:
        source = Closing()
        wanted = page(404)
        assert wanted is not None
        lost = Response(404, Headers([("X-Error", "1")]), StreamBody(source))
        verdict = await replace_page(wanted, Verdict(lost, "Error"), Verdict(Response(200), "Hit"))
        assert "X-Error" not in verdict.response.headers
        assert source.closed

    async def test_an_entry_without_status_keeps_the_error_s(self) -> None:
        verdict = await self.replaced(503, Response(200))
        assert verdict.response.status == 503

    @pytest.mark.rule("CDN-CEP-06")
    async def test_a_page_that_cannot_be_had(self) -> None:
        verdict = await self.replaced(404, Response(502), "Error")
        assert verdict.response.status == 502
        assert verdict.result_type == "Error"
        assert verdict.why == (
            "the origin answered 404; the error page /index.html could not be had"
        )

    @pytest.mark.rule("CDN-LOG-09")
    async def test_the_log_has_the_new_status_and_the_old_result(self) -> None:
        verdict = await self.replaced(404, Response(200))
        done = exchange(response=verdict.response, result_type=verdict.result_type)
        record = LogSource(lambda logical_id: None, "SEA19-C1").record(done)
        row = Layout(("sc-status", "x-edge-result-type")).row(record)
        assert row == ["200", "Error"]
