"""Errors for people: the console says whose line it was, and `--overlay` the browser."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.command import Command, dev

_PAGE = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}

_HOOKS = {
    "error.py": "def look(event):\n    return event['<nothing>']\n\n"
    "def handler(event, context):\n    return look(event)\n",
    "error.mjs": "function look(event) {\n  return event.nothing.deep;\n}\n"
    "export const handler = async (event) => look(event);\n",
    "syntax.py": "def handler(event, context):\n    return event[\n",
    "syntax.mjs": "export async function handler(event) {\n  return event[;\n}\n",
    "invalid.py": "def handler(event, context):\n    return {'status': 'fine'}\n",
    "error.js": "function handler(event) {\n  var none = event.nothing;\n  return none.deep;\n}\n",
}


def _asked(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    asking = urllib.request.Request(
        url, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urllib.request.urlopen(asking, timeout=30) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """An edge whose behaviors fail, each in a way of its own."""
    folder = tmp_path_factory.mktemp("overlay")
    for name, text in _HOOKS.items():
        (folder / name.replace(".", "_")).mkdir()
        (folder / name.replace(".", "_") / name).write_text(text)
    (folder / "template.json").write_text(json.dumps(_template()))
    with dev(
        "template.json", "--origin", "web=http://127.0.0.1:1", "--overlay", cwd=folder
    ) as edge:
        edge.endpoints  # noqa: B018 -- waits until it is ready
        yield edge


def _template() -> dict[str, object]:
    resources: dict[str, object] = {}
    behaviors = []
    for name in _HOOKS:
        folder, (stem, suffix) = name.replace(".", "_"), name.split(".")
        key = folder.title().replace("_", "")
        behavior: dict[str, object] = {
            "PathPattern": f"/{name}", "TargetOriginId": "web",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        }  # fmt: skip
        if suffix == "js":
            resources[key] = {
                "Type": "AWS::CloudFront::Function",
                "Properties": {
                    "Name": folder, "AutoPublish": True, "FunctionCode": _HOOKS[name],
                    "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
                },
            }  # fmt: skip
            associated = {"FunctionARN": {"Fn::GetAtt": [key, "FunctionARN"]}}
            behavior["FunctionAssociations"] = [{"EventType": "viewer-request", **associated}]
        else:
            runtime = "python3.13" if suffix == "py" else "nodejs22.x"
            resources[key] = {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": folder, "Code": f"./{folder}", "Handler": f"{stem}.handler",
                    "Runtime": runtime, "Role": "arn:aws:iam::123456789012:role/edge",
                },
            }  # fmt: skip
            version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": key}}}
            resources[f"{key}Version"] = version
            behavior["LambdaFunctionAssociations"] = [
                {"EventType": "viewer-request", "LambdaFunctionARN": {"Ref": f"{key}Version"}}
            ]
        behaviors.append(behavior)
    config = {
        "Enabled": True,
        "Origins": [
            {
                "Id": "web",
                "DomainName": "web.example.com",
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
            }
        ],
        "CacheBehaviors": behaviors,
        "DefaultCacheBehavior": {
            "TargetOriginId": "web",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        },
    }
    resources["Site"] = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": config},
    }
    return {"Resources": resources}


@pytest.mark.parametrize(
    ("name", "cause", "place"),
    [
        ("error.py", "KeyError: &#x27;&lt;nothing&gt;&#x27;", "error_py/error.py:2"),
        ("error.mjs", "TypeError: Cannot read properties of undefined", "error_mjs/error.mjs:2"),
        ("syntax.py", "&#x27;[&#x27; was never closed", "syntax_py/syntax.py:2"),
        ("syntax.mjs", "Unexpected token &#x27;;&#x27;", "syntax_mjs/syntax.mjs:2"),
    ],
)
def test_the_cause_stands_over_the_page_with_the_line_that_it_was(
    edge: Command, name: str, cause: str, place: str
) -> None:
    url = f"{edge.endpoints['viewer']}/{name}"
    status, headers, plain = _asked(url)
    assert (status, "alert" in plain) == (503, False)
    status, headers, page = _asked(url, **_PAGE)
    assert (status, headers["Cache-Control"]) == (503, "no-store")
    assert int(headers["Content-Length"]) == len(page)
    assert "Generated by cloudfront (CloudFront)" in page
    assert cause in page
    assert place in page
    assert "background:#5c1a1a'>   2  " in page
    edge.wait_for(f"{place}")


def test_a_result_that_cloudfront_refuses_is_told_with_its_rule_and_remedy(edge: Command) -> None:
    status, _, page = _asked(f"{edge.endpoints['viewer']}/invalid.py", **_PAGE)
    assert status == 502
    assert "[LE-" in page
    assert "&rarr; " in page
    assert "invalid_py/invalid.py</b>" in page
    edge.wait_for("  in ")


def test_a_cloudfront_function_is_told_with_its_line(edge: Command) -> None:
    status, _, page = _asked(f"{edge.endpoints['viewer']}/error.js", **_PAGE)
    assert status == 503
    assert "FunctionExecutionError: TypeError" in page
    assert "line 3</b>" in page


def test_an_origin_that_is_not_there_is_told_with_what_to_do(edge: Command) -> None:
    status, _, page = _asked(f"{edge.endpoints['viewer']}/", **_PAGE)
    assert status == 502
    assert "http://127.0.0.1:1 refused the connection" in page
    assert "--origin ID=URL_OR_DIR" in page
    edge.wait_for("-> is the server running there? --origin ID=URL_OR_DIR")


def test_what_viewers_send_is_shown_and_not_obeyed(edge: Command) -> None:
    _, _, page = _asked(f"{edge.endpoints['viewer']}/'><script>alert(1)</script>", **_PAGE)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "empty", "Accept": "text/html"},
        {"Sec-Fetch-Dest": "script"},
        {"Accept": "application/json"},
        {},
    ],
)
def test_only_pages_get_it(edge: Command, headers: dict[str, str]) -> None:
    _, answered, body = _asked(f"{edge.endpoints['viewer']}/error.py", **headers)
    assert "role='alert'" not in body
    assert "Cache-Control" not in answered


def test_it_leads_to_the_record_which_has_cloudfront_s_own_page(edge: Command) -> None:
    _, headers, page = _asked(f"{edge.endpoints['viewer']}/error.py?recorded", **_PAGE)
    exchange = quote(headers["X-Amz-Cf-Id"], safe="")
    control = edge.endpoints["control"]
    assert f"href='{control}/#/exchange/{exchange}'" in page
    with urllib.request.urlopen(f"{control}/api/exchanges/{exchange}", timeout=20) as answer:
        record = answer.read().decode()
    assert "Generated by cloudfront" in record
    assert "role='alert'" not in record


def test_a_cached_error_has_it_for_pages_alone(edge: Command) -> None:
    url = f"{edge.endpoints['viewer']}/cached"
    assert "role='alert'" in _asked(url, **_PAGE)[2]
    assert "role='alert'" not in _asked(url)[2]
    assert "role='alert'" in _asked(url, **_PAGE)[2]


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    with dev("http://127.0.0.1:1", cwd=tmp_path) as plain:
        status, _, page = _asked(plain.endpoints["viewer"], **_PAGE)
    assert (status, "role='alert'" in page) == (502, False)


def test_the_code_of_a_cloudfront_function_is_shown_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "error.js").write_text(_HOOKS["error.js"])
    with dev(".", "--viewer-request-cff", "error.js", "--overlay", cwd=tmp_path) as edge:
        _, _, page = _asked(edge.endpoints["viewer"], **_PAGE)
    assert "error.js:3</b>" in page
    assert "   3    return none.deep;" in page


def test_a_file_that_is_no_code_of_the_function_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/hook.mjs").write_text(
        "export function handler(event) {\n  const error = new Error('no');\n"
        f"  error.stack = 'Error: no\\n    at x ({tmp_path}/secret:1:1)';\n  throw error;\n}}\n"
    )
    hook = ("--viewer-request", "hook/hook.mjs")
    with dev("http://127.0.0.1:1", *hook, "--overlay", cwd=tmp_path) as edge:
        _, _, page = _asked(edge.endpoints["viewer"], **_PAGE)
    assert f"{tmp_path}/secret:1</b>" in page
    assert "hush" not in page
