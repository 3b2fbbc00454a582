"""Which of the four events run, and whose values count where a function changes one."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.delivery import cache_policy, error_page, origin_request_policy, raw
from tests.support.edge_functions import (
    EVENTS,
    REQUESTS,
    all_four,
    header,
    policies,
    ran,
    telling,
    told,
    x_cache,
)
from tests.support.origin import Answer
from tests.support.templates import CACHING_OPTIMIZED, distribution_template

FRESH = Answer(headers={"Cache-Control": "max-age=60"})


def custom(name: str) -> dict[str, Any]:
    config = {"OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": f"{name}.example.com", "CustomOriginConfig": config}


def at(pattern: str, origin_id: str = "web") -> dict[str, Any]:
    """A behavior without functions."""
    return {
        "PathPattern": pattern,
        "TargetOriginId": origin_id,
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": CACHING_OPTIMIZED,
    }


# What the origin answers


@pytest.mark.rule("LE-TRIG-05", "LE-TRIG-08", "LE-TRIG-11", "LE-EVT-21")
def test_origin_response_sees_every_status_and_viewer_response_those_under_400(
    serve_lambda, origin
):
    origin.answer = lambda got: Answer(int(got.target[1:]), {"Location": "/x"})
    site = serve_lambda(all_four())
    for status in (200, 201, 204, 206, 300, 301, 302, 304, 307, 399, 400, 403, 404, 500, 503, 599):
        assert site.get(f"/{status}").status == status
        assert ran(site) == list(EVENTS if status < 400 else EVENTS[:3])
        assert {event["response"]["status"] for _, event in told(site) if "response" in event} == {
            str(status)
        }


@pytest.mark.rule("LE-TRIG-13")
def test_a_cached_error_that_has_expired_runs_the_origin_events_again(serve_lambda, origin, shared):
    origin.answer = Answer(503)
    site = serve_lambda(all_four())
    for _ in range(2):
        assert site.get("/").status == 503
        assert ran(site) == list(EVENTS[:3])
        assert site.get("/").status == 503
        assert ran(site) == ["viewer-request"]
        shared.clock.advance(seconds=11)


@pytest.mark.rule("LE-TRIG-14")
def test_the_viewer_s_events_run_once_in_a_failover(shared, origin, tmp_path):
    group = {
        "Id": "pair",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "one"}, {"OriginId": "two"}]},
    }
    path = distribution_template(
        tmp_path,
        all_four(),
        behavior={"TargetOriginId": "pair"},
        distribution={
            "Origins": [custom("one"), custom("two")],
            "OriginGroups": {"Quantity": 1, "Items": [group]},
        },
    )
    statuses = iter((503, 200))
    origin.answer = lambda got: Answer(next(statuses))
    site = shared.serve(path, origins={"one": origin.url, "two": origin.url})
    assert site.get("/").status == 200
    assert ran(site) == [EVENTS[0], *EVENTS[1:3], *EVENTS[1:3], EVENTS[3]]


# What CloudFront answers


@pytest.mark.rule("LE-TRIG-16")
@pytest.mark.parametrize(
    ("more", "method", "asked"),
    [
        pytest.param({"behavior": {"AllowedMethods": ["GET", "HEAD"]}}, "POST", {}, id="method"),
        pytest.param(
            {
                "distribution": {
                    "Restrictions": {
                        "GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["FR"]}
                    }
                }
            },
            "GET",
            {"headers": {"x-edgeproxy-viewer-country": "FR"}},
            id="country",
        ),
        pytest.param(
            {"behavior": {"ViewerProtocolPolicy": "https-only"}}, "GET", {}, id="https only"
        ),
        pytest.param({}, "GET", {"body": b"x"}, id="GET with a body"),
    ],
)
def test_a_refused_request_runs_no_function(serve_lambda, origin, more, method, asked):
    site = serve_lambda(all_four(), **more)
    assert x_cache(site.request(method, "/", **asked)) == (403, "Error")
    assert ran(site) == []
    assert origin.got == []


@pytest.mark.rule("LE-TRIG-16")
@pytest.mark.parametrize(
    "cookies",
    [
        {},
        {"Cookie": "CloudFront-Policy=e30_; CloudFront-Signature=AAAA; CloudFront-Key-Pair-Id=K1"},
    ],
    ids=["missing", "invalid"],
)
def test_a_request_without_a_valid_signature_runs_no_function(serve_lambda, origin, cookies):
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    resources = {
        "Key": {
            "Type": "AWS::CloudFront::PublicKey",
            "Properties": {
                "PublicKeyConfig": {"Name": "key", "CallerReference": "1", "EncodedKey": pem}
            },
        },
        "Group": {
            "Type": "AWS::CloudFront::KeyGroup",
            "Properties": {"KeyGroupConfig": {"Name": "group", "Items": [{"Ref": "Key"}]}},
        },
    }
    behavior = {"TrustedKeyGroups": [{"Ref": "Group"}]}
    site = serve_lambda(all_four(), resources=resources, behavior=behavior)
    assert x_cache(site.get("/", headers=cookies)) == (403, "Error")
    assert ran(site) == []
    assert origin.got == []


@pytest.mark.rule("LE-TRIG-02", "LE-TRIG-09")
@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 307)])
def test_the_redirect_to_https_runs_no_function_for_any_method(
    serve_lambda, origin, method, status
):
    site = serve_lambda(all_four(), behavior={"ViewerProtocolPolicy": "redirect-to-https"})
    assert x_cache(site.request(method, "/")) == (status, "Redirect")
    assert ran(site) == []
    assert origin.got == []


@pytest.mark.rule("LE-TRIG-17", "LE-TRIG-03")
@pytest.mark.parametrize(
    ("asked", "page", "expected"),
    [
        ("/a", "/other/404.html", EVENTS[:3]),
        ("/other/a", "/404.html", EVENTS[1:3]),
        ("/other/a", "/other/404.html", ()),
    ],
)
def test_an_error_page_is_fetched_with_the_functions_of_its_own_behavior(
    serve_lambda, origin, asked, page, expected
):
    origin.answer = lambda got: Answer(200 if got.target == page else 404)
    site = serve_lambda(
        all_four(),
        distribution={
            "CacheBehaviors": [at("/other/*")],
            "CustomErrorResponses": [error_page(404, page, 200)],
        },
    )
    assert site.get(asked).status == 200
    assert origin.targets == [asked, page]
    assert ran(site) == list(expected)


# Keys and behaviors


@pytest.mark.rule("LE-ORDER-02", "LE-URI-06")
@pytest.mark.parametrize("event", REQUESTS)
def test_no_function_s_uri_selects_a_behavior(shared, origin, tmp_path, event):
    change = "cf['request']['uri'] = '/api/x'"
    path = distribution_template(
        tmp_path,
        all_four(**{event.replace("-", "_"): change}),
        distribution={
            "Origins": [custom("web"), custom("api")],
            "CacheBehaviors": [at("/api/*", "api")],
        },
    )
    origin.answer = FRESH
    site = shared.serve(path, origins={"web": origin.url, "api": "http://127.0.0.1:1"})
    assert site.get("/home").status == 200
    assert origin.targets == ["/api/x"]
    assert ran(site) == list(EVENTS)
    assert site.exchanges(1)[0].path_pattern == "*"


CHANGES = {
    "uri": "request['uri'] = '/b'",
    "querystring": "request['querystring'] = 'q=2'",
    "header": "request['headers']['x-a'] = [{'value': '2'}]",
    "cookie": "request['headers']['cookie'] = [{'value': 'c=2'}]",
    "not in the policy": "request['headers']['x-b'] = [{'value': '2'}]",
}


@pytest.mark.rule("LE-ORDER-03", "LE-ORDER-04", "LE-COOK-05")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize("changed", CHANGES)
def test_only_viewer_request_changes_the_key(serve_lambda, origin, event, changed):
    change = f"request = cf['request']\n    if 'x-change' in request['headers']: {CHANGES[changed]}"
    site = serve_lambda(
        {event: telling(event, change)},
        **policies(
            cache=cache_policy(headers="whitelist X-A", cookies="whitelist c", query="whitelist q"),
            forward=origin_request_policy("whitelist X-Change"),
        ),
    )
    asked = {"X-A": "1", "Cookie": "c=1"}
    if event == "origin-request":
        # The changed answer is under the key of the unchanged request.
        assert x_cache(site.get("/a?q=1", headers=asked | {"X-Change": "1"})) == (200, "Miss")
        assert x_cache(site.get("/a?q=1", headers=asked)) == (200, "Hit")
        return
    assert x_cache(site.get("/a?q=1", headers=asked)) == (200, "Miss")
    again = x_cache(site.get("/a?q=1", headers=asked | {"X-Change": "1"}))
    assert again == (200, "Hit" if changed == "not in the policy" else "Miss")


# What the events show


@pytest.mark.rule("LE-EVT-16", "LE-EVT-22", "LE-EVT-01")
def test_the_members_of_the_four_events(serve_lambda):
    site = serve_lambda(all_four())
    assert site.get("/").status == 200
    request = {"clientIp", "method", "uri", "querystring", "headers"}
    response = {"status", "statusDescription", "headers"}
    for name, event in told(site):
        at_origin = name in ("origin-request", "origin-response")
        assert event["request"].keys() == request | ({"origin"} if at_origin else set())
        assert event.get("response", {}).keys() == (set() if name in REQUESTS else response)


@pytest.mark.rule("LE-EVT-06", "LE-EVT-13")
def test_the_peer_is_the_client_whatever_a_proxy_says_of_others(serve_lambda, origin):
    site = serve_lambda(all_four(), **policies(forward=origin_request_policy()))
    sent = {"X-Forwarded-For": "203.0.113.9", "x-edgeproxy-viewer-ip": "2001:db8::1"}
    assert site.get("/", headers=sent).status == 200
    seen = [event["request"] for _, event in told(site)]
    assert {request["clientIp"] for request in seen} == {"2001:db8::1"}
    assert header(seen[0], "x-forwarded-for") == ["203.0.113.9"]
    assert header(seen[1], "x-forwarded-for") == ["203.0.113.9, 2001:db8::1"]


@pytest.mark.rule("LE-EVT-13")
@pytest.mark.parametrize(
    ("forwarded", "shown"), [("none", "Amazon CloudFront"), ("whitelist User-Agent", "mine")]
)
def test_the_user_agent_that_origin_request_sees(serve_lambda, origin, forwarded, shown):
    site = serve_lambda(all_four(), **policies(forward=origin_request_policy(forwarded)))
    assert site.get("/", headers={"User-Agent": "mine"}).status == 200
    assert [header(event["request"], "user-agent") for _, event in told(site)] == [
        ["mine"],
        [shown],
        [shown],
        ["mine"],
    ]
    assert origin.got[0].header("User-Agent") == shown


@pytest.mark.rule("LE-URI-08", "LE-URI-09")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize("changes", [False, True])
def test_a_url_that_is_not_utf_8(serve_lambda, raw_origin, event, changes):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    change = "cf['request']['uri'] += '!'; cf['request']['querystring'] += '!'" if changes else ""
    site = serve_lambda(
        {event: telling(event, change)},
        at=raw_origin.url,
        **policies(forward=origin_request_policy(query="all")),
    )
    head = b"GET /caf\xe9?q=\xe9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert raw(site, head).startswith(b"HTTP/1.1 200")
    seen = told(site)[0][1]["request"]
    assert (seen["uri"], seen["querystring"]) == ("/caf\xe9", "q=\xe9")
    line = raw_origin.heads[0].split(b"\r\n")[0]
    url = b"/caf\xc3\xa9!?q=\xc3\xa9!" if changes else b"/caf\xe9?q=\xe9"
    assert line == b"GET " + url + b" HTTP/1.1"


# Headers


@pytest.mark.rule("LE-HDR-20")
def test_cloudfront_headers_are_edited_removed_and_added_at_the_origin(serve_lambda, origin):
    at_request = (
        "headers = cf['request']['headers'];"
        " headers['cloudfront-viewer-country'] = [{'value': 'XX'}];"
        " del headers['cloudfront-is-mobile-viewer'];"
        " headers['cloudfront-viewer-city'] = [{'value': 'Paris'}]"
    )
    at_response = "cf['response']['headers']['cloudfront-viewer-country'] = [{'value': 'YY'}]"
    names = "CloudFront-Viewer-Country CloudFront-Is-Mobile-Viewer"
    site = serve_lambda(
        all_four(origin_request=at_request, origin_response=at_response),
        **policies(forward=origin_request_policy(f"whitelist {names}")),
    )
    response = site.get("/", headers={"x-edgeproxy-viewer-country": "FR"})
    assert response.headers.get("CloudFront-Viewer-Country") == "YY"
    assert header(dict(told(site))["origin-request"]["request"], "cloudfront-viewer-country") == [
        "FR"
    ]
    [got] = origin.got
    assert got.header("CloudFront-Viewer-Country") == "XX"
    assert got.header("CloudFront-Is-Mobile-Viewer") is None
    assert got.header("CloudFront-Viewer-City") == "Paris"


@pytest.mark.rule("LE-HDR-26")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize(("past", "status"), [(0, 200), (1, 502)])
def test_the_last_byte_that_a_function_may_add_to_a_request(serve_lambda, event, past, status):
    # A line has four bytes besides its name and value; X-Amz-Cf-Id is there but not shown.
    hidden = len("X-Amz-Cf-Id") + 56 + 4 if event == "origin-request" else 0
    grow = (
        "lines = [(name, line['value']) for name, several in cf['request']['headers'].items()"
        " for line in several];"
        f" size = {len('GET /a HTTP/1.1') + 4} + sum(len(n + v) + 4 for n, v in lines) + {hidden};"
        f" cf['request']['headers']['x-a'] ="
        f" [{{'value': 'x' * (32_768 - size - len('x-a') - 4 + {past})}}]"
    )
    site = serve_lambda({event: telling(event, grow)})
    assert site.get("/a").status == status
    [run] = site.exchanges(1)[0].functions
    assert [finding.rule for finding in run.findings] == (["LE-HDR-26"] if past else [])
