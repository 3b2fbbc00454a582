"""The sample functions: each runs in its own runtime on its event, and CloudFront takes the result.

A row may change the event first, to walk another path of the function.
"""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import CustomOrigin, EventType, Origin
from edgeproxy.events import alb, function_url
from edgeproxy.events.lambda_edge import (
    Changed,
    Continue,
    EventBody,
    Generated,
    decode_request_result,
    decode_response_result,
)
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.runtimes.interpreters import find_interpreter

FUNCTIONS = Path(__file__).parents[3] / "functions"
NODE = find_interpreter("nodejs22.x").path

PYTHON_SHIM = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("handler", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps(module.handler(json.load(sys.stdin), None)))
"""
NODE_SHIM = """
const { handler } = await import(`file://${process.argv[1]}`);
let text = '';
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(await handler(JSON.parse(text), {})));
"""

Json = dict[str, Any]
Edit = Callable[[Json], object]

LANGUAGES = ["python", "node"]
python_and_node = pytest.mark.parametrize("language", LANGUAGES)
python_only = pytest.mark.parametrize("language", LANGUAGES[:1])
node_only = pytest.mark.parametrize("language", LANGUAGES[1:])


def nothing(event: Json) -> None:
    """Leave the event as it is."""


def run(language: str, name: str, edit: Edit) -> tuple[Json, bytes]:
    """The event and the function's result."""
    folder = FUNCTIONS / language / name
    event: Json = json.loads((folder / "event.json").read_text("utf-8"))
    edit(event["Records"][0]["cf"] if "Records" in event else event)
    if language == "python":
        command = [sys.executable, "-c", PYTHON_SHIM, str(folder / "handler.py")]
    else:
        command = [str(NODE), "--input-type=module", "-e", NODE_SHIM, str(folder / "index.mjs")]
    done = subprocess.run(
        command, input=json.dumps(event), capture_output=True, text=True, check=True, timeout=30
    )
    return event, done.stdout.encode("utf-8")


def headers_of(message: Json) -> Headers:
    return Headers(
        (line["key"], line["value"]) for lines in message["headers"].values() for line in lines
    )


def edge(language: str, name: str, edit: Edit = nothing) -> Any:
    """What CloudFront makes of the function's result; nothing may be wrong with it."""
    event, payload = run(language, name, edit)
    cf = event["Records"][0]["cf"]
    event_type = EventType(cf["config"]["eventType"])
    if "response" in cf:
        response = Response(int(cf["response"]["status"]), headers_of(cf["response"]), reason="OK")
        outcome: Any = decode_response_result(event_type, payload, response=response)
    else:
        message = cf["request"]
        request = Request(
            message["method"],
            message["uri"],
            message["querystring"],
            headers=headers_of(message),
            viewer=Viewer(message["clientIp"]),
        )
        origin = Origin("web", "www.example.com", CustomOrigin("https-only"))
        body = EventBody(b64decode(message["body"]["data"])) if "body" in message else None
        outcome = decode_request_result(
            event_type, payload, request=request, origin=origin, body=body
        )
    assert outcome.findings == ()
    return outcome


def proceeding(outcome: Any) -> Continue:
    assert isinstance(outcome, Continue), outcome
    return outcome


def generated(outcome: Any) -> Response:
    assert isinstance(outcome, Generated), outcome
    return outcome.response


def body_of(response: Response) -> bytes:
    assert isinstance(response.body, BytesBody)
    return response.body.data


def header(name: str, value: str) -> Edit:
    return lambda cf: cf["request"]["headers"].update({name: [{"key": name, "value": value}]})


def uri(path: str) -> Edit:
    return lambda cf: cf["request"].update(uri=path)


def form(text: bytes) -> Edit:
    return lambda cf: cf["request"]["body"].update(data=b64encode(text).decode("ascii"))


@python_and_node
def test_ab_assign(language: str) -> None:
    headers = proceeding(edge(language, "ab_assign")).request.headers
    variant = headers.get("X-AB-New")
    assert variant in ("a", "b")
    assert headers.get_all("Cookie") == [f"theme=dark; ab={variant}"]
    known = proceeding(edge(language, "ab_assign", header("cookie", "x=1; ab=b")))
    assert known.request.headers.get("Cookie") == "x=1; ab=b"
    assert "X-AB-New" not in known.request.headers


@python_and_node
def test_ab_assign_replaces_a_variant_that_is_none(language: str) -> None:
    outcome = proceeding(edge(language, "ab_assign", header("cookie", "ab=z")))
    assert outcome.request.headers.get("Cookie") in ("ab=a", "ab=b")


@python_and_node
def test_ab_route(language: str) -> None:
    outcome = proceeding(edge(language, "ab_route"))
    assert outcome.origin is not None
    assert outcome.origin.domain_name == "variant-b.example.com"
    assert outcome.request.host == "variant-b.example.com"
    assert proceeding(edge(language, "ab_route", header("cookie", "ab=a"))).origin is None


@python_and_node
def test_ab_cookie(language: str) -> None:
    outcome = edge(language, "ab_cookie")
    assert isinstance(outcome, Changed)
    assert outcome.response.headers.get("Set-Cookie").startswith("ab=b; Path=/; Max-Age=2592000")
    known = edge(language, "ab_cookie", lambda cf: cf["request"]["headers"].pop("x-ab-new"))
    assert "Set-Cookie" not in known.response.headers


@python_and_node
def test_redirect(language: str) -> None:
    response = generated(edge(language, "redirect"))
    assert response.status == 301
    assert response.headers.get("Location") == "https://blog.example.com/?page=2"
    assert proceeding(edge(language, "redirect", uri("/other")))


@python_and_node
def test_security_headers(language: str) -> None:
    headers = edge(language, "security_headers").response.headers
    assert headers.get("X-Content-Type-Options") == "nosniff"
    assert headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]


@python_and_node
def test_basic_auth(language: str) -> None:
    response = generated(edge(language, "basic_auth"))
    assert response.status == 401
    assert response.headers.get("WWW-Authenticate").startswith("Basic ")
    wrong = header("authorization", "Basic " + b64encode(b"demo:wrong").decode("ascii"))
    assert generated(edge(language, "basic_auth", wrong)).status == 401
    right = header("authorization", "Basic " + b64encode(b"demo:demo").decode("ascii"))
    assert proceeding(edge(language, "basic_auth", right))


@python_and_node
def test_spa_rewrite(language: str) -> None:
    request = proceeding(edge(language, "spa_rewrite")).request
    assert (request.path, request.query) == ("/index.html", "tab=lines")
    asset = proceeding(edge(language, "spa_rewrite", uri("/app.js")))
    assert asset.request.path == "/app.js"


@python_and_node
@pytest.mark.parametrize(
    ("accepted", "location"),
    [("fr;q=0.8, de-CH, en;q=0.5", "/de/"), ("ja, fr;q=0.1", "/fr/"), ("ja", "/en/"), ("", "/en/")],
)
def test_language_redirect(language: str, accepted: str, location: str) -> None:
    outcome = edge(language, "language_redirect", header("accept-language", accepted))
    assert generated(outcome).headers.get("Location") == location


@python_only
def test_generate_image(language: str) -> None:
    response = generated(edge(language, "generate_image"))
    assert response.headers.get("Content-Type") == "image/png"
    assert body_of(response).startswith(b"\x89PNG\r\n\x1a\n")
    assert proceeding(edge(language, "generate_image", uri("/index.html")))


@python_and_node
def test_body_inspection(language: str) -> None:
    assert generated(edge(language, "body_inspection")).status == 403
    by_hand = proceeding(edge(language, "body_inspection", form(b"name=Ada&website=")))
    assert by_hand.body is None


@node_only
def test_json_body(language: str) -> None:
    body = proceeding(edge(language, "json_body")).body
    assert body is not None
    document = json.loads(body)
    assert document["item"] == "x"
    assert document["received"]["from"] == "203.0.113.178"
    assert generated(edge(language, "json_body", form(b"{"))).status == 400


@python_and_node
def test_api(language: str) -> None:
    def answer(edit: Edit = nothing) -> tuple[int, Json]:
        response = function_url.decode_result(run(language, "api", edit)[1])
        assert isinstance(response, Response)
        document: Json = json.loads(body_of(response))
        return response.status, document

    def post(body: str) -> Edit:
        def edit(event: Json) -> None:
            event["requestContext"]["http"]["method"] = "POST"
            event.update(rawPath="/echo", body=body)

        return edit

    assert answer() == (200, {"message": "Hello, Ada!"})
    assert answer(post('{"a":1}')) == (200, {"received": {"a": 1}})
    assert answer(post("{"))[0] == 400
    assert answer(lambda event: event.update(rawPath="/"))[0] == 404


@python_only
def test_alb_api(language: str) -> None:
    def multi_value(event: Json) -> None:
        for single, several in [
            ("headers", "multiValueHeaders"),
            ("queryStringParameters", "multiValueQueryStringParameters"),
        ]:
            event[several] = {name: [value] for name, value in event.pop(single).items()}

    for edit, several in ((nothing, False), (multi_value, True)):
        outcome = alb.decode_result(run(language, "alb_api", edit)[1], multi_value=several)
        assert isinstance(outcome, alb.Decoded)
        assert outcome.findings == ()
        assert outcome.response.headers.get("Set-Cookie") == "visits=3; Path=/"
        assert json.loads(body_of(outcome.response))["path"] == "/shop"
