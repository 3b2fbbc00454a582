"""How files of the Serverless Framework are read (CDN-CFG-360 to 372)."""

import json
import zipfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from edgeproxy.distribution.model import CachePolicy, CustomOrigin, LegacyCacheSettings, S3Origin
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from tests.unit.project.drafts import only_distribution

OPTIMIZED = "Managed-CachingOptimized"


def service(folder: Path, functions: Any, **parts: Any) -> Loaded:
    """Load a service with these functions, whose handlers are in ``app.py``."""
    (folder / "app.py").write_text("def handler(event, context): return event\n")
    document = {
        "service": "shop",
        "provider": {"name": "aws", "runtime": "python3.12", "region": "us-east-1"},
        "functions": functions,
        **parts,
    }
    file = folder / "serverless.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return load(file, LoadOptions(state_dir=folder / "state"))


def edge(*events: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A function with ``cloudFront`` events."""
    made = [
        {"eventType": "origin-request", "origin": "https://app.example.com", **each}
        for each in events or ({},)
    ]
    return {"handler": "app.handler", "events": [{"cloudFront": each} for each in made], **settings}


@pytest.mark.rule("CDN-CFG-360", "CDN-CFG-368")
def test_an_event_makes_the_distribution(tmp_path: Path) -> None:
    event = {
        "eventType": "viewer-request",
        "includeBody": True,
        "pathPattern": "/a/*",
        "origin": {
            "DomainName": "o.example.com",
            "OriginPath": "/x",
            "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
        },
        "behavior": {"ViewerProtocolPolicy": "https-only", "Compress": True},
        "cachePolicy": {"id": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"},
    }
    loaded = service(tmp_path, {"one": edge(event)})
    assert list(loaded.project.distributions) == ["CloudFrontDistribution"]
    distribution = only_distribution(loaded)
    [origin] = distribution.origins.values()
    assert isinstance(origin.config, CustomOrigin)
    assert origin.config.protocol_policy == "https-only"
    [behavior] = distribution.behaviors
    assert (behavior.path_pattern, behavior.compress) == ("/a/*", True)
    assert behavior.viewer_protocol_policy == "https-only"
    assert isinstance(behavior.cache, CachePolicy)
    assert behavior.cache.name == "Managed-CachingDisabled"
    [association] = behavior.functions
    assert (association.event_type, association.function, association.include_body) == (
        "viewer-request", "shop-dev-one", True,
    )  # fmt: skip
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-360")
def test_an_event_needs_its_type(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="eventType is missing"):
        service(tmp_path, {"one": {"handler": "app.handler", "events": [
            {"cloudFront": {"origin": "https://app.example.com"}}]}})  # fmt: skip


@pytest.mark.rule("CDN-CFG-361")
def test_own_cache_policies_by_name(tmp_path: Path) -> None:
    config = {
        "MinTTL": 1, "DefaultTTL": 2, "MaxTTL": 3,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": False,
            "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "all"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    }  # fmt: skip
    provider = {
        "name": "aws", "runtime": "python3.12",
        "cloudFront": {"cachePolicies": {"short-lived": config}},
    }  # fmt: skip
    functions = {"one": edge({"cachePolicy": {"name": "short-lived"}})}
    loaded = service(tmp_path, functions, provider=provider)
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, CachePolicy)
    assert (cache.name, cache.max_ttl_s) == ("shop-dev-short-lived", 3)
    with pytest.raises(DefinitionError, match="no cache policy is called 'other'"):
        service(tmp_path, {"one": edge({"cachePolicy": {"name": "other"}})}, provider=provider)


@pytest.mark.rule("CDN-CFG-362", "CDN-CFG-363")
@pytest.mark.parametrize(
    ("url", "origin_id", "path", "kind"),
    [
        ("s3://corpus.s3.amazonaws.com/site", "s3/corpus.s3.amazonaws.com/site", "/site", S3Origin),
        ("s3://corpus.s3.amazonaws.com", "s3/corpus.s3.amazonaws.com", "", S3Origin),
        ("https://app.example.com/v1", "custom/app.example.com/v1", "/v1", CustomOrigin),
        ("http://app.example.com", "custom/app.example.com", "", CustomOrigin),
    ],
)
def test_origins_that_are_urls(
    tmp_path: Path, url: str, origin_id: str, path: str, kind: type
) -> None:
    distribution = only_distribution(service(tmp_path, {"one": edge({"origin": url})}))
    origin = distribution.origins[origin_id]
    assert (origin.origin_path, type(origin.config)) == (path, kind)
    assert distribution.default_behavior.target_origin_id == origin_id
    if isinstance(origin.config, CustomOrigin):
        assert origin.config.protocol_policy == "match-viewer"


@pytest.mark.rule("CDN-CFG-364")
def test_defaults_of_a_behavior(tmp_path: Path) -> None:
    default = only_distribution(service(tmp_path, {"one": edge()})).default_behavior
    assert default.viewer_protocol_policy == "allow-all"
    assert isinstance(default.cache, CachePolicy)
    assert default.cache.name == OPTIMIZED
    forwarded = {"ForwardedValues": {"QueryString": True}, "MinTTL": 5}
    given = service(tmp_path, {"one": edge({"behavior": forwarded})})
    cache = only_distribution(given).default_behavior.cache
    assert isinstance(cache, LegacyCacheSettings)
    assert cache.min_ttl_s == 5
    policy = {"CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}
    given = service(tmp_path, {"one": edge({"behavior": policy})})
    assert getattr(only_distribution(given).default_behavior.cache, "name", "") == (
        "Managed-CachingDisabled"
    )


@pytest.mark.rule("CDN-CFG-365")
def test_events_of_one_pattern_and_origin_are_one_behavior(tmp_path: Path) -> None:
    functions = {
        "one": edge({"pathPattern": "/a/*"}),
        "two": edge({"pathPattern": "/a/*", "eventType": "origin-response"}),
    }
    [behavior] = only_distribution(service(tmp_path, functions)).behaviors
    assert [each.function for each in behavior.functions] == ["shop-dev-one", "shop-dev-two"]
    functions["two"] = edge({"pathPattern": "/a/*"})
    with pytest.raises(DefinitionError, match="another function has origin-request"):
        service(tmp_path, functions)
    functions["two"] = edge({"pathPattern": "/a/*", "origin": "https://b.example.com"})
    with pytest.raises(DefinitionError, match="the same path pattern"):
        service(tmp_path, functions)


@pytest.mark.rule("CDN-CFG-366")
def test_the_default_behavior(tmp_path: Path) -> None:
    """It is that without a pattern; else the first one's without its functions."""
    other = {"origin": "https://b.example.com"}
    with_default = {"one": edge({"pathPattern": "/a/*"}), "two": edge(other)}
    distribution = only_distribution(service(tmp_path, with_default))
    assert distribution.default_behavior.target_origin_id == "custom/b.example.com"
    assert [each.function for each in distribution.default_behavior.functions] == ["shop-dev-two"]
    compress = {"pathPattern": "/a/*", "behavior": {"Compress": True}}
    without = {
        "one": edge(compress),
        "two": edge({"pathPattern": "/b/*", "isDefaultOrigin": True, **other}),
    }
    distribution = only_distribution(service(tmp_path, without))
    assert distribution.default_behavior.functions == ()
    assert distribution.default_behavior.compress
    assert distribution.default_behavior.target_origin_id == "custom/b.example.com"
    assert [each.path_pattern for each in distribution.behaviors] == ["/a/*", "/b/*"]
    without["two"] = edge({"pathPattern": "/b/*", **other})
    with pytest.raises(DefinitionError, match="which of the origins is the default"):
        service(tmp_path, without)


@pytest.mark.rule("CDN-CFG-367")
def test_what_functions_at_the_edge_have(tmp_path: Path) -> None:
    provider = {
        "name": "aws", "runtime": "python3.12", "memorySize": 512, "timeout": 20,
        "environment": {"AA": "1"},
    }  # fmt: skip
    settings = {"environment": {"BB": "${ssm:/secret}"}, "vpc": {"subnetIds": ["s"]}}
    functions = {"one": edge(**settings), "api": {"handler": "app.handler"}}
    loaded = service(tmp_path, functions, provider=provider)
    spec = loaded.project.functions["shop-dev-one"].spec
    assert (spec.memory_mb, spec.timeout_s, spec.environment) == (128, 5, ())
    assert loaded.findings == ()
    ordinary = loaded.project.functions["shop-dev-api"].spec
    assert (ordinary.memory_mb, ordinary.timeout_s) == (512, 20)
    assert ordinary.environment == (("AA", "1"),)


@pytest.mark.rule("CDN-CFG-367")
@pytest.mark.parametrize(
    ("event", "memory", "timeout", "places"),
    [
        ("viewer-request", 128, 5, []),
        ("viewer-request", 256, 6, ["memorySize", "timeout"]),
        ("origin-request", 10_240, 30, []),
        ("origin-response", 128, 31, ["timeout"]),
    ],
)
def test_limits_of_functions_at_the_edge(
    tmp_path: Path, event: str, memory: int, timeout: int, places: list[str]
) -> None:
    function = edge({"eventType": event}, memorySize=memory, timeout=timeout)
    loaded = service(tmp_path, {"one": function})
    found = [each.place.path for each in loaded.findings if each.rule == "CDN-CFG-367"]
    assert found == [f"functions.one.{name}" for name in places]


@pytest.mark.rule("CDN-CFG-367")
def test_functions_at_the_edge_are_in_us_east_1(tmp_path: Path) -> None:
    provider = {"name": "aws", "runtime": "python3.12", "region": "eu-west-1"}
    loaded = service(tmp_path, {"one": edge()}, provider=provider)
    assert "CDN-CFG-367" in [each.rule for each in loaded.findings]


@pytest.mark.rule("CDN-CFG-368")
@pytest.mark.parametrize("part", ["Resources", "extensions"])
def test_settings_of_the_distribution_are_merged_in(tmp_path: Path, part: str) -> None:
    config = {"DefaultRootObject": "index.html", "DefaultCacheBehavior": {"Compress": True}}
    more = {"CloudFrontDistribution": {"Properties": {"DistributionConfig": config}}}
    loaded = service(tmp_path, {"one": edge()}, resources={part: more})
    distribution = only_distribution(loaded)
    assert distribution.default_root_object == "index.html"
    assert distribution.default_behavior.compress
    assert distribution.default_behavior.functions


@pytest.mark.rule("CDN-CFG-368")
def test_an_extension_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="does not make"):
        service(tmp_path, {"one": edge()}, resources={"extensions": {"Nope": {}}})


# code


@pytest.mark.rule("CDN-CFG-369")
def test_code_lies_in_the_service_folder_or_its_package(tmp_path: Path) -> None:
    loaded = service(tmp_path, {"one": edge()})
    made = loaded.project.functions["shop-dev-one"]
    assert (made.spec.handler, made.spec.code_root) == ("app.handler", tmp_path.resolve())
    with zipfile.ZipFile(tmp_path / "built.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1\n")
    package = {"artifact": "built.zip"}
    for parts in ({"package": package}, {}):
        settings = {} if parts else {"package": package}
        made = service(tmp_path, {"one": edge(**settings)}, **parts).project.functions[
            "shop-dev-one"
        ]
        assert "return 1" in (made.spec.code_root / "app.py").read_text()
        assert made.watch == ((tmp_path / "built.zip").resolve(),)


@pytest.mark.rule("CDN-CFG-369")
@pytest.mark.parametrize("build", [".esbuild/.build", ".webpack/service", ".serverless/build"])
def test_typescript_runs_from_what_a_bundler_wrote(tmp_path: Path, build: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text("export const handler = 1")
    function = {**edge(), "handler": "src/main.handler", "runtime": "nodejs20.x"}
    with pytest.raises(DefinitionError, match="TypeScript and has no build output") as caught:
        service(tmp_path, {"one": function})
    assert "sls package" in caught.value.remedy
    (tmp_path / build / "src").mkdir(parents=True)
    (tmp_path / build / "src" / "main.js").write_text("exports.handler = 1")
    made = service(tmp_path, {"one": function}).project.functions["shop-dev-one"]
    assert made.spec.code_root == (tmp_path / build).resolve()


@pytest.mark.rule("CDN-CFG-369")
def test_typescript_runs_from_the_package(tmp_path: Path) -> None:
    (tmp_path / "main.ts").write_text("export const handler = 1")
    (tmp_path / ".serverless").mkdir()
    with zipfile.ZipFile(tmp_path / ".serverless" / "shop.zip", "w") as archive:
        archive.writestr("main.js", "exports.handler = 1")
    function = {**edge(), "handler": "main.handler", "runtime": "nodejs20.x"}
    made = service(tmp_path, {"one": function}).project.functions["shop-dev-one"]
    assert (made.spec.code_root / "main.js").is_file()


@pytest.mark.rule("CDN-CFG-370")
def test_the_packaged_template(tmp_path: Path) -> None:
    """Its code lies in the zip files beside it."""
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return event\n")
    template = {
        "Resources": {
            "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"},
            "OneLambdaFunction": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {
                        "S3Bucket": {"Ref": "ServerlessDeploymentBucket"},
                        "S3Key": "serverless/shop/dev/1700000000000-2026/shop.zip",
                    },
                    "Handler": "app.handler",
                    "Runtime": "python3.12",
                    "FunctionName": "shop-dev-one",
                },
            },
        }
    }
    file = tmp_path / "cloudformation-template-update-stack.json"
    file.write_text(json.dumps(template))
    made = load(file, LoadOptions(state_dir=tmp_path / "state")).project.functions["shop-dev-one"]
    assert (made.spec.code_root / "app.py").is_file()


@pytest.mark.rule("CDN-CFG-370")
@pytest.mark.parametrize("name", ["serverless.ts", "serverless.js"])
def test_a_service_that_is_a_program(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("module.exports = {}")
    with pytest.raises(DefinitionError, match="is a program") as caught:
        load(tmp_path / name)
    assert "cloudformation-template-update-stack.json" in caught.value.remedy


@pytest.mark.rule("CDN-CFG-371")
@pytest.mark.parametrize("several", [False, True])
def test_the_communitys_key(tmp_path: Path, several: bool) -> None:
    config = {
        "Enabled": True,
        "Origins": [{"Id": "a", "DomainName": "a.example.com",
                     "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}],
        "DefaultCacheBehavior": {
            "TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    }  # fmt: skip
    site = {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}}
    given: Any = {"distribution": "Site", "eventType": "origin-response"}
    functions = {"one": {"handler": "app.handler", "lambdaAtEdge": [given] if several else given}}
    resources = {"Resources": {"Site": site}}
    loaded = service(tmp_path, functions, resources=resources)
    [association] = only_distribution(loaded).default_behavior.functions
    assert (association.event_type, association.function) == ("origin-response", "shop-dev-one")
    assert loaded.findings == ()
    given["distribution"] = "Nope"
    with pytest.raises(DefinitionError, match="no distribution 'Nope'"):
        service(tmp_path, functions, resources=resources)


def test_function_urls(tmp_path: Path) -> None:
    cors = {"allowedOrigins": "https://a.example.com", "maxAge": 60}
    functions = {
        "open": {"handler": "app.handler", "url": True},
        "closed": {"handler": "app.handler", "url": {"authorizer": "aws_iam", "cors": cors}},
    }
    urls = service(tmp_path, functions).project.function_urls
    assert {name: each.auth_type for name, each in urls.items()} == {
        "OpenLambdaFunctionUrl": "NONE", "ClosedLambdaFunctionUrl": "AWS_IAM",
    }  # fmt: skip
    made = urls["ClosedLambdaFunctionUrl"].cors
    assert made is not None
    assert (made.allow_origins, made.allow_methods, made.max_age_s) == (
        ("https://a.example.com",), ("*",), 60,
    )  # fmt: skip


# variables


@pytest.mark.rule("CDN-CFG-372")
@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("${self:custom.host}", "self.example.com"),
        ("${self:custom.nested.0}", "first.example.com"),
        ("${opt:host}", "opt.example.com"),
        ("${opt:none, 'default.example.com'}", "default.example.com"),
        ("${env:EDGEPROXY_TEST_HOST}", "env.example.com"),
        ("${env:EDGEPROXY_NONE, ${self:custom.host}}", "self.example.com"),
        ("${env:EDGEPROXY_NONE, self:custom.host}", "self.example.com"),
        ("${self:custom.${opt:key}}", "self.example.com"),
        ("${file(./hosts.yml):web}", "file.example.com"),
        ("${file(./hosts.json):web.${sls:stage}}", "dev.example.com"),
        ("${sls:stage}.${aws:region}.example.com", "dev.us-east-1.example.com"),
        ("${param:host}", "param.example.com"),
        ("${ssm:/host, 'fallback.example.com'}", "fallback.example.com"),
    ],
)
def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, host: str) -> None:
    monkeypatch.setenv("EDGEPROXY_TEST_HOST", "env.example.com")
    (tmp_path / "hosts.yml").write_text("web: file.example.com\n")
    (tmp_path / "hosts.json").write_text('{"web": {"dev": "${sls:stage}.example.com"}}')
    (tmp_path / "app.py").write_text("")
    file = tmp_path / "serverless.yml"
    file.write_text(
        dedent(f"""
        service: shop
        provider: {{name: aws, runtime: python3.12}}
        custom: {{host: self.example.com, nested: [first.example.com], unused: "${{ssm:/x}}"}}
        params: {{default: {{host: param.example.com}}}}
        functions:
          one:
            handler: app.handler
            events:
              - cloudFront:
                  eventType: origin-request
                  origin: "https://{text}"
        """)
    )
    options = LoadOptions(
        state_dir=tmp_path / "state", parameters={"host": "opt.example.com", "key": "host"}
    )
    loaded = load(file, options)
    [origin] = only_distribution(loaded).origins.values()
    assert origin.domain_name == host
    if "file(" in text:
        assert {each.name for each in loaded.project.sources} > {"serverless.yml"}


@pytest.mark.rule("CDN-CFG-372")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${ssm:/host}", r"\$\{ssm:/host\} has its value outside"),
        ("${cf:stack.Host}", r"\$\{cf:stack.Host\} has its value outside"),
        ("${self:custom.none}", r"\$\{self:custom.none\} has no value"),
        ("${opt:none}", r"\$\{opt:none\} has no value"),
        ("${self:custom.loop}", "refers to itself"),
        ("${file(./x.js):host}", "is a program"),
        ("${file(./none.yml):host}", "has no value"),
        ("${self:custom.none", "no closing brace"),
    ],
)
def test_variables_without_a_value(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.js").write_text("")
    with pytest.raises(DefinitionError, match=message) as caught:
        service(
            tmp_path,
            {"one": edge({"origin": f"https://{text}"})},
            custom={"loop": "${self:custom.loop}"},
        )
    assert caught.value.rule == "CDN-CFG-372"
    assert caught.value.place.path == "functions.one.events[0].cloudFront.origin" or (
        "loop" in text
    )


@pytest.mark.rule("CDN-CFG-372")
def test_cloudformations_own_variables_are_left(tmp_path: Path) -> None:
    """``${AWS::Region}`` and ``${Bucket}`` are for Fn::Sub."""
    origin = {
        "DomainName": {"Fn::Sub": "${Bucket}.s3.${AWS::Region}.amazonaws.com"},
        "S3OriginConfig": {},
    }
    resources = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket",
                                          "Properties": {"BucketName": "corpus"}}}}  # fmt: skip
    loaded = service(tmp_path, {"one": edge({"origin": origin})}, resources=resources)
    [made] = only_distribution(loaded).origins.values()
    assert made.domain_name == "corpus.s3.us-east-1.amazonaws.com"


@pytest.mark.rule("CDN-CFG-362")
@pytest.mark.parametrize("url", ["app.example.com", "https://[", "https://"])
def test_an_origin_that_is_no_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(DefinitionError, match="is no URL"):
        service(tmp_path, {"one": edge({"origin": url})})


def test_who_is_told_of_asynchronous_invocations(tmp_path: Path) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:bad"
    told = {"onSuccess": "told", "onFailure": {"type": "sqs", "arn": queue}}
    settings: dict[str, Any] = {
        "destinations": told, "maximumRetryAttempts": 0, "maximumEventAge": 60,
    }  # fmt: skip
    handler: dict[str, Any] = {"handler": "src/app.handler"}
    functions = {"api": handler | settings, "told": handler}
    loaded = service(tmp_path, functions)
    arn = loaded.project.functions["shop-dev-told"].spec.arn
    config = loaded.project.functions["shop-dev-api"].event_invoke["$LATEST"]
    assert (config.retries, config.max_age_s) == (0, 60)
    assert (config.on_success, config.on_failure) == (arn, queue)
    assert not loaded.project.functions["shop-dev-told"].event_invoke
    warm = {"api": functions["api"] | {"provisionedConcurrency": 1}, "told": handler}
    assert list(service(tmp_path, warm).project.functions["shop-dev-api"].event_invoke) == [
        "provisioned"
    ]
    settings["destinations"] = {"onSuccess": "nobody"}
    with pytest.raises(DefinitionError, match=r"serverless.yml:\d+ functions.api.destinations"):
        service(tmp_path, {"api": handler | settings})
