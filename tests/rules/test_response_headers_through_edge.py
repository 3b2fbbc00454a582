"""What a response headers policy makes of answers, through a whole edge."""

import re
import socket

import pytest
from aiohttp.abc import AbstractResolver

from edgeproxy.clock import Clock
from tests.support.delivery import CORS, response_headers_policy
from tests.support.origin import Answer

SECURITY = "67f7725c-6f97-4210-82d7-5512b31e9d03"
PREFLIGHT = {
    "Origin": "https://a.example",
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "x-amz-a, x-other, authorization",
}


def security(name, **config):
    return response_headers_policy(SecurityHeadersConfig={name: {"Override": True, **config}})


@pytest.mark.rule("CDN-RHP-18")
@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ({}, "max-age=31536000"),
        ({"IncludeSubdomains": True}, "max-age=31536000; includeSubDomains"),
        ({"Preload": True}, "max-age=31536000; preload"),
        (
            {"IncludeSubdomains": True, "Preload": True},
            "max-age=31536000; includeSubDomains; preload",
        ),
        ({"IncludeSubdomains": False, "Preload": False}, "max-age=31536000"),
    ],
)
def test_strict_transport_security(deliver, flags, value):
    policy = security("StrictTransportSecurity", AccessControlMaxAgeSec=31536000, **flags)
    response = deliver({"respond": policy}).get("/p")
    assert response.headers.get_all("Strict-Transport-Security") == [value]


@pytest.mark.rule("CDN-RHP-19", "CDN-RHP-20")
@pytest.mark.parametrize(
    ("name", "config", "header", "value"),
    [
        ("XSSProtection", {"Protection": False}, "X-XSS-Protection", "0"),
        ("XSSProtection", {"Protection": True}, "X-XSS-Protection", "1"),
        ("XSSProtection", {"Protection": True, "ModeBlock": True}, "X-XSS-Protection",
         "1; mode=block"),
        ("XSSProtection", {"Protection": True, "ReportUri": "/r"}, "X-XSS-Protection",
         "1; report=/r"),
        ("ContentTypeOptions", {}, "X-Content-Type-Options", "nosniff"),
        ("FrameOptions", {"FrameOption": "DENY"}, "X-Frame-Options", "DENY"),
        ("FrameOptions", {"FrameOption": "SAMEORIGIN"}, "X-Frame-Options", "SAMEORIGIN"),
        ("ReferrerPolicy", {"ReferrerPolicy": "origin-when-cross-origin"}, "Referrer-Policy",
         "origin-when-cross-origin"),
        ("ContentSecurityPolicy", {"ContentSecurityPolicy": "default-src 'self'"},
         "Content-Security-Policy", "default-src 'self'"),
    ],
)  # fmt: skip
def test_security_headers(deliver, origin, name, config, header, value):
    origin.answer = Answer(headers={header: "the origin's"})
    assert deliver({"respond": security(name, **config)}).get("/p").headers.get_all(header) == [
        value
    ]


@pytest.mark.rule("CDN-RHP-01", "CDN-RHP-02", "CDN-RHP-03", "CDN-RHP-21", "CDN-RHP-22")
@pytest.mark.rule("CDN-RHP-24")
def test_one_stored_object_and_what_every_answer_from_it_shows(deliver, origin):
    origin.answer = Answer(
        headers={
            "Cache-Control": "max-age=60", "ETag": '"e"', "X-Gone": "1", "X-Both": "origin",
            "Set-Cookie": "o=1", "Server": "nginx", "Content-Security-Policy": "origin",
        }
    )  # fmt: skip
    added = [
        {"Header": "Cache-Control", "Value": "no-store", "Override": True},
        {"Header": "Set-Cookie", "Value": "p=1", "Override": True},
        {"Header": "X-Both", "Value": "", "Override": False},
    ]
    removed = ["X-Gone", "x-both", "Server", "Date"]
    csp = {"ContentSecurityPolicy": "policy", "Override": False}
    policy = response_headers_policy(
        CustomHeadersConfig={"Items": added},
        RemoveHeadersConfig={"Items": [{"Header": name} for name in removed]},
        SecurityHeadersConfig={"ContentSecurityPolicy": csp},
    )
    site = deliver({"respond": policy})
    answers = [
        site.get("/p"),
        site.get("/p"),
        site.request("HEAD", "/p"),
        site.get("/p", headers={"Range": "bytes=0-1"}),
        site.get("/p", headers={"If-None-Match": '"e"'}),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 206, 304]
    assert len(origin.got) == 1  # the browser's no-store is not CloudFront's
    for headers in (answer.headers for answer in answers):
        assert "X-Gone" not in headers
        assert headers.get_all("Cache-Control") == ["no-store"]
        assert headers.get_all("Set-Cookie") == ["p=1"]
        assert headers.get_all("X-Both") == [""]
        assert headers.get_all("Server") == ["CloudFront"]
        assert len(headers.get_all("Date")) == 1
    assert answers[1].headers.get_all("Content-Security-Policy") == ["origin"]


@pytest.mark.rule("CDN-RHP-08", "CDN-MP-01")
def test_a_preflight_under_simple_cors_is_told_the_origin_alone(deliver, origin):
    answer = deliver({"respond": CORS}).request("OPTIONS", "/p", headers=PREFLIGHT)
    told = [line for line in answer.headers if line[0].lower().startswith("access-control")]
    assert told == [("Access-Control-Allow-Origin", "*")]


@pytest.mark.rule("CDN-RHP-04", "CDN-RHP-05", "CDN-RHP-08", "CDN-RHP-10", "CDN-RHP-14")
@pytest.mark.rule("CDN-RHP-15", "CDN-RHP-16", "CDN-RHP-17")
@pytest.mark.parametrize("overrides", [True, False])
def test_cors_in_full(deliver, origin, overrides):
    cors = {
        "AccessControlAllowOrigins": {"Items": ["https://a.example", "*.b.example"]},
        "AccessControlAllowHeaders": {"Items": ["x-amz-*", "Authorization"]},
        "AccessControlAllowMethods": {"Items": ["GET", "PUT"]},
        "AccessControlExposeHeaders": {"Items": ["x-e", "x-f"]},
        "AccessControlAllowCredentials": True,
        "AccessControlMaxAgeSec": 7,
        "OriginOverride": overrides,
    }
    site = deliver({"respond": response_headers_policy(CorsConfig=cors)})
    preflight = site.request("OPTIONS", "/p", headers=PREFLIGHT).headers
    told = {n.lower(): v for n, v in preflight if n.lower().startswith(("access-control", "vary"))}
    always = {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-e, x-f",
        "vary": "Origin",
    }
    assert told == always | {
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-amz-a, Authorization",
        "access-control-max-age": "7",
    }
    origin.answer = Answer(headers={"Access-Control-Max-Age": "1", "X-O": "1"})
    simple = site.get("/p", headers={"Origin": "https://a.example"}).headers
    told = {n.lower(): v for n, v in simple if n.lower().startswith(("access-control", "vary"))}
    own = {"access-control-max-age": "1"}
    assert told == (always | own if overrides else own)
    for stranger in ("https://b.example", "http://a.example", "https://a.example.evil", "null"):
        refused = site.get("/q", headers={"Origin": stranger}).headers
        assert "Access-Control-Allow-Origin" not in refused
        assert "Access-Control-Allow-Credentials" not in refused
    echoed = site.get("/q", headers={"Origin": "http://x.y.b.example:81"}).headers
    assert echoed.get("Access-Control-Allow-Origin") == (
        "http://x.y.b.example:81" if overrides else ""
    )


@pytest.mark.rule("CDN-RHP-01", "CDN-RHP-26", "CDN-RHP-27")
def test_errors_have_the_headers_and_redirects_have_not(deliver, origin):
    site = deliver(
        {"respond": SECURITY},
        {"/get/*": {"respond": SECURITY, "AllowedMethods": ["GET", "HEAD"]},
         "/tls/*": {"respond": SECURITY, "ViewerProtocolPolicy": "redirect-to-https"}},
    )  # fmt: skip
    origin.answer = Answer(500)
    statuses = {"/p": 500, "/get/p": 403, "/tls/p": 307}
    for path, status in statuses.items():
        answer = site.request("DELETE", path)
        assert answer.status == status
        shown = "nosniff" if status != 307 else ""
        assert answer.headers.get("X-Content-Type-Options") == shown


METRIC = re.compile(r'(?:cdn-)?([a-z-]+)(?:;(dur)=\d+|;(desc)="[^"]*")?')


def names(response):
    """The metrics' names in order, with what they tell."""
    timing = response.headers.get_all("Server-Timing")
    assert len(timing) == 1
    matches = [METRIC.fullmatch(metric) for metric in timing[0].split(",")]
    return [" ".join(filter(None, match.groups())) if match else "?" for match in matches]


@pytest.mark.rule("CDN-ST-03", "CDN-ST-04", "CDN-ST-05", "CDN-ST-10", "CDN-ST-11")
def test_the_order_of_metrics(deliver, origin, shared):
    origin.answer = Answer(
        headers={"Cache-Control": "max-age=60", "ETag": '"e"', "Server-Timing": "db;dur=5"}
    )
    config = {"Enabled": True, "SamplingRate": 100}
    site = deliver({"respond": response_headers_policy(ServerTimingHeadersConfig=config)})
    miss, hit = site.get("/p"), site.get("/p")
    shared.clock.advance(minutes=2)
    origin.answer = Answer(304)
    refreshed = site.get("/p")
    upstream = ["upstream-dns dur", "upstream-connect dur", "upstream-fbl dur"]
    common = ["pop desc", "rid desc"]
    assert names(miss) == [
        "db dur", "upstream-layer desc", *upstream, "cache-miss", *common, "downstream-fbl dur",
    ]  # fmt: skip
    assert names(hit) == ["cache-hit", *common, "hit-layer desc", "downstream-fbl dur"]
    assert names(refreshed) == [*upstream, "cache-refresh", *common, "downstream-fbl dur"]


@pytest.mark.rule("CDN-ST-08", "CDN-ST-09")
def test_where_the_time_of_a_fetch_goes(deliver, origin, monkeypatch):
    waited_s, monotonic = 0, Clock.monotonic
    monkeypatch.setattr(Clock, "monotonic", staticmethod(lambda: monotonic() + waited_s))

    class SlowNames(AbstractResolver):
        """Knows one address, after a while."""

        async def resolve(self, host, port=0, family=socket.AF_INET):
            nonlocal waited_s
            waited_s += 60
            return [
                {"hostname": host, "host": "127.0.0.1", "port": port, "family": family,
                 "proto": 0, "flags": socket.AI_NUMERICHOST}
            ]  # fmt: skip

        async def close(self):
            """Nothing to close."""

    monkeypatch.setattr("edgeproxy.origins.names.DefaultResolver", SlowNames)
    waits = iter((0, 200))

    def slow(got):
        nonlocal waited_s
        waited_s += next(waits)
        return Answer()

    origin.answer = slow
    config = {"Enabled": True, "SamplingRate": 100}
    site = deliver(
        {"respond": response_headers_policy(ServerTimingHeadersConfig=config)},
        at={"web": origin.url.replace("127.0.0.1", "slow.test")},
    )

    def durations(path):
        timing = site.get(path).headers.get("Server-Timing")
        return {name: int(ms) for name, ms in re.findall(r"cdn-([a-z-]+);dur=(\d+)", timing)}

    first, second = durations("/1"), durations("/2")
    assert first["upstream-dns"] >= 60_000 > first["upstream-fbl"]
    assert 60_000 > first["upstream-connect"] >= 1
    upstream = first["upstream-dns"] + first["upstream-fbl"]
    assert first["downstream-fbl"] >= upstream - 1  # each is rounded
    # The connection is reused, so there is nothing to look up either.
    assert (second["upstream-dns"], second["upstream-connect"]) == (0, 0)
    assert second["downstream-fbl"] >= second["upstream-fbl"] >= 200_000


@pytest.mark.rule("CDN-MP-01", "CDN-RHP-08")
@pytest.mark.parametrize(
    "policy_id", ["5cc3b908-e619-4b99-88e5-2cf7f45965bd", "eaab4381-ed33-4a86-88ca-d9558dc6cd63"]
)
def test_aws_s_policies_with_preflight(deliver, policy_id):
    site = deliver({"respond": policy_id})

    def cors(method, **headers):
        answer = site.request(method, "/p", headers=headers)
        found = {name: value for name, value in answer.headers if name.startswith("Access-Control")}
        return {name.removeprefix("Access-Control-"): value for name, value in found.items()}

    methods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    whole = {"Allow-Origin": "*", "Expose-Headers": "*", "Allow-Methods": methods}
    assert cors("OPTIONS", **PREFLIGHT) == whole
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        assert cors(method, Origin="https://a.example") == {"Allow-Origin": "*"}
        assert cors(method) == {}
