"""CloudFront Functions that choose the origin or read a key-value store, through a whole edge."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.origin import Answer, Origin, running_origin
from tests.support.viewer_functions import function, viewer_functions_template

IMPORT = "import cf from 'cloudfront';"
EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


class Stage:
    """Origins ``one``, ``two`` (with a path and a header) and ``three``; two groups of the first.

    ``away.example.com`` is mapped to ``three`` and stands in no definition.
    """

    def __init__(self, edge: Edge, folder: Path, stack: ExitStack) -> None:
        self._edge = edge
        self._folder = folder
        self.origins = {
            name: stack.enter_context(running_origin()) for name in ("one", "two", "three")
        }
        for name, origin in self.origins.items():
            origin.answer = Answer(body=name.encode(), headers={"Cache-Control": "max-age=60"})

    def __getitem__(self, name: str) -> Origin:
        return self.origins[name]

    def serve(self, *statements: str, target: str = "one", **template: object) -> Site:
        declared = [
            {
                "Id": name,
                "DomainName": f"{name}.example.com",
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
                "OriginPath": path,
                "OriginCustomHeaders": [{"HeaderName": "X-Own", "HeaderValue": name}],
            }
            for name, path in (("one", ""), ("two", "/second"))
        ]
        group = {
            "Id": "pair",
            "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
            "Members": {"Quantity": 2, "Items": [{"OriginId": "one"}, {"OriginId": "two"}]},
        }
        behavior = {"TargetOriginId": target, **template.pop("behavior", {})}  # type: ignore[dict-item]
        path = viewer_functions_template(
            self._folder,
            {"viewer-request": function(*statements, head=IMPORT)},
            behavior=behavior,
            distribution={
                "Origins": declared,
                "OriginGroups": {"Quantity": 1, "Items": [group]},
            },
            **template,  # type: ignore[arg-type]
        )
        mapping = {name: self[name].url for name in ("one", "two")}
        return self._edge.serve(path, origins={**mapping, "away.example.com": self["three"].url})

    def asked(self) -> dict[str, list[tuple[str, str | None, str | None]]]:
        """What each origin that was asked got: target, Host and its own header."""
        return {
            name: [(got.target, got.header("Host"), got.header("X-Own")) for got in origin.got]
            for name, origin in self.origins.items()
            if origin.got
        }


@pytest.fixture
def stage(shared: Edge, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(shared, tmp_path, stack)


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


VIEWER = {"Host": "www.example.com"}


@pytest.mark.parametrize(
    ("statement", "policy", "expected"),
    [
        pytest.param(
            "cf.updateRequestOrigin({domainName: 'away.example.com'});",
            "",
            {"three": [("/a", "away.example.com", "one")]},
            marks=pytest.mark.rule("CFF-ORG-02", "CFF-ORG-08"),
            id="another-domain",
        ),
        pytest.param(
            "cf.updateRequestOrigin({domainName: 'away.example.com', hostHeader: 'h.example'});",
            "",
            {"three": [("/a", "h.example", "one")]},
            marks=pytest.mark.rule("CFF-ORG-08", "CFF-ORG-03"),
            id="host-header",
        ),
        pytest.param(
            "cf.updateRequestOrigin({originPath: '/p'});",
            "",
            {"one": [("/p/a", "www.example.com", "one")]},
            marks=pytest.mark.rule("CFF-ORG-08", "CFF-ORG-03"),
            id="origin-path-and-the-viewer-s-host",
        ),
        pytest.param(
            "cf.updateRequestOrigin({originPath: '/p'});",
            EXCEPT_HOST,
            {"one": [("/p/a", "one.example.com", "one")]},
            marks=pytest.mark.rule("CFF-ORG-08"),
            id="origin-path-and-the-origin-s-host",
        ),
        pytest.param(
            "cf.updateRequestOrigin({domainName: 'away.example.com', customHeaders: {}});",
            "",
            {"three": [("/a", "away.example.com", None)]},
            marks=pytest.mark.rule("CFF-ORG-06"),
            id="no-custom-headers",
        ),
        pytest.param(
            "cf.updateRequestOrigin({customHeaders: {'x-own': 'new'}});",
            EXCEPT_HOST,
            {"one": [("/a", "one.example.com", "new")]},
            marks=pytest.mark.rule("CFF-ORG-06"),
            id="other-custom-headers",
        ),
        pytest.param(
            "cf.selectRequestOriginById('two');",
            EXCEPT_HOST,
            {"two": [("/second/a", "two.example.com", "two")]},
            marks=pytest.mark.rule("CFF-ORG-14"),
            id="another-origin",
        ),
        pytest.param(
            "cf.selectRequestOriginById('two', {hostHeader: 'h.example'});",
            "",
            {"two": [("/second/a", "h.example", "two")]},
            marks=pytest.mark.rule("CFF-ORG-14"),
            id="another-origin-with-a-host",
        ),
        pytest.param(
            "cf.selectRequestOriginById('two'); cf.updateRequestOrigin({originPath: '/p'});",
            EXCEPT_HOST,
            {"one": [("/p/a", "one.example.com", "one")]},
            marks=pytest.mark.rule("CFF-ORG-21"),
            id="the-last-helper-counts",
        ),
    ],
)
def test_where_the_request_goes(stage: Stage, statement, policy, expected) -> None:
    behavior = {"OriginRequestPolicyId": policy} if policy else {}
    site = stage.serve(statement, behavior=behavior)
    assert x_cache(site.get("/a", headers=VIEWER)) == (200, "Miss")
    assert stage.asked() == expected


@pytest.mark.rule("CFF-ORG-02", "CFF-ORG-11")
def test_any_http_server_can_be_the_origin(stage: Stage) -> None:
    port = int(stage["three"].url.rpartition(":")[2])
    site = stage.serve(
        "cf.updateRequestOrigin({domainName: 'localhost', customOriginConfig: "
        f"{{port: {port}, protocol: 'http', sslProtocols: ['TLSv1.2']}}}});"
    )
    assert site.get("/a", headers=VIEWER).body == b"three"
    assert stage.asked() == {"three": [("/a", f"localhost:{port}", "one")]}


@pytest.mark.rule("CFF-ORG-12")
def test_an_update_on_a_group_changes_the_primary_only(stage: Stage) -> None:
    site = stage.serve("cf.updateRequestOrigin({domainName: 'away.example.com'});", target="pair")
    stage["three"].answer = Answer(503)
    assert site.get("/a").body == b"two"
    assert list(stage.asked()) == ["two", "three"]


@pytest.mark.rule("CFF-ORG-16", "CFF-ORG-17", "CFF-TRIG-06")
@pytest.mark.parametrize("target", ["one", "pair"])
@pytest.mark.parametrize("members", ["{originId: 'one'}, {originId: 'two'}", "'one', 'two'"])
def test_a_group_made_for_one_request(stage: Stage, target: str, members: str) -> None:
    group = f"{{originIds: [{members}], failoverCriteria: {{statusCodes: [500]}}}}"
    site = stage.serve(f"cf.createRequestOriginGroup({group});", target=target)
    stage["one"].answer = Answer(503)
    assert x_cache(site.get("/a")) == (503, "Error")
    assert "two" not in stage.asked()
    stage["one"].answer = Answer(500)
    assert site.get("/b").body == b"two"
    assert len(site.exchanges(2)[0].functions) == 1


@pytest.mark.rule("CFF-ORG-16")
def test_a_member_of_a_group_with_its_own_host(stage: Stage) -> None:
    site = stage.serve(
        "cf.createRequestOriginGroup({originIds: ["
        "{originId: 'one', originOverrides: {hostHeader: 'h.example'}}, {originId: 'two'}], "
        "failoverCriteria: {statusCodes: [503]}});"
    )
    stage["one"].answer = Answer(503)
    assert site.get("/a", headers=VIEWER).body == b"two"
    assert stage.asked() == {
        "one": [("/a", "h.example", "one")],
        "two": [("/second/a", "www.example.com", "two")],
    }


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(
            "cf.selectRequestOriginById('nowhere');",
            (503, "FunctionExecutionError"),
            marks=pytest.mark.rule("CFF-ORG-15"),
        ),
        pytest.param(
            "cf.overrideRequestOrigin('two');",
            (503, "FunctionExecutionError"),
            marks=pytest.mark.rule("CFF-ORG-18"),
        ),
        pytest.param(
            "cf.updateRequestOrigin({domainName: '10.0.0.1'});",
            (502, "FunctionValidationError"),
            marks=pytest.mark.rule("CFF-ORG-05"),
        ),
        pytest.param(
            "cf.createRequestOriginGroup({originIds: ['one', 'two']});",
            (502, "FunctionValidationError"),
            marks=pytest.mark.rule("CFF-ORG-17"),
        ),
        pytest.param(
            "cf.updateRequestOrigin({originShield: {enabled: true}});",
            (502, "FunctionValidationError"),
            marks=pytest.mark.rule("CFF-ORG-10"),
        ),
        pytest.param(
            "event.request.headers['x-own'] = {value: '1'};"
            "cf.updateRequestOrigin({customHeaders: {'x-own': '2'}});",
            (502, "FunctionValidationError"),
            marks=pytest.mark.rule("CFF-ORG-07"),
        ),
    ],
)
def test_a_choice_that_is_refused(stage: Stage, statement: str, expected: tuple[int, str]) -> None:
    assert x_cache(stage.serve(statement).get("/")) == expected
    assert stage.asked() == {}


@pytest.mark.rule("CFF-ORG-20")
def test_the_choice_is_not_in_the_cache_key(stage: Stage) -> None:
    site = stage.serve("if (event.request.headers['x-two']) { cf.selectRequestOriginById('two'); }")
    assert site.get("/a", headers={"X-Two": "1"}).body == b"two"
    second = site.get("/a")
    assert (x_cache(second), second.body) == ((200, "Hit"), b"two")


@pytest.mark.rule("CFF-ORG-23")
def test_the_origin_request_function_sees_the_chosen_origin(stage: Stage) -> None:
    show = (
        "import json\n"
        "def handler(event, context):\n"
        "    request = event['Records'][0]['cf']['request']\n"
        "    seen = [request['origin'], request['headers']['host'][0]['value']]\n"
        "    return {'status': '200', 'body': json.dumps(seen)}\n"
    )
    site = stage.serve(
        "cf.updateRequestOrigin({domainName: 'away.example.com', originPath: '/p',"
        " timeouts: {readTimeout: 7}});",
        lambda_functions={"origin-request": show},
    )
    origin, host = json.loads(site.get("/a").body)
    custom = origin["custom"]
    assert (custom["domainName"], custom["path"]) == ("away.example.com", "/p")
    assert (custom["readTimeout"], host) == (7, "away.example.com")


# Key-value stores


def reading(*statements: str) -> str:
    body = "\n  ".join(statements)
    return (
        f"{IMPORT}\nconst kvs = cf.kvs();\n"
        f"async function handler(event) {{\n  {body}\n  return event.request;\n}}\n"
    )


SET = "event.request.headers['x-k'] = {value: String(found)};"


@pytest.mark.parametrize(
    ("statements", "value"),
    [
        pytest.param(
            ["const found = await kvs.get('k');", SET],
            "v",
            marks=pytest.mark.rule("CFF-RET-07", "CFF-KVS-03", "CFF-KVS-02"),
        ),
        pytest.param(
            ["const json = await kvs.get('j', {format: 'json'});", "const found = json.a;", SET],
            "1",
            marks=pytest.mark.rule("CFF-KVS-03"),
        ),
        pytest.param(
            ["const yes = await kvs.exists('k');", "const no = await kvs.exists('z');",
             "const found = [yes, no];", SET],
            "true,false",
            marks=pytest.mark.rule("CFF-KVS-05"),
        ),
        pytest.param(
            ["const meta = await kvs.meta();", "const found = meta.keyCount;", SET],
            "2",
            marks=pytest.mark.rule("CFF-KVS-06", "CFF-KVS-07"),
        ),
        pytest.param(
            ["let found;", "try { found = await kvs.get('z'); } catch (e) { found = 'none'; }",
             SET],
            "none",
            marks=pytest.mark.rule("CFF-KVS-04"),
        ),
    ],
)  # fmt: skip
def test_what_a_function_reads_from_its_store(
    shared: Edge, origin: Origin, tmp_path: Path, statements: list[str], value: str
) -> None:
    site = serve_with_store(shared, origin, tmp_path, reading(*statements))
    assert x_cache(site.get("/")) == (200, "Miss")
    assert origin.got[0].header("X-K") == value


@pytest.mark.rule("CFF-KVS-04")
def test_a_missing_key_that_nobody_catches_is_503(
    shared: Edge, origin: Origin, tmp_path: Path
) -> None:
    site = serve_with_store(shared, origin, tmp_path, reading("await kvs.get('z');"))
    assert x_cache(site.get("/")) == (503, "FunctionExecutionError")


@pytest.mark.rule("CFF-KVS-01", "CFF-KVS-02")
def test_without_a_store_the_handle_throws(shared: Edge, origin: Origin, tmp_path: Path) -> None:
    path = viewer_functions_template(tmp_path, {"viewer-request": reading("await kvs.get('k');")})
    site = shared.serve(path, origins={"web": origin.url})
    assert x_cache(site.get("/")) == (503, "FunctionExecutionError")


def serve_with_store(shared: Edge, origin: Origin, folder: Path, code: str) -> Site:
    (folder / "data.json").write_text(
        json.dumps({"data": [{"key": "k", "value": "v"}, {"key": "j", "value": '{"a":1}'}]})
    )
    path = viewer_functions_template(folder, {"viewer-request": code}, store="words")
    return shared.serve(path, origins={"web": origin.url}, kvs=(f"words={folder / 'data.json'}",))
