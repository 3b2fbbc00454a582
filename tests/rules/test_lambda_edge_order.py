"""When each event comes, and what its function sees then, through a whole edge."""

from typing import Any

import pytest

from tests.support.delivery import (
    CACHING_DISABLED,
    cache_policy,
    error_page,
    origin_request_policy,
    response_headers_policy,
)
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
from tests.support.templates import distribution_template

STAMPED = response_headers_policy(
    CustomHeadersConfig={"Items": [{"Header": "X-Policy", "Value": "p", "Override": True}]}
)


@pytest.mark.rule("LE-ORDER-01", "LE-ORDER-07", "LE-TRIG-20")
def test_the_order_of_a_miss_and_of_a_hit(serve_lambda, origin):
    site = serve_lambda(
        all_four(
            viewer_request="cf['request']['uri'] = '/b'",
            origin_request="cf['request']['headers']['x-step'] = [{'value': 'oreq'}]",
            origin_response="cf['response']['headers']['x-step'] = [{'value': 'ores'}]",
        ),
        **policies(
            forward=origin_request_policy("whitelist CloudFront-Viewer-Country"), respond=STAMPED
        ),
    )
    country = {"x-edgeproxy-viewer-country": "FR"}
    assert x_cache(site.get("/a", headers=country)) == (200, "Miss")
    [exchange] = site.exchanges(1)
    assert [step.name for step in exchange.steps] == [
        "behavior",
        "viewer-request",
        "cache",
        "origin-request",
        "origin",
        "origin-response",
        "viewer-response",
    ]
    ends = [(step.started_s, step.started_s + step.duration_s) for step in exchange.steps]
    behavior, vreq, cache, oreq, asked, ores, vres = ends
    assert behavior[1] <= vreq[0] < vreq[1] <= cache[0] <= oreq[0] < oreq[1] <= asked[0]
    assert asked[1] <= ores[0] < ores[1] <= cache[1] <= vres[0] < vres[1]
    # What a function sees tells what has come before it, and what has not.
    seen = dict(told(site))
    assert seen["viewer-request"]["request"]["uri"] == "/a"
    assert not header(seen["viewer-request"]["request"], "cloudfront-viewer-country")
    at_origin = seen["origin-request"]["request"]
    assert at_origin["uri"] == "/b"
    assert header(at_origin, "cloudfront-viewer-country") == ["FR"]
    assert header(at_origin, "x-forwarded-for")
    assert header(at_origin, "via")
    assert origin.got[0].header("X-Step") == "oreq"
    # ORes comes before the store, the policy after it, VRes last.
    assert not header(seen["origin-response"]["response"], "x-policy")
    assert header(seen["viewer-response"]["response"], "x-policy") == ["p"]
    assert header(seen["viewer-response"]["response"], "x-step") == ["ores"]
    again = site.get("/b", headers=country)
    assert x_cache(again) == (200, "Hit")
    assert (again.headers.get("X-Step"), again.headers.get("X-Policy")) == ("ores", "p")
    assert ran(site) == ["viewer-request", "viewer-response"]


# The origin's name


@pytest.mark.rule("LE-ORDER-06", "LE-ORES-10")
def test_a_name_that_does_not_resolve_runs_no_origin_request(shared, tmp_path):
    functions = all_four() | {
        "origin-request": "def handler(event, context):\n    return {'status': '200'}\n"
    }
    path = distribution_template(
        tmp_path, functions, distribution={"Origins": [custom("web", "nowhere.invalid")]}
    )
    site = shared.serve(path)
    response = site.get("/")
    assert x_cache(response) == (502, "Error")
    assert "wasn't able to resolve the origin domain name" in response.text
    assert ran(site) == ["viewer-request"]
    [exchange] = site.exchanges(1)
    assert exchange.detailed_result_type == "OriginDnsError"
    assert "--origin nowhere.invalid=URL_OR_DIR" in exchange.steps[-1].decision.why
    assert "--origin nowhere.invalid=URL_OR_DIR" in site.console


@pytest.mark.rule("LE-ORDER-06")
def test_a_changed_name_is_resolved_after_the_function(serve_lambda, origin):
    change = "cf['request']['origin']['custom']['domainName'] = 'nowhere.invalid'"
    site = serve_lambda({"origin-request": telling("origin-request", change)})
    assert x_cache(site.get("/")) == (502, "Error")
    assert ran(site) == ["origin-request"]
    assert site.exchanges(1)[0].detailed_result_type == "OriginDnsError"
    assert origin.got == []


@pytest.mark.rule("LE-ORDER-06")
def test_a_response_made_before_the_cache_needs_no_name(shared, tmp_path):
    generate = "def handler(event, context):\n    return {'status': '200'}\n"
    path = distribution_template(
        tmp_path,
        {"viewer-request": generate},
        distribution={"Origins": [custom("web", "nowhere.invalid")]},
    )
    assert x_cache(shared.serve(path).get("/")) == (200, "LambdaGeneratedResponse")


@pytest.mark.rule("LE-ORDER-06")
def test_a_primary_whose_name_does_not_resolve_fails_over(shared, origin, tmp_path):
    group = {
        "Id": "pair",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "one"}, {"OriginId": "two"}]},
    }
    path = distribution_template(
        tmp_path,
        {"origin-request": telling("origin-request")},
        behavior={"TargetOriginId": "pair"},
        distribution={
            "Origins": [custom("one", "nowhere.invalid"), custom("two", "two.example.com")],
            "OriginGroups": {"Quantity": 1, "Items": [group]},
        },
    )
    site = shared.serve(path, origins={"two": origin.url})
    assert x_cache(site.get("/")) == (200, "Miss")
    [(_, seen)] = told(site)
    assert seen["request"]["origin"]["custom"]["domainName"] == "two.example.com"


def custom(origin_id: str, domain_name: str, **more: Any) -> dict[str, Any]:
    config = {"OriginProtocolPolicy": "http-only"}
    return {"Id": origin_id, "DomainName": domain_name, "CustomOriginConfig": config, **more}


# Regions


@pytest.mark.rule("LE-EVT-25", "LE-ORDER-09", "CDN-OSH-04")
@pytest.mark.parametrize("shield", ["", "eu-central-1"])
def test_functions_run_as_replicas_and_at_the_origin_in_the_shield_s_region(serve_lambda, shield):
    more = {}
    if shield:
        more = {"OriginShield": {"Enabled": True, "OriginShieldRegion": shield}}
    site = serve_lambda(
        all_four(), distribution={"Origins": [custom("web", "web.example.com", **more)]}
    )
    assert site.get("/").status == 200
    seen = told(site)
    assert [event for event, _ in seen] == list(EVENTS)
    at_origin = shield or "us-east-1"
    for (_, event), region in zip(
        seen, ("us-east-1", at_origin, at_origin, "us-east-1"), strict=True
    ):
        assert (event["region"], event["default_region"]) == (region, region)
        prefix, _, name = event["name"].partition(".")
        assert prefix == "us-east-1"
        assert event["group"] == f"/aws/lambda/us-east-1.{name}"
        assert event["variables"] == [event["name"], event["group"]]
        assert event["version"] == "1"
        arn = f"arn:aws:lambda:{region}:123456789012:function:us-east-1.{name}:1"
        assert event["arn"] == arn
    assert [event["name"] for _, event in seen] == [
        f"us-east-1.{run.name}" for run in site.exchanges(1)[0].functions
    ]


# Which events run


@pytest.mark.rule("LE-TRIG-12")
@pytest.mark.parametrize(("origin_s", "changed"), [(404, 200), (200, 404), (500, 302)])
def test_the_status_after_origin_response_decides_on_viewer_response(
    serve_lambda, origin, origin_s, changed
):
    origin.answer = Answer(origin_s)
    site = serve_lambda(all_four(origin_response=f"cf['response']['status'] = '{changed}'"))
    assert site.get("/").status == changed
    assert ("viewer-response" in ran(site)) == (changed < 400)


@pytest.mark.rule("LE-TRIG-19")
def test_a_revalidation_runs_the_origin_events_with_the_status_304(serve_lambda, origin, shared):
    fresh = {"Cache-Control": "max-age=60", "ETag": '"1"'}
    origin.answer = lambda got: Answer(304 if got.header("If-None-Match") else 200, fresh)
    # With cookies forwarded there would be no conditional request (CDN-VAL).
    site = serve_lambda(all_four(), **policies(forward=origin_request_policy()))
    assert x_cache(site.get("/")) == (200, "Miss")
    shared.clock.advance(minutes=2)
    response = site.get("/")
    assert x_cache(response) == (200, "RefreshHit")
    assert response.body == b"from the origin"
    seen = told(site)
    assert [event for event, _ in seen] == list(EVENTS)
    assert header(seen[1][1]["request"], "if-none-match") == ['"1"']
    assert seen[2][1]["response"]["status"] == "304"
    assert seen[3][1]["response"]["status"] == "200"


@pytest.mark.rule("LE-ORES-09")
@pytest.mark.parametrize(("origin_s", "changed", "has_page"), [(200, 404, True), (404, 200, False)])
def test_the_status_after_origin_response_selects_the_error_page(
    serve_lambda, origin, origin_s, changed, has_page
):
    origin.answer = lambda got: (
        Answer(body=b"the page") if got.target == "/404.html" else Answer(origin_s, body=b"object")
    )
    change = f"if cf['request']['uri'] == '/a': cf['response']['status'] = '{changed}'"
    site = serve_lambda(
        {"origin-response": telling("origin-response", change)},
        distribution={"CustomErrorResponses": [error_page(404, "/404.html", 404)]},
    )
    response = site.get("/a")
    assert response.status == changed
    assert response.body == (b"the page" if has_page else b"object")


@pytest.mark.rule("LE-ORES-10")
def test_an_error_of_cloudfront_s_own_runs_no_origin_response(serve_lambda):
    site = serve_lambda(
        all_four(),
        at="http://127.0.0.1:1",
        distribution={"Origins": [custom("web", "web.example.com", ConnectionAttempts=1)]},
    )
    assert x_cache(site.get("/")) == (502, "Error")
    assert ran(site) == ["viewer-request", "origin-request"]


@pytest.mark.rule("LE-ORES-10")
def test_an_origin_that_answers_too_late_runs_no_origin_response(serve_lambda, raw_origin):
    raw_origin.keep_quiet.set()
    slow = custom("web", "web.example.com", ConnectionAttempts=1)
    slow["CustomOriginConfig"]["OriginReadTimeout"] = 1
    site = serve_lambda(all_four(), at=raw_origin.url, distribution={"Origins": [slow]})
    assert x_cache(site.get("/")) == (504, "Error")
    assert ran(site) == ["viewer-request", "origin-request"]


# What the events show


@pytest.mark.rule("LE-EVT-15")
@pytest.mark.parametrize(
    ("query", "shown"), [("none", ""), ("whitelist b", "b=2"), ("all", "b=2&a=1&c=%20")]
)
def test_origin_events_show_the_query_string_that_is_forwarded(serve_lambda, origin, query, shown):
    site = serve_lambda(all_four(), **policies(forward=origin_request_policy("none", query=query)))
    assert site.get("/a?b=2&a=1&c=%20").status == 200
    seen = [event["request"]["querystring"] for _, event in told(site)]
    assert seen == ["b=2&a=1&c=%20", shown, shown, "b=2&a=1&c=%20"]
    assert origin.targets == [f"/a?{shown}" if shown else "/a"]


@pytest.mark.rule("LE-EVT-23")
def test_response_events_show_the_request_that_was_made(serve_lambda):
    add = "cf['request']['headers']['x-{0}'] = [{{'value': '1'}}]; cf['request']['uri'] += '/{0}'"
    site = serve_lambda(
        all_four(viewer_request=add.format("v"), origin_request=add.format("o")),
        **policies(forward=origin_request_policy("whitelist X-V")),
    )
    assert site.get("/a", headers={"X-Kept": "1"}).status == 200
    seen = dict(told(site))
    sent, viewers = seen["origin-response"]["request"], seen["viewer-response"]["request"]
    assert sent["uri"] == "/a/v/o"
    assert (header(sent, "x-v"), header(sent, "x-o"), header(sent, "x-kept")) == (["1"], ["1"], [])
    assert viewers["uri"] == "/a/v"
    assert (header(viewers, "x-v"), header(viewers, "x-o")) == (["1"], [])
    assert header(viewers, "x-kept") == ["1"]


@pytest.mark.rule("LE-EVT-26", "CDN-ROOT-09")
def test_the_default_root_object_shows_at_the_origin_only(serve_lambda, origin):
    site = serve_lambda(all_four(), distribution={"DefaultRootObject": "index.html"})
    assert site.get("/").status == 200
    seen = dict(told(site))
    assert seen["viewer-request"]["request"]["uri"] == "/"
    assert seen["origin-request"]["request"]["uri"] == "/index.html"
    assert seen["origin-response"]["request"]["uri"] == "/index.html"
    assert origin.targets == ["/index.html"]


FAMILY = (
    "CloudFront-Is-Android-Viewer CloudFront-Is-Desktop-Viewer CloudFront-Is-IOS-Viewer "
    "CloudFront-Is-Mobile-Viewer CloudFront-Is-SmartTV-Viewer CloudFront-Is-Tablet-Viewer "
    "CloudFront-Forwarded-Proto CloudFront-Viewer-Http-Version CloudFront-Viewer-Country "
    "CloudFront-Viewer-Country-Name"
)
SHAPE = "CloudFront-Viewer-Address CloudFront-Viewer-Header-Order CloudFront-Viewer-Header-Count"


@pytest.mark.rule("LE-HDR-20", "LE-HDR-21")
def test_the_cloudfront_headers_that_policies_ask_for(serve_lambda, origin):
    site = serve_lambda(
        {event: telling(event) for event in REQUESTS},
        **policies(
            cache=cache_policy(headers=f"whitelist {FAMILY}"),
            forward=origin_request_policy(f"whitelist {SHAPE}"),
        ),
    )
    viewer = {
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile",
        "x-edgeproxy-viewer-country": "FR",
        "x-edgeproxy-viewer-ip": "203.0.113.9",
    }
    assert site.get("/", headers=viewer).status == 200
    seen = dict(told(site))
    shown = {
        name: [line["value"] for line in lines]
        for name, lines in seen["origin-request"]["request"]["headers"].items()
        if name.startswith("cloudfront-")
    }
    [address] = shown.pop("cloudfront-viewer-address")
    assert address.startswith("203.0.113.9:")
    assert shown == {
        "cloudfront-is-android-viewer": ["false"],
        "cloudfront-is-desktop-viewer": ["false"],
        "cloudfront-is-ios-viewer": ["true"],
        "cloudfront-is-mobile-viewer": ["true"],
        "cloudfront-is-smarttv-viewer": ["false"],
        "cloudfront-is-tablet-viewer": ["false"],
        "cloudfront-forwarded-proto": ["http"],
        "cloudfront-viewer-http-version": ["1.1"],
        "cloudfront-viewer-country": ["FR"],
        "cloudfront-viewer-country-name": ["France"],
        "cloudfront-viewer-header-order": ["Host:User-Agent"],
        "cloudfront-viewer-header-count": ["2"],
    }
    at_viewer = seen["viewer-request"]["request"]["headers"]
    assert not [name for name in at_viewer if name.startswith("cloudfront-")]
    assert {name: origin.got[0].header(name) for name in shown} == {
        name: value for name, [value] in shown.items()
    }


@pytest.mark.rule("LE-HDR-20", "LE-HDR-21")
def test_without_a_policy_there_are_no_cloudfront_headers(serve_lambda):
    site = serve_lambda(all_four())
    assert site.get("/").status == 200
    for _, event in told(site):
        assert not [name for name in event["request"]["headers"] if name.startswith("cloudfront-")]


@pytest.mark.rule("LE-HDR-21")
def test_the_fetch_of_an_error_page_tells_of_the_request_that_failed(serve_lambda, origin):
    origin.answer = lambda got: Answer(200 if got.target == "/404.html" else 404)
    names = "CloudFront-Error-Uri CloudFront-Error-Args"
    site = serve_lambda(
        {"origin-request": telling("origin-request")},
        distribution={"CustomErrorResponses": [error_page(404, "/404.html", 200)]},
        **policies(forward=origin_request_policy(f"whitelist {names}", query="all")),
    )
    assert site.get("/gone?a=1").status == 200
    (_, first), (_, page) = told(site)
    assert not header(first["request"], "cloudfront-error-uri")
    assert header(page["request"], "cloudfront-error-uri") == ["/gone"]
    assert header(page["request"], "cloudfront-error-args") == ["a=1"]


# Cookies, bodies, generated responses


@pytest.mark.rule("LE-COOK-04")
def test_a_cookie_of_origin_response_is_cached_and_one_of_viewer_response_is_not(serve_lambda):
    add = "cf['response']['headers'].setdefault('set-cookie', []).append({{'value': {} }})"
    site = serve_lambda(
        all_four(
            origin_response=add.format("f'o={time.time_ns()}'"),
            viewer_response=add.format("f'v={time.time_ns()}'"),
        )
    )
    first, second = (site.get("/").headers.get_all("Set-Cookie") for _ in range(2))
    assert ran(site) == ["viewer-request", "viewer-response"]
    assert len(first) == len(second) == 2
    assert first[0] == second[0]
    assert first[1] != second[1]


@pytest.mark.rule("LE-COOK-05", "LE-COOK-02")
def test_a_cookie_set_at_viewer_request_counts_as_far_as_the_policies_say(serve_lambda, origin):
    set_cookies = (
        "cf['request']['headers']['cookie'] = [{'value': 'lang=' + cf['request']['querystring'] +"
        " '; other=' + str(time.time_ns())}]"
    )
    site = serve_lambda(
        {
            "viewer-request": telling("viewer-request", set_cookies),
            "origin-request": telling("origin-request"),
        },
        **policies(
            cache=cache_policy(cookies="whitelist lang"),
            forward=origin_request_policy(cookies="none"),
        ),
    )
    asked = [site.get(f"/a?{lang}", headers={"Cookie": "lang=de"}) for lang in ("fr", "it", "fr")]
    assert [x_cache(response)[1] for response in asked] == ["Miss", "Miss", "Hit"]
    assert [got.header("Cookie") for got in origin.got] == ["lang=fr", "lang=it"]


@pytest.mark.rule("LE-BODY-13")
@pytest.mark.parametrize(
    ("encoding", "data"), [("text", "new"), ("base64", "bmV3")], ids=["text", "base64"]
)
def test_origin_request_sees_the_body_that_viewer_request_left(
    serve_lambda, origin, encoding, data
):
    body = {"action": "replace", "encoding": encoding, "data": data}
    site = serve_lambda(
        {
            "viewer-request": telling("viewer-request", f"cf['request']['body'] = {body!r}"),
            "origin-request": telling("origin-request"),
        },
        include_body=True,
    )
    assert site.post("/p", b"the old body").status == 200
    seen = dict(told(site))
    assert seen["viewer-request"]["request"]["body"]["data"] == "dGhlIG9sZCBib2R5"
    assert seen["origin-request"]["request"]["body"] == {
        "inputTruncated": False,
        "action": "read-only",
        "encoding": "base64",
        "data": "bmV3",
    }
    assert header(seen["origin-request"]["request"], "content-length") == ["3"]
    assert origin.got[0].body == b"new"


@pytest.mark.rule("LE-GEN-19", "LE-GEN-15")
@pytest.mark.parametrize("event", REQUESTS)
def test_a_generated_response_to_head_has_no_body(serve_lambda, origin, event):
    generate = "{'status': '200', 'headers': {'x-g': [{'value': '1'}]}, 'body': 'twelve bytes'}"
    site = serve_lambda({event: f"def handler(event, context):\n    return {generate}\n"})
    head, got = site.request("HEAD", "/a"), site.get("/a")
    assert (head.status, head.body, got.body) == (200, b"", b"twelve bytes")
    for response in (head, got):
        assert response.headers.get("Content-Length") == "12"
        assert response.headers.get("X-G") == "1"
    assert origin.got == []


@pytest.mark.rule("LE-ORDER-08", "CDN-RHP-26")
def test_the_response_headers_policy_is_on_a_response_of_viewer_request_too(serve_lambda):
    generate = "def handler(event, context):\n    return {'status': '302'}\n"
    site = serve_lambda({"viewer-request": generate}, **policies(respond=STAMPED))
    response = site.get("/")
    assert x_cache(response) == (302, "LambdaGeneratedResponse")
    assert response.headers.get("X-Policy") == "p"


@pytest.mark.rule("LE-GEN-12", "LE-ERR-09")
def test_a_generated_error_is_cached_as_an_error_of_the_origin_is(serve_lambda, origin, shared):
    generate = (
        "import time\ndef handler(event, context):\n"
        "    return {'status': '404', 'body': str(time.time_ns())}\n"
    )
    site = serve_lambda(all_four() | {"origin-request": generate})
    first, second = site.get("/"), site.get("/")
    assert (first.status, first.body) == (404, second.body)
    assert ran(site) == ["viewer-request"]
    shared.clock.advance(seconds=11)
    assert site.get("/").body != first.body
    assert origin.got == []


@pytest.mark.rule("LE-TRIG-04")
def test_origin_request_runs_for_each_request_that_is_never_cached(serve_lambda, origin):
    site = serve_lambda(all_four(), behavior={"CachePolicyId": CACHING_DISABLED})
    for method in ("GET", "GET", "POST"):
        assert site.request(method, "/").status == 200
        assert ran(site) == list(EVENTS)
    assert len(origin.got) == 3
