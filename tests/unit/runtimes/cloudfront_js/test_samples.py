"""The samples in functions/cloudfront run in every runtime that they name, and do what they say."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_function import Invalid, decode_result
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.cloudfront_js import Completed, KeyValues, load_import_file
from tests.unit.runtimes.cloudfront_js.running import JS1, JS2, function

FOLDER = Path(__file__).parents[4] / "functions" / "cloudfront"
CONNECTION = "revoked_certificates"
SAMPLES = sorted({path.parent.name for path in FOLDER.glob("*/function.js")} - {CONNECTION})


def outcome(name: str, runtime: str = JS2, *, fraction: float = 0.5, **changes: Any) -> Any:
    """The result of the sample for its event; ``changes`` replace members of the request."""
    folder = FOLDER / name
    event = json.loads((folder / "event.json").read_text())
    event["request"].update(changes)
    kvs = None
    if (folder / "kvs.json").exists():
        kvs = KeyValues("weights", load_import_file(folder / "kvs.json"), now=lambda: 0)
    code = (folder / "function.js").read_text()
    sample = function(code, runtime, kvs=kvs, fraction=lambda: fraction)
    assert sample.check() == []
    done = sample.run(json.dumps(event).encode())
    assert isinstance(done, Completed), done
    kind = EventType(event["context"]["eventType"])
    decoded = decode_result(
        kind,
        done.result,
        request=Request("GET", "/", headers=Headers([("Host", "www.example.com")])),
        response=Response(200) if kind is EventType.VIEWER_RESPONSE else None,
    )
    assert not isinstance(decoded, Invalid), decoded
    return done.result


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_named_in_the_readme_and_runs(name: str) -> None:
    assert f"({name}/)" in (FOLDER / "README.md").read_text()
    readme = (FOLDER / name / "README.md").read_text()
    for runtime in (JS2, JS1) if JS1 in readme else (JS2,):
        outcome(name, runtime)


def test_ab_assign() -> None:
    variants = {outcome("ab_assign", fraction=n / 16)["cookies"]["ab"]["value"] for n in range(16)}
    assert variants == {"a", "b"}
    first = outcome("ab_assign")
    kept = outcome("ab_assign", cookies={"ab": {"value": "b"}})
    assert kept["cookies"] == {"ab": {"value": "b"}}
    event = {
        "context": {"eventType": "viewer-response"},
        "response": {"statusCode": 200, "headers": {}, "cookies": {}},
    }
    sample = function((FOLDER / "ab_assign" / "function.js").read_text())
    for request, names in ((first, ["ab"]), (kept, [])):
        done = sample.run(json.dumps({**event, "request": request}).encode())
        assert isinstance(done, Completed)
        assert list(done.result["cookies"]) == names


def test_redirect() -> None:
    assert outcome("redirect")["headers"]["location"] == {"value": "/new"}
    assert outcome("redirect", uri="/a/")["headers"]["location"] == {"value": "/a"}
    assert outcome("redirect", uri="//evil.example/")["headers"]["location"] == {
        "value": "/evil.example"
    }
    assert outcome("redirect", uri="/")["uri"] == "/"


def test_security_headers() -> None:
    assert outcome("security_headers")["headers"]["x-content-type-options"] == {"value": "nosniff"}


def test_basic_auth() -> None:
    host = {"host": {"value": "www.example.com"}}
    assert outcome("basic_auth")["headers"] == host
    assert outcome("basic_auth", headers=host)["statusCode"] == 401
    wrong = {**host, "authorization": {"value": "Basic Z3Vlc3Q6"}}
    assert outcome("basic_auth", headers=wrong)["statusCode"] == 401


def test_spa_rewrite() -> None:
    assert outcome("spa_rewrite")["uri"] == "/index.html"
    assert outcome("spa_rewrite", uri="/app.css")["uri"] == "/app.css"


def test_language_redirect() -> None:
    assert outcome("language_redirect")["headers"]["location"] == {"value": "/de/"}


def test_kv_weights() -> None:
    drawn = [
        outcome("kv_weights", fraction=n / 64)["cookies"]["variant"]["value"] for n in range(64)
    ]
    assert 45 < drawn.count("a") < 64
    assert set(drawn) == {"a", "b"}


@pytest.mark.parametrize(("serial", "decision"), [("", "deny"), ("01:02", "allow")])
def test_revoked_certificates(serial: str, decision: str) -> None:
    folder = FOLDER / CONNECTION
    assert f"({CONNECTION}/)" in (FOLDER / "README.md").read_text()
    event = json.loads((folder / "event.json").read_text())
    leaf = event["clientCertificate"]["certificates"]["leaf"]
    leaf["serialNumber"] = serial or leaf["serialNumber"]
    kvs = KeyValues("revoked", load_import_file(folder / "kvs.json"), now=lambda: 0)
    code = (folder / "function.js").read_text()
    sample = function(code, JS2, kvs=kvs, handler="connectionHandler")
    assert sample.check() == []
    done = sample.run(json.dumps(event).encode())
    assert isinstance(done, Completed), done
    assert done.result == decision
