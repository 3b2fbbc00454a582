"""How plans and states of Terraform and OpenTofu are read (CDN-CFG-330 to 344)."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.managed import find_origin_request_policy
from edgeproxy.distribution.model import CachePolicy, LegacyCacheSettings
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from edgeproxy.project.model import Treatment
from tests.support.terraform import (
    behavior,
    constant,
    distribution,
    origin,
    plan,
    refers,
    resource,
    state,
)
from tests.unit.project.drafts import only_distribution

POLICY = "aws_cloudfront_cache_policy.short"
GOLDEN = Path(__file__).parents[1] / "golden" / "definitions" / "terraform" / "plan.json"


def load_json(folder: Path, document: dict[str, Any]) -> Loaded:
    file = folder / "plan.json"
    file.write_text(json.dumps(document, indent=1))
    return load(file, LoadOptions(state_dir=folder / "state"))


def cache_policy(address: str = POLICY, **values: Any) -> dict[str, Any]:
    parts = {"cookies": "cookie", "headers": "header", "query_strings": "query_string"}
    keyed = {
        f"{many}_config": [{f"{one}_behavior": "none", many: []}] for many, one in parts.items()
    }
    given = {
        "name": "short", "min_ttl": 1, "default_ttl": 2, "max_ttl": 3,
        "parameters_in_cache_key_and_forwarded_to_origin": [keyed], **values,
    }  # fmt: skip
    return resource(address, given, {"name": constant(given["name"])}, {"id": True})


def function(folder: Path, address: str = "aws_lambda_function.edge", **values: Any) -> Any:
    """A function whose code is a zip in ``folder``."""
    with zipfile.ZipFile(folder / "edge.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return event\n")
    given = {
        "function_name": "edge", "handler": "app.handler", "runtime": "python3.12",
        "publish": True, "filename": "edge.zip", "memory_size": 128, "timeout": 3,
        "package_type": "Zip", "reserved_concurrent_executions": -1, **values,
    }  # fmt: skip
    unknown = {"arn": True, "qualified_arn": True, "version": True}
    return resource(address, given, {"filename": constant("edge.zip")}, unknown)


def unknown_behavior(*names: str, **values: Any) -> dict[str, Any]:
    made = behavior(**values)
    return {name: value for name, value in made.items() if name not in names}


def associated(arn: dict[str, Any], event: str = "origin-request") -> dict[str, Any]:
    """A distribution one of whose functions is known after apply only."""
    return distribution(
        behavior(lambda_function_association=[{"event_type": event, "include_body": False}]),
        {"lambda_function_association": [{"event_type": constant(event), "lambda_arn": arn}]},
    )


def cache_name(loaded: Loaded) -> str:
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, CachePolicy)
    return cache.name


# values and links


@pytest.mark.rule("CDN-CFG-330", "CDN-CFG-332")
def test_a_state_is_read_like_a_plan(tmp_path: Path) -> None:
    """A state knows all IDs: what they mean is found by value."""
    policy = cache_policy()
    policy["known"]["values"]["id"] = "11111111-2222-3333-4444-555555555555"
    site = distribution(behavior(cache_policy_id="11111111-2222-3333-4444-555555555555"))
    site["known"]["values"] |= {"id": "E1", "domain_name": "d1.cloudfront.net", "etag": "E"}
    loaded = load_json(tmp_path, state(policy, site))
    assert cache_name(loaded) == "short"
    assert list(loaded.project.distributions) == ["aws_cloudfront_distribution.site"]
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-331")
def test_a_link_is_found_by_reference_before_apply(tmp_path: Path) -> None:
    site = distribution(
        unknown_behavior("cache_policy_id"), {"cache_policy_id": refers(f"{POLICY}.id")}
    )
    other = cache_policy("aws_cloudfront_cache_policy.other", name="other")
    assert cache_name(load_json(tmp_path, plan(other, cache_policy(), site))) == "short"


@pytest.mark.rule("CDN-CFG-330", "CDN-CFG-331")
@pytest.mark.parametrize("index", ["", "[0]", '["a"]'])
def test_links_lead_through_modules(tmp_path: Path, index: str) -> None:
    """From a module's variable to the output of another module."""
    address = f"module.cdn{index}.aws_cloudfront_distribution.site"
    site = distribution(
        unknown_behavior("cache_policy_id"), {"cache_policy_id": refers("var.policy")}, address
    )
    inner = cache_policy(f"module.policies.{POLICY}")
    calls = {
        "cdn": {"expressions": {"policy": refers("module.policies.policy_id")}},
        "policies": {"module": {"outputs": {"policy_id": {"expression": refers(f"{POLICY}.id")}}}},
    }
    modules = {f"module.cdn{index}": [site], "module.policies": [inner]}
    loaded = load_json(tmp_path, plan(modules=modules, calls=calls))
    assert cache_name(loaded) == "short"
    assert list(loaded.project.distributions) == [address]


@pytest.mark.rule("CDN-CFG-331")
@pytest.mark.parametrize(
    ("reference", "more"),
    [
        ("each.value.id", {"for_each_expression": refers("aws_cloudfront_cache_policy.short")}),
        ("aws_cloudfront_cache_policy.short", {}),
    ],
)
def test_repeated_resources_meet_by_key(
    tmp_path: Path, reference: str, more: dict[str, Any]
) -> None:
    """``policy[each.key].id`` is shown as the resource alone, without key and attribute."""
    policies = [cache_policy(f'{POLICY}["{key}"]', name=f"short-{key}") for key in "ab"]
    sites = [
        distribution(
            unknown_behavior("cache_policy_id"),
            {"cache_policy_id": refers(reference, "each.key")},
            f'aws_cloudfront_distribution.site["{key}"]',
        )
        for key in "ab"
    ]
    for site in sites:
        site["config"] |= more
    loaded = load_json(tmp_path, plan(*policies, *sites))
    names = [getattr(each.default_behavior.cache, "name", "") for each in
             loaded.project.distributions.values()]  # fmt: skip
    assert names == ["short-a", "short-b"]


@pytest.mark.rule("CDN-CFG-331")
def test_what_the_plan_does_not_show(tmp_path: Path) -> None:
    """Locals are not in a plan: the one candidate is taken, and told; two are an error."""
    site = distribution(
        unknown_behavior("cache_policy_id"), {"cache_policy_id": refers("local.policy")}
    )
    loaded = load_json(tmp_path, plan(cache_policy(), site))
    assert cache_name(loaded) == "short"
    [line] = [each for each in loaded.project.report.lines if "does not show" in each.why]
    assert line.treatment is Treatment.APPROXIMATED
    assert line.place.path == (
        "aws_cloudfront_distribution.site: default_cache_behavior.cache_policy_id"
    )
    other = cache_policy("aws_cloudfront_cache_policy.other", name="other")
    with pytest.raises(DefinitionError, match="does not show what it refers to") as caught:
        load_json(tmp_path, plan(cache_policy(), other, site))
    assert caught.value.rule == "CDN-CFG-331"
    assert "terraform show -json" in caught.value.remedy


@pytest.mark.rule("CDN-CFG-331")
@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("aws_s3_bucket.web.bucket_regional_domain_name", "corpus.s3.us-east-1.amazonaws.com"),
        ("aws_s3_bucket.web.bucket_domain_name", "corpus.s3.amazonaws.com"),
        ("aws_s3_bucket_website_configuration.web.website_endpoint",
         "corpus.s3-website-us-east-1.amazonaws.com"),
        ("aws_apigatewayv2_api.web.api_endpoint",
         "aws-apigatewayv2-api-web.api-endpoint.invalid"),
        ("local.host", "aws-cloudfront-distribution-site-origin-0-domain-name.invalid"),
    ],
)  # fmt: skip
def test_host_names_of_origins_that_do_not_exist_yet(
    tmp_path: Path, reference: str, host: str
) -> None:
    bucket = resource("aws_s3_bucket.web", {"bucket": "corpus"})
    website = resource(
        "aws_s3_bucket_website_configuration.web", {}, {"bucket": refers("aws_s3_bucket.web.id")}
    )
    given = origin()
    del given["domain_name"]
    site = distribution(
        origin=[given],
        expressions={"origin": [{"origin_id": constant("web"), "domain_name": refers(reference)}]},
    )
    api = resource("aws_apigatewayv2_api.web", {"name": "api"})
    loaded = load_json(tmp_path, plan(bucket, website, api, site))
    [made] = only_distribution(loaded).origins.values()
    assert made.domain_name == host


@pytest.mark.rule("CDN-CFG-331")
def test_unknown_values_of_dynamic_blocks_are_told(tmp_path: Path) -> None:
    given = origin()
    del given["origin_path"]
    site = distribution(origin=[given], unknown={"origin": [{"origin_path": True}]})
    [line] = [
        each
        for each in load_json(tmp_path, plan(site)).project.report.lines
        if each.place.path.endswith("origin[0].origin_path")
    ]
    assert (line.treatment, line.why) == (Treatment.IGNORED, "known after apply only")


def test_the_account_is_that_of_the_caller(tmp_path: Path) -> None:
    caller = resource("data.aws_caller_identity.me", {"arn": "arn:aws:iam::210987654321:user/dev"})
    other = resource("aws_sns_topic.x", {"arn": "arn:aws:sns:us-east-1:111111111111:x"})
    loaded = load_json(tmp_path, plan(function(tmp_path), other, data=[caller]))
    assert loaded.project.functions["edge"].spec.arn.split(":")[4] == "210987654321"


@pytest.mark.rule("CDN-CFG-333")
def test_blocks_of_a_set_are_found_in_another_order(tmp_path: Path) -> None:
    """The plan sorts sets; the configuration has them as they were written."""
    policies = [
        resource(f"aws_lb.{name}", {"name": name, "load_balancer_type": "application"})
        for name in "ab"
    ]
    made = [origin(origin_id=name) for name in "ab"]
    for each in made:
        del each["domain_name"]
    written = [
        {"origin_id": constant(name), "domain_name": refers(f"aws_lb.{name}.dns_name")}
        for name in "ba"
    ]
    site = distribution(
        behavior(target_origin_id="a"), origin=made, expressions={"origin": written}
    )
    origins = only_distribution(load_json(tmp_path, plan(*policies, site))).origins
    assert {name: each.domain_name[:2] for name, each in origins.items()} == {"a": "a-", "b": "b-"}


@pytest.mark.rule("CDN-CFG-333")
def test_lists_keep_their_order(tmp_path: Path) -> None:
    ordered = [behavior(path_pattern=pattern) for pattern in ("/z/*", "/a/*", "/m/*")]
    members = [{"origin_id": "web"}, {"origin_id": "api"}]
    site = distribution(
        ordered_cache_behavior=ordered,
        origin=[origin(origin_id="api"), origin()],
        origin_group=[
            {"origin_id": "both", "failover_criteria": [{"status_codes": [500]}],
             "member": members}
        ],
    )  # fmt: skip
    made = only_distribution(load_json(tmp_path, plan(site)))
    assert [each.path_pattern for each in made.behaviors] == ["/z/*", "/a/*", "/m/*"]
    assert (made.origin_groups["both"].primary, made.origin_groups["both"].secondary) == (
        "web", "api",
    )  # fmt: skip


@pytest.mark.rule("CDN-CFG-332")
def test_lifetimes_of_legacy_settings(tmp_path: Path) -> None:
    """Beside a cache policy the provider sends none; without one it sends 0 for what is unset."""
    forwarded = [{"query_string": True, "cookies": [{"forward": "none"}]}]
    legacy = behavior(cache_policy_id="", forwarded_values=forwarded, max_ttl=60)
    loaded = load_json(tmp_path, plan(distribution(legacy)))
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, LegacyCacheSettings)
    assert (cache.min_ttl_s, cache.default_ttl_s, cache.max_ttl_s) == (0, 0, 60)
    assert cache.query_string


# resources


@pytest.mark.rule("CDN-CFG-334")
@pytest.mark.parametrize("kind", ["key", "keys_exclusive"])
def test_keys_of_a_store_are_resources_of_their_own(tmp_path: Path, kind: str) -> None:
    pair = {"key": "a", "value": "1"}
    values = pair if kind == "key" else {"resource_key_value_pair": [pair]}
    store = resource("aws_cloudfront_key_value_store.x", {"name": "routes"}, {}, {"arn": True})
    other = resource("aws_cloudfront_key_value_store.y", {"name": "other"}, {}, {"arn": True})
    written = {"key_value_store_arn": refers("aws_cloudfront_key_value_store.x.arn")}
    keys = resource(f"aws_cloudfrontkeyvaluestore_{kind}.x", values, written)
    stores = load_json(tmp_path, plan(store, other, keys)).project.key_value_stores
    assert {name: each.data for name, each in stores.items()} == {"routes": {"a": "1"}, "other": {}}


@pytest.mark.rule("CDN-CFG-334")
def test_a_continuous_deployment_policy(tmp_path: Path) -> None:
    staging = distribution(address="aws_cloudfront_distribution.staging", staging=True)
    policy = resource(
        "aws_cloudfront_continuous_deployment_policy.try",
        {
            "enabled": True,
            "staging_distribution_dns_names": [{"items": [None], "quantity": 1}],
            "traffic_config": [
                {"type": "SingleWeight", "single_header_config": [],
                 "single_weight_config": [
                     {"weight": 0.1, "session_stickiness_config": [
                         {"idle_ttl": 300, "maximum_ttl": 600}]}]}
            ],
        },
        {"staging_distribution_dns_names": [
            {"items": refers("aws_cloudfront_distribution.staging.domain_name"),
             "quantity": constant(1)}]},
        {"id": True},
    )  # fmt: skip
    primary = distribution(
        expressions={
            "continuous_deployment_policy_id": refers(
                "aws_cloudfront_continuous_deployment_policy.try.id"
            )
        }
    )
    loaded = load_json(tmp_path, plan(staging, policy, primary))
    [made] = loaded.project.continuous_deployment_policies.values()
    distributions = loaded.project.distributions
    site = distributions["aws_cloudfront_distribution.site"]
    assert site.continuous_deployment_policy_id == made.id
    assert (
        distributions["aws_cloudfront_distribution.staging"].continuous_deployment_policy_id == ""
    )
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-334")
def test_a_real_plan_declares_every_kind(tmp_path: Path) -> None:
    """Policies, a function, a store, keys, access control, logs: all are honoured, none unknown."""
    project = load(GOLDEN, LoadOptions(state_dir=tmp_path)).project
    honoured = {
        each.place.path.split(":")[0].removeprefix("module.cdn.").split(".")[0]
        for each in project.report.lines
        if each.treatment is Treatment.HONOURED
    }
    assert honoured >= {
        f"aws_cloudfront_{kind}"
        for kind in (
            "distribution", "cache_policy", "origin_request_policy", "response_headers_policy",
            "function", "key_value_store", "public_key", "key_group", "origin_access_control",
            "realtime_log_config",
        )
    }  # fmt: skip
    assert not [each for each in project.report.lines if "does not know" in each.why]
    site = project.distributions["module.cdn.aws_cloudfront_distribution.this"]
    assert site.origins["site"].access_control is not None
    assert [len(keys) for keys in site.key_groups.values()] == [2]  # by ID and by logical ID


@pytest.mark.rule("CDN-CFG-334")
def test_an_origin_access_identity(tmp_path: Path) -> None:
    identity = resource("aws_cloudfront_origin_access_identity.old", {"comment": "x"})
    path = "aws_cloudfront_origin_access_identity.old.cloudfront_access_identity_path"
    given = origin(
        domain_name="corpus.s3.amazonaws.com", custom_origin_config=[], s3_origin_config=[{}]
    )
    written = {"s3_origin_config": [{"origin_access_identity": refers(path)}]}
    site = distribution(origin=[given], expressions={"origin": [written]})
    [made] = only_distribution(load_json(tmp_path, plan(identity, site))).origins.values()
    config: Any = made.config
    assert config.origin_access_identity.startswith("origin-access-identity/cloudfront/E")


@pytest.mark.rule("CDN-CFG-335")
@pytest.mark.parametrize("name", ["Managed-AllViewer", "AllViewer"])
def test_policies_that_are_looked_up_by_name(tmp_path: Path, name: str) -> None:
    """Where they are read at apply only, the plan has nothing but their names."""
    address = "data.aws_cloudfront_origin_request_policy.viewer"
    data = resource(address, {"name": name}, {"name": constant(name)})
    site = distribution(
        unknown_behavior("origin_request_policy_id"),
        {"origin_request_policy_id": refers(f"{address}.id")},
    )
    loaded = load_json(tmp_path, plan(site, data=[data]))
    made = only_distribution(loaded).default_behavior.origin_request_policy
    assert made == find_origin_request_policy("AllViewer")
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-335")
def test_an_own_policy_that_is_looked_up(tmp_path: Path) -> None:
    """The plan has the contents of what it looked up."""
    policy = cache_policy("data.aws_cloudfront_cache_policy.ours", id="p1", name="ours")
    loaded = load_json(tmp_path, plan(distribution(behavior(cache_policy_id="p1")), data=[policy]))
    assert cache_name(loaded) == "ours"


@pytest.mark.rule("CDN-CFG-336", "CDN-CFG-337", "CDN-CFG-338")
def test_policies_of_a_real_plan(tmp_path: Path) -> None:
    project = load(GOLDEN, LoadOptions(state_dir=tmp_path)).project
    site = project.distributions["module.cdn.aws_cloudfront_distribution.this"]
    default = site.default_behavior
    cache, request, headers = (
        default.cache, default.origin_request_policy, default.response_headers_policy,
    )  # fmt: skip
    assert isinstance(cache, CachePolicy)
    assert (cache.min_ttl_s, cache.default_ttl_s, cache.max_ttl_s) == (0, 60, 3600)
    assert (cache.headers.kind, cache.headers.names) == ("whitelist", ("Accept-Language",))
    assert (cache.cookies.kind, cache.cookies.names) == ("whitelist", ("ab",))
    assert (cache.query_strings.kind, cache.query_strings.names) == ("allExcept", ("utm_source",))
    assert (cache.enable_accept_encoding_gzip, cache.enable_accept_encoding_brotli) == (True, True)
    assert request is not None
    assert (request.headers.kind, request.headers.names) == ("allExcept", ("Host",))
    assert (request.cookies.kind, request.query_strings.kind) == ("none", "all")
    assert headers is not None
    assert headers.cors is not None
    assert headers.cors.allow_origins == ("https://app.example.com",)
    assert (headers.cors.expose_headers, headers.cors.max_age_s) == (("etag",), 600)
    assert [(each.name, each.value, each.override) for each in headers.security_headers] == [
        ("X-XSS-Protection", "1; mode=block", True),
        ("X-Frame-Options", "DENY", False),
        ("Referrer-Policy", "same-origin", True),
        ("Content-Security-Policy", "default-src 'self'", True),
        ("X-Content-Type-Options", "nosniff", True),
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains", True),
    ]
    assert [(each.name, each.value) for each in headers.custom_headers] == [("x-corpus", "1")]
    assert headers.remove_headers == ("server",)
    assert (headers.server_timing.enabled, headers.server_timing.sampling_rate) == (True, 50)


@pytest.mark.rule("CDN-CFG-339")
@pytest.mark.parametrize(("publish", "findings"), [(True, []), (False, ["CFF-ASSOC-04"])])
def test_cloudfront_functions(tmp_path: Path, publish: bool, findings: list[str]) -> None:
    store = resource("aws_cloudfront_key_value_store.x", {"name": "routes"}, {}, {"arn": True})
    rewrite = resource(
        "aws_cloudfront_function.rewrite",
        {"name": "rewrite", "runtime": "cloudfront-js-2.0", "publish": publish, "comment": None,
         "code": "function handler(event) { return event.request; }",
         "key_value_store_associations": [None]},
        {"code": {"references": ["path.module"]},
         "key_value_store_associations": refers("aws_cloudfront_key_value_store.x.arn")},
    )  # fmt: skip
    site = distribution(
        behavior(function_association=[{"event_type": "viewer-request"}]),
        {"function_association": [
            {"event_type": constant("viewer-request"),
             "function_arn": refers("aws_cloudfront_function.rewrite.arn")}]},
    )  # fmt: skip
    loaded = load_json(tmp_path, plan(store, rewrite, site))
    [made] = loaded.project.cloudfront_functions.values()
    assert (made.name, made.runtime, made.key_value_store) == (
        "rewrite", "cloudfront-js-2.0", "routes",
    )  # fmt: skip
    assert made.code.startswith("function handler")
    [association] = only_distribution(loaded).default_behavior.functions
    assert association.function == "rewrite"
    assert [each.rule for each in loaded.findings] == findings
    notes = {each.place.path: each.why for each in loaded.project.report.lines}
    assert "next terraform plan" in notes["aws_cloudfront_function.rewrite: code"]


# Lambda


@pytest.mark.rule("CDN-CFG-340")
def test_a_zip_beside_the_plan_is_the_code(tmp_path: Path) -> None:
    edge = function(tmp_path)
    for name in ("memory_size", "timeout"):
        del edge["known"]["values"][name]
    loaded = load_json(
        tmp_path, plan(edge, associated(refers("aws_lambda_function.edge.qualified_arn")))
    )
    made = loaded.project.functions["edge"]
    assert (made.spec.timeout_s, made.spec.memory_mb, made.versions) == (3, 128, ("1",))
    assert (made.spec.code_root / "app.py").is_file()
    assert made.watch == ((tmp_path / "edge.zip").resolve(),)
    assert made.reserved_concurrency is None


@pytest.mark.rule("CDN-CFG-340")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"filename": None, "s3_bucket": "b", "s3_key": "k.zip"}, "s3://b/k.zip"),
        ({"filename": None, "package_type": "Image", "image_uri": "x/y:1"}, "container images"),
    ],
)
def test_code_that_is_not_here(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    edge = function(tmp_path, **values)
    edge["config"]["expressions"] = {}
    with pytest.raises(DefinitionError, match=message):
        load_json(
            tmp_path, plan(edge, associated(refers("aws_lambda_function.edge.qualified_arn")))
        )


@pytest.mark.rule("CDN-CFG-341")
@pytest.mark.parametrize(
    ("source", "by_reference"),
    [
        ({"source_dir": "src"}, True),
        ({"source_dir": "src"}, False),
        ({"source_file": "src/app.py"}, True),
        ({"source": [{"filename": "app.py", "content": "x = 1\n"}]}, True),
        ({"source_content": "x = 1\n", "source_content_filename": "app.py"}, True),
    ],
)
def test_an_archive_runs_from_its_sources(
    tmp_path: Path, source: dict[str, Any], by_reference: bool
) -> None:
    """The zip that Terraform made is not looked at, so that edits are seen."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("x = 1\n")
    archive = resource("data.archive_file.edge", {"output_path": "out.zip", **source})
    edge = function(tmp_path, filename="out.zip")
    if by_reference:
        edge["config"]["expressions"]["filename"] = refers("data.archive_file.edge.output_path")
        del edge["known"]["values"]["filename"]
    made = load_json(tmp_path, plan(edge, data=[archive])).project.functions["edge"]
    assert (made.spec.code_root / "app.py").read_text() == "x = 1\n"
    if "source_dir" in source or "source_file" in source:
        assert made.watch == ((tmp_path / "src").resolve(),)


@pytest.mark.rule("CDN-CFG-342")
@pytest.mark.parametrize(
    ("references", "publish", "rules"),
    [
        (["qualified_arn"], True, []),
        (["arn", "version"], True, []),
        (["arn"], True, ["LE-ASSOC-05"]),
        (["qualified_arn"], False, ["LE-ASSOC-05"]),
    ],
)
def test_a_version_is_associated(
    tmp_path: Path, references: list[str], publish: bool, rules: list[str]
) -> None:
    edge = function(tmp_path, publish=publish)
    arn = refers(*(f"aws_lambda_function.edge.{name}" for name in references))
    loaded = load_json(tmp_path, plan(edge, associated(arn)))
    assert [each.rule for each in loaded.findings] == rules


@pytest.mark.rule("CDN-CFG-342")
def test_a_version_of_a_state(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:us-east-1:210987654321:function:edge"
    edge = function(tmp_path, arn=arn, qualified_arn=f"{arn}:7", version="7")
    site = distribution(
        behavior(
            lambda_function_association=[{"event_type": "origin-request", "lambda_arn": f"{arn}:7"}]
        )
    )
    loaded = load_json(tmp_path, state(edge, site))
    [association] = only_distribution(loaded).default_behavior.functions
    assert (association.function, association.qualifier) == ("edge", "7")
    assert loaded.findings == ()


def test_a_function_lies_in_its_providers_region(tmp_path: Path) -> None:
    """Lambda@Edge asks for us-east-1; the default provider may be anywhere."""
    edge = function(tmp_path)
    edge["config"]["provider_config_key"] = "aws.virginia"
    regions = {"aws": "eu-west-1", "aws.virginia": "us-east-1"}
    providers = {
        name: {"expressions": {"region": constant(each)}} for name, each in regions.items()
    }
    site = associated(refers("aws_lambda_function.edge.qualified_arn"))
    loaded = load_json(tmp_path, plan(edge, site, providers=providers))
    assert loaded.project.functions["edge"].spec.region == "us-east-1"
    assert loaded.findings == ()
    del edge["config"]["provider_config_key"]
    edge["config"]["provider_config_key"] = "aws"
    loaded = load_json(tmp_path, plan(edge, site, providers=providers))
    assert loaded.findings


def test_layers_of_a_function(tmp_path: Path) -> None:
    (tmp_path / "layer" / "python").mkdir(parents=True)
    (tmp_path / "layer" / "python" / "shared.py").write_text("x = 1\n")
    archive = resource("data.archive_file.layer", {"output_path": "l.zip", "source_dir": "layer"})
    layer = resource(
        "aws_lambda_layer_version.shared",
        {"layer_name": "shared", "filename": "l.zip", "compatible_runtimes": ["python3.12"]},
        {"filename": constant("l.zip")},
        {"arn": True},
    )
    edge = function(tmp_path, layers=[None])
    edge["config"]["expressions"]["layers"] = refers("aws_lambda_layer_version.shared.arn")
    loaded = load_json(tmp_path, plan(edge, layer, data=[archive]))
    opt = loaded.project.functions["edge"].spec.opt
    assert opt is not None
    assert (opt / "python" / "shared.py").read_text() == "x = 1\n"


def test_an_origin_that_the_plan_itself_serves(tmp_path: Path) -> None:
    """A function URL of a state is found by its host name, that of a plan by reference."""
    values = {"function_name": "edge", "authorization_type": "NONE", "invoke_mode": "BUFFERED"}
    known = values | {"function_url": "https://abc.lambda-url.us-east-1.on.aws/"}
    address = "aws_lambda_function_url.api"
    site = distribution(origin=[origin(domain_name="abc.lambda-url.us-east-1.on.aws")])
    applied = load_json(tmp_path, state(function(tmp_path), resource(address, known), site))
    assert list(applied.origins.values()) == [f"function-url:{address}"]


# what is not read


@pytest.mark.rule("CDN-CFG-343")
@pytest.mark.parametrize("name", ["main.tf", "main.tofu", "main.tf.json", ""])
def test_terraforms_own_language_points_to_the_plan(tmp_path: Path, name: str) -> None:
    (tmp_path / (name or "main.tf")).write_text("{}")
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path / name)
    assert caught.value.rule == "CDN-CFG-343"
    assert "terraform plan -out" in caught.value.remedy
    assert "terraform show -json" in caught.value.remedy


@pytest.mark.rule("CDN-CFG-330")
def test_a_saved_plan_and_a_raw_state_point_to_show(tmp_path: Path) -> None:
    saved = io.BytesIO()
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("tfplan", b"\x00")
    (tmp_path / "plan.out").write_bytes(saved.getvalue())
    raw = {"version": 4, "terraform_version": "1.9.8", "resources": []}
    (tmp_path / "terraform.tfstate").write_text(json.dumps(raw))
    for name in ("plan.out", "terraform.tfstate"):
        with pytest.raises(DefinitionError, match="own format") as caught:
            load(tmp_path / name)
        assert "terraform show -json" in caught.value.remedy


@pytest.mark.rule("CDN-CFG-344")
def test_opentofu_writes_the_same(tmp_path: Path) -> None:
    """Only the name of the registry differs."""
    text = GOLDEN.read_text()
    folder = tmp_path / "tofu"
    folder.mkdir()
    for name in ("edge", "variant"):
        (folder / name).symlink_to(GOLDEN.parent / name)
    file = folder / "plan.json"
    file.write_text(text.replace("registry.terraform.io", "registry.opentofu.org"))
    options = LoadOptions(state_dir=tmp_path)
    made, expected = load(file, options).project, load(GOLDEN, options).project
    name = "module.cdn.aws_cloudfront_distribution.this"
    assert made.distributions[name].behaviors == expected.distributions[name].behaviors
    assert made.distributions[name].origins == expected.distributions[name].origins
