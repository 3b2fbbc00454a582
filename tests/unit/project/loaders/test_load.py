"""TARGET: what each kind of it loads to, and what is no TARGET."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import CustomOrigin, EdgeFunctionKind, EventType, S3Origin
from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.loaders import FunctionFile, LoadOptions, load
from tests.unit.project.drafts import only_distribution, site

METHODS = 7


@pytest.fixture
def function_file(tmp_path: Path) -> Path:
    file = tmp_path / "edge.py"
    file.write_text("def handler(e, c): return e")
    return file


@pytest.mark.parametrize(
    ("url", "config", "path", "address"),
    [
        ("http://localhost:3000", CustomOrigin("http-only", 3000, 443), "",
         "http://localhost:3000"),
        ("http://localhost", CustomOrigin("http-only", 80, 443), "", "http://localhost"),
        ("https://localhost:81/app/", CustomOrigin("https-only", 80, 81), "/app",
         "https://localhost:81"),
    ],
)  # fmt: skip
def test_a_url_is_a_custom_origin(url: str, config: CustomOrigin, path: str, address: str) -> None:
    loaded = load(url)
    distribution = only_distribution(loaded)
    [origin] = distribution.origins.values()
    assert (origin.config, origin.origin_path) == (config, path)
    assert origin.domain_name == "localhost"
    assert loaded.origins == {origin.id: address}
    behavior = distribution.default_behavior
    assert getattr(behavior.cache, "name", "") == "UseOriginCacheControlHeaders-QueryStrings"
    assert behavior.origin_request_policy is not None
    assert behavior.origin_request_policy.name == "Managed-AllViewer"
    assert len(behavior.allowed_methods) == METHODS
    assert loaded.findings == ()


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a:b", "http://a/?x=1", "x://"])
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(UsageError, match=r"no URL|not the URL"):
        load(url)


def test_a_folder_is_an_s3_origin(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    distribution = only_distribution(loaded)
    [origin] = distribution.origins.values()
    assert isinstance(origin.config, S3Origin)
    assert loaded.origins == {origin.id: str(tmp_path)}
    assert distribution.default_root_object == "index.html"
    assert distribution.default_behavior.origin_request_policy is None


def test_a_folder_with_a_web_manifest_is_no_cdk_app(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifacts": {}, "name": "app"}')
    assert isinstance(
        next(iter(only_distribution(load(tmp_path)).origins.values())).config, S3Origin
    )


@pytest.mark.rule("LE-ASSOC-12", "CDN-CFG-121")
def test_functions_of_options(tmp_path: Path, function_file: Path) -> None:
    cff = tmp_path / "stamp.js"
    cff.write_text("function handler(e) { return e.response; }")
    store = tmp_path / "data.json"
    store.write_text('{"data": [{"key": "a", "value": "1"}]}')
    options = LoadOptions(
        edge_functions={
            EventType.ORIGIN_REQUEST: FunctionFile(function_file),
            EventType.ORIGIN_RESPONSE: FunctionFile(function_file),
        },
        cloudfront_functions={EventType.VIEWER_RESPONSE: cff},
        include_body=True,
        cache_policy="CachingDisabled",
        origin_request_policy="HostHeaderOnly",
        key_value_stores={"store": store},
    )
    loaded = load("http://localhost:3000", options)
    behavior = only_distribution(loaded).default_behavior
    assert [
        (each.event_type, each.kind, each.function, each.qualifier, each.include_body)
        for each in behavior.functions
    ] == [
        (EventType.ORIGIN_REQUEST, EdgeFunctionKind.LAMBDA, "edge", "1", True),
        (EventType.ORIGIN_RESPONSE, EdgeFunctionKind.LAMBDA, "edge", "1", False),
        (EventType.VIEWER_RESPONSE, EdgeFunctionKind.CLOUDFRONT, "stamp", "", False),
    ]
    assert loaded.project.functions["edge"].versions == ("1",)
    assert loaded.project.cloudfront_functions["stamp"].key_value_store == "store"
    assert loaded.project.cloudfront_functions["stamp"].runtime == "cloudfront-js-2.0"
    assert loaded.project.key_value_stores["store"].data == {"a": "1"}
    assert getattr(behavior.cache, "name", "") == "Managed-CachingDisabled"
    assert behavior.origin_request_policy is not None
    assert behavior.origin_request_policy.name == "Managed-HostHeaderOnly"
    assert set(loaded.project.sources) == {cff, store}
    assert loaded.findings == ()


@pytest.mark.rule("LE-ASSOC-03")
def test_options_are_checked_too(tmp_path: Path, function_file: Path) -> None:
    cff = tmp_path / "stamp.js"
    cff.write_text("function handler(event) { return event.response; }")
    options = LoadOptions(
        edge_functions={EventType.VIEWER_REQUEST: FunctionFile(function_file)},
        cloudfront_functions={EventType.VIEWER_RESPONSE: cff},
    )
    assert [each.rule for each in load(tmp_path, options).findings] == ["LE-ASSOC-03"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache_policy": "Nope"}, "--cache-policy: no managed policy"),
        ({"origin_request_policy": "Nope"}, "--origin-request-policy: no managed policy"),
        ({"public_keys": {"K": Path("k.pem")}}, "--public-key"),
        ({"cloudfront_functions": {EventType.VIEWER_REQUEST: Path("gone.js")}}, "cannot be read"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load("http://localhost:3000", LoadOptions(**options))


def test_function_urls_and_load_balancers_of_options(
    tmp_path: Path, function_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "alb.mjs"
    other.write_text("export const handler = 1;")
    options = LoadOptions(
        function_urls=(FunctionFile(function_file), FunctionFile(function_file, "main")),
        load_balancers=(FunctionFile(other), FunctionFile(function_file)),
        multi_value_headers=True,
    )
    project = load(None, options).project
    assert set(project.functions) == {"edge", "edge-2", "alb"}
    assert {name: url.function for name, url in project.function_urls.items()} == {
        "edge": "edge",
        "edge-2": "edge-2",
    }
    balancer = project.load_balancers["Default"]
    assert [listener.port for listener in balancer.listeners] == [80, 81]
    assert {name: group.function for name, group in balancer.target_groups.items()} == {
        "alb": "alb",
        "edge": "edge",
    }
    assert all(group.multi_value_headers for group in balancer.target_groups.values())


def test_doors_are_added_to_whatever_target_declares(tmp_path: Path, function_file: Path) -> None:
    options = LoadOptions(
        edge_functions={EventType.ORIGIN_REQUEST: FunctionFile(function_file)},
        function_urls=(FunctionFile(function_file),),
    )
    project = load(tmp_path, options).project
    assert set(project.distributions) == {"Default"}
    assert len(project.functions) == 2
    assert project.function_urls["edge-2"].function == "edge-2"


def test_without_target_the_first_definition_of_the_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, logical_id in (("template.yml", "Third"), ("template.yaml", "Second")):
        Path(name).write_text(json.dumps({"Resources": {logical_id: site()}}))
    assert set(load(None).project.distributions) == {"Second"}
    Path("edgeproxy.yaml").write_text(json.dumps({"Resources": {"First": site()}}))
    assert set(load(None).project.distributions) == {"First"}


def test_nothing_to_run_names_what_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError, match=r"edgeproxy\.yaml, template\.yaml, template\.yml, cdk\.out"
    ):
        load(None)
    with pytest.raises(UsageError, match="there is no"):
        load("gone.yaml")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"edge_functions": {EventType.VIEWER_REQUEST: FunctionFile(Path("f.py"))}},
         "--viewer-request "),
        ({"cloudfront_functions": {EventType.VIEWER_RESPONSE: Path("f.js")}},
         "--viewer-response-cff"),
        ({"include_body": True}, "--include-body"),
        ({"cache_policy": "CachingDisabled"}, "--cache-policy"),
        ({"origin_request_policy": "AllViewer"}, "--origin-request-policy"),
    ],
)  # fmt: skip
def test_options_for_urls_and_folders_do_not_change_a_definition(
    options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("Resources: {}")
    with pytest.raises(UsageError, match=f"^{name}"):
        load(file, LoadOptions(**options))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("main.tf", "", "Terraform's own language is not read"),
        ("main.tf.json", "{}", "Terraform's own language is not read"),
        ("plan.json", '{"terraform_version": "1.9", "planned_values": {}}', "Terraform"),
        ("serverless.ts", "", "is a program, which is not run here"),
        ("serverless.yml", "service: a", "neither a CloudFormation template"),
        ("notes.yaml", "a: 1", "neither a CloudFormation template nor a DistributionConfig"),
        ("t.yaml", "Resources: 5", "expected a mapping, found the number 5"),
        ("t.yaml", "Resources: {A: 5}", "expected a mapping, found the number 5"),
        ("t.yaml", "Resources: {A: {}}", "Type is missing"),
        ("t.yaml", "Resources: {A: {Type: [x]}}", "expected a single value"),
    ],
)
def test_definitions_that_cannot_be_read(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(DefinitionError, match=message) as caught:
        load(file)
    assert caught.value.place.file == file
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["edge.py", "edge.js", "edge.mjs", "edge.cjs"])
def test_a_function_as_target_is_told_from_a_definition(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="is a function") as raised:
        load(tmp_path / name)
    assert f"--viewer-request {tmp_path / name}" in raised.value.remedy
