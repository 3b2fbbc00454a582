"""Request bodies and origins as Lambda@Edge functions see, change and choose them, end to end."""

import pytest

from tests.support.delivery import raw
from tests.support.edge_functions import EVENTS, REQUESTS, all_four, telling, told, x_cache
from tests.support.origin import Answer
from tests.support.templates import distribution_template

CHUNKED = (
    b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
)


def replacing(data: str, encoding: str = "text") -> str:
    body = {"action": "replace", "encoding": encoding, "data": data}
    return f"cf['request']['body'] = {body!r}"


# Bodies


@pytest.mark.rule("LE-BODY-01")
@pytest.mark.parametrize("include_body", [False, True])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_shows_at_request_events_with_include_body_only(serve_lambda, method, include_body):
    site = serve_lambda(all_four(), include_body=include_body)
    assert site.request(method, "/p", body=b"abc").status == 200
    seen = told(site)
    assert [event for event, _ in seen] == list(EVENTS)
    for event, cf in seen:
        assert ("body" in cf["request"]) == (include_body and event in REQUESTS)
        assert "body" not in cf.get("response", {})


@pytest.mark.rule("LE-BODY-02", "LE-BODY-03", "LE-BODY-04")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_body_of_a_request_without_one_is_empty(serve_lambda, method, event):
    site = serve_lambda({event: telling(event)}, include_body=True)
    assert site.request(method, "/p").status == 200
    [(_, cf)] = told(site)
    empty = {"inputTruncated": False, "action": "read-only", "encoding": "base64", "data": ""}
    assert cf["request"]["body"] == empty


@pytest.mark.rule("LE-BODY-03", "LE-BODY-04", "LE-BODY-06")
@pytest.mark.parametrize("event", REQUESTS)
def test_a_chunked_body_is_shown_and_passed_whole(serve_lambda, origin, event):
    site = serve_lambda({event: telling(event)}, include_body=True)
    assert raw(site, CHUNKED).startswith(b"HTTP/1.1 200")
    [(_, cf)] = told(site)
    assert cf["request"]["body"]["data"] == "aGVsbG8gd29ybGQ="
    assert origin.got[0].body == b"hello world"


@pytest.mark.rule("LE-BODY-08", "LE-BODY-12")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize(
    ("data", "encoding", "body"),
    [("h\u00e9", "text", b"h\xc3\xa9"), ("/wA=", "base64", b"\xff\x00"), ("", "text", b"")],
)
def test_a_replacement_has_a_length_however_the_viewer_sent_the_body(
    serve_lambda, origin, event, data, encoding, body
):
    site = serve_lambda({event: telling(event, replacing(data, encoding))})
    assert raw(site, CHUNKED).startswith(b"HTTP/1.1 200")
    [got] = origin.got
    assert got.body == body
    assert got.header("Content-Length") == str(len(body))
    assert got.header("Transfer-Encoding") is None


@pytest.mark.rule("LE-BODY-07")
@pytest.mark.parametrize("include_body", [False, True])
def test_nothing_of_a_truncated_body_follows_its_replacement(serve_lambda, origin, include_body):
    site = serve_lambda(
        {"viewer-request": telling("viewer-request", replacing("new"))}, include_body=include_body
    )
    assert site.post("/p", b"x" * 200_000).status == 200
    assert [got.body for got in origin.got] == [b"new"]
    assert origin.got[0].header("Content-Length") == "3"


@pytest.mark.rule("LE-BODY-06", "LE-BODY-14")
@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        ("{'encoding': 'text', 'data': 'new'}", 200, "LE-BODY-06"),
        ("{'action': 'read-only', 'encoding': 'text', 'data': 'new'}", 200, "LE-BODY-06"),
        ("{'action': 'REPLACE', 'data': ''}", 502, "LE-BODY-14"),
        ("{'action': 'replace', 'encoding': 'utf-8', 'data': ''}", 502, "LE-BODY-14"),
    ],
)
def test_a_body_that_is_not_to_be_sent_is_spoken_of(serve_lambda, origin, body, status, rule):
    site = serve_lambda(
        {"origin-request": telling("origin-request", f"cf['request']['body'] = {body}")}
    )
    assert site.post("/p", b"old").status == status
    assert [got.body for got in origin.got] == ([b"old"] if status == 200 else [])
    [run] = site.exchanges(1)[0].functions
    assert [finding.rule for finding in run.findings] == [rule]
    assert f"[{rule}]" in site.console


# Origins


@pytest.mark.rule("LE-ORG-18", "LE-ORDER-04")
def test_two_viewers_with_one_key_share_the_answer_of_one_origin(serve_lambda, origin):
    choose = (
        "cf['request']['origin']['custom']['path'] ="
        " '/' + cf['request']['headers']['x-side'][0]['value']"
    )
    site = serve_lambda({"origin-request": telling("origin-request", choose)})
    origin.answer = lambda got: Answer(
        headers={"Cache-Control": "max-age=60"}, body=got.target.encode()
    )
    left, right = (site.get("/k", headers={"X-Side": side}) for side in ("left", "right"))
    assert (x_cache(left), x_cache(right)) == ((200, "Miss"), (200, "Hit"))
    assert left.body == right.body == b"/left/k"


@pytest.mark.rule("LE-ORG-08")
def test_a_read_timeout_of_the_function_s_holds(serve_lambda, raw_origin):
    raw_origin.keep_quiet.set()
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "ConnectionAttempts": 1,
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    change = "cf['request']['origin']['custom']['readTimeout'] = 1"
    site = serve_lambda(
        {"origin-request": telling("origin-request", change)},
        at=raw_origin.url,
        distribution={"Origins": [web]},
    )
    assert x_cache(site.get("/")) == (504, "Error")
    assert site.exchanges(1)[0].duration_s < 20


@pytest.mark.rule("LE-ORG-16")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("assets.s3.eu-west-1.amazonaws.com", 200),
        ("ASSETS.s3.amazonaws.com", 200),
        ("other.s3.eu-west-1.amazonaws.com", 404),
        ("www.example.com", 404),
        ("", 404),
    ],
)
def test_a_bucket_is_found_by_the_host_that_is_sent(shared, tmp_path, host, status):
    bucket = "assets.s3.eu-west-1.amazonaws.com"
    folder = tmp_path / "bucket"
    folder.mkdir()
    (folder / "a.txt").write_text("in the bucket")
    change = (
        f"cf['request']['origin'] = {{'s3': {{'domainName': '{bucket}', 'region': '',"
        " 'authMethod': 'none', 'path': '', 'customHeaders': {}}}"
    )
    if host:  # Else it stays that of the viewer.
        change += f"; cf['request']['headers']['host'] = [{{'value': '{host}'}}]"
    path = distribution_template(tmp_path, {"origin-request": telling("origin-request", change)})
    site = shared.serve(path, origins={bucket: folder, "web": "http://127.0.0.1:1"})
    response = site.get("/a.txt", headers={"Host": "viewer.example"})
    assert response.status == status
    assert (b"<Code>NoSuchBucket</Code>" in response.body) == (status == 404)
    assert (f"send {bucket} there" in site.console) == (status == 404)
