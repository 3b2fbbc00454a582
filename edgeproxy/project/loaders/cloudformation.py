"""Templates to project: one template, or the stacks of a CDK app that refer to each other.

Resources are read in the order of who refers to whom: functions, their versions and aliases, what
distributions refer to, function URLs, load balancers, distributions.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from edgeproxy.distribution.functions import KeyValueStore
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project import identifiers
from edgeproxy.project.checks.counts import check_custom_policies
from edgeproxy.project.checks.deployment import check_pairs
from edgeproxy.project.checks.distribution import check_caller_reference
from edgeproxy.project.loaders.aliases import (
    PROVISIONED,
    read_alias,
    read_provisioned,
    read_serverless_provisioned,
    read_version,
)
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.code_deploy import CODE_DEPLOY, read_code_deploy
from edgeproxy.project.loaders.distribution import Identifiers, read_distribution
from edgeproxy.project.loaders.edge_resources import read_edge_resources
from edgeproxy.project.loaders.event_invoke import (
    read_event_invoke_config,
    read_serverless_event_invoke,
)
from edgeproxy.project.loaders.event_source_mappings import (
    EVENT_SOURCE_MAPPING,
    read_event_source_mappings,
)
from edgeproxy.project.loaders.field_encryption import (
    read_field_encryption,
    require_field_encryption,
)
from edgeproxy.project.loaders.functions import (
    LAMBDA_FUNCTIONS,
    read_function,
    read_function_url,
)
from edgeproxy.project.loaders.layers import LAYERS, read_layers
from edgeproxy.project.loaders.load_balancers import read_load_balancers
from edgeproxy.project.loaders.log_resources import (
    LOG_DELIVERIES,
    read_log_deliveries,
    read_realtime_log_configs,
)
from edgeproxy.project.loaders.mutual_tls import (
    given_trust_stores,
    read_mutual_tls_resources,
    require_trust_stores,
)
from edgeproxy.project.loaders.options import Loaded, LoadOptions
from edgeproxy.project.loaders.permissions import PERMISSIONS, check_doors, read_permissions
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.public_keys import read_public_keys, require_trust
from edgeproxy.project.loaders.sam import SERVERLESS_FUNCTION, expand_serverless
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.tenants import read_tenants
from edgeproxy.project.model import Project
from edgeproxy.project.report import Notes

__all__ = ["load_templates"]

_BUCKET_DEPLOYMENT = "Custom::CDKBucketDeployment"
_READ = (
    *LAMBDA_FUNCTIONS,
    PROVISIONED,
    *(f"AWS::Lambda::{kind}" for kind in ("Version", "Alias", "Url", "EventInvokeConfig")),
    *(
        f"AWS::CloudFront::{kind}"
        for kind in (
            "Distribution", "CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy",
            "Function", "KeyValueStore", "KeyGroup", "PublicKey", "ContinuousDeploymentPolicy",
            "ConnectionFunction", "TrustStore", "DistributionTenant", "ConnectionGroup",
            "OriginAccessControl", "CloudFrontOriginAccessIdentity",
            "RealtimeLogConfig",
        )
    ),
    *(
        f"AWS::ElasticLoadBalancingV2::{kind}"
        for kind in ("LoadBalancer", "Listener", "ListenerRule", "TargetGroup")
    ),
)  # fmt: skip
_REFERRED_TO = (
    *LAYERS,
    _BUCKET_DEPLOYMENT,
    *LOG_DELIVERIES,
    *PERMISSIONS,
    EVENT_SOURCE_MAPPING,
    *CODE_DEPLOY,
    "AWS::SSM::Parameter",
    "Custom::CrossRegionExportReader",
    "Custom::CrossRegionExportWriter",
    "Custom::CrossRegionStringParameterReader",
)
_NOT_READ = {
    "AWS::CloudFormation::Stack": "nested stacks are not read; give their template as TARGET",
    "AWS::Serverless::Application": "nested applications are not read",
    "AWS::Serverless::Api": "API gateways do not run here; map the origin with --origin",
    "AWS::Serverless::HttpApi": "API gateways do not run here; map the origin with --origin",
    "AWS::ApiGateway::RestApi": "API gateways do not run here; map the origin with --origin",
    "AWS::ApiGatewayV2::Api": "API gateways do not run here; map the origin with --origin",
    "AWS::S3::Bucket": (
        "no bucket is made here; map the origin with --origin, or give --aws-endpoint S3=URL"
    ),
    "AWS::WAFv2::WebACL": "there is no web application firewall here",
}


def load_templates(templates: Sequence[Template], notes: Notes, options: LoadOptions) -> Loaded:
    """The project that ``templates`` declare together.

    Raises :class:`DefinitionError` for what cannot be run, and where two stacks use one logical ID
    for something that runs.
    """
    for template in templates:
        template.siblings = list(templates)
        expand_serverless(template)
    _require_different_names(templates)
    catalogue = Catalogue(
        loose_keys=read_public_keys(options.public_keys), trust_stores=given_trust_stores(options)
    )
    catalogue.field_encryption = read_field_encryption(options.field_level_encryption, notes)
    _read_functions(templates, catalogue, options)
    bundles: list[Path] = []
    for template in templates:
        read_edge_resources(template, catalogue, options)
        read_realtime_log_configs(template, catalogue)
        bundles += read_mutual_tls_resources(template, catalogue, options)
    notes.found(check_custom_policies(catalogue.custom_policies))
    stores = {store.name: store for store in catalogue.key_value_stores.values()}
    _require_stores(stores, options)
    urls = {
        resource.logical_id: read_function_url(resource, catalogue)
        for template in templates
        for resource in template.resources("AWS::Lambda::Url")
    }
    mappings = read_event_source_mappings(templates, catalogue)
    knows_policies = read_permissions(templates, catalogue)
    load_balancers = {each.logical_id: each for each in read_load_balancers(templates, catalogue)}
    declared = {
        each.logical_id: each
        for template in templates
        for each in _read_distributions(template, catalogue)
    }
    declared = read_log_deliveries(templates, declared)
    shared = {name: each for name, each in declared.items() if each.is_multi_tenant}
    distributions = {name: each for name, each in declared.items() if name not in shared}
    distributions |= read_tenants(templates, declared)
    require_trust(options.public_keys, distributions.values())
    require_trust_stores(options, catalogue, distributions.values())
    require_field_encryption(options.field_level_encryption, distributions.values())
    policies = catalogue.deployment_policies
    notes.found(check_pairs(distributions, policies, catalogue.deployment_places))
    listening = [name for name, balancer in load_balancers.items() if balancer.listeners]
    origins = _own_origins(templates, urls, listening)
    for template in templates:
        _note_the_rest(template, notes)
    sources = [file for each in templates for file in (each.file, *each.more_sources)]
    sources += [store.source for store in stores.values() if store.source is not None]
    sources += [*bundles, *options.field_level_encryption.values()]
    project = Project(
        distributions=distributions,
        multi_tenant_distributions=shared,
        continuous_deployment_policies=policies,
        functions={
            name: function.finished()
            for name, function in catalogue.lambda_functions.items()
            if function.no_code is None
        },
        cloudfront_functions={each.name: each for each in catalogue.cloudfront_functions.values()},
        connection_functions={each.name: each for each in catalogue.connection_functions.values()},
        key_value_stores=stores,
        function_urls=urls,
        load_balancers=load_balancers,
        event_source_mappings=mappings,
        report=notes.report,
        sources=tuple(dict.fromkeys([*sources, *options.public_keys.values()])),
    )
    if knows_policies:
        notes.found(check_doors(templates, project, catalogue))
    stand_ins = {host: name for each in templates for host, name in each.stand_ins.items()}
    return Loaded(project, origins, stand_ins, notes.findings)


def _read_functions(
    templates: Sequence[Template], catalogue: Catalogue, options: LoadOptions
) -> None:
    layers = read_layers(templates, options.state_dir)
    for template in templates:
        for resource in template.resources(*LAMBDA_FUNCTIONS):
            read_function(resource, template, catalogue, layers, options)
    for template in templates:
        for resource in template.resources("AWS::Lambda::Version"):
            read_version(resource, template, catalogue)
    for template in templates:
        for resource in template.resources("AWS::Lambda::Alias"):
            read_alias(resource, catalogue)
        for resource in template.resources(SERVERLESS_FUNCTION):
            read_serverless_provisioned(resource, template, catalogue)
    for template in templates:
        for resource in template.resources(PROVISIONED):
            read_provisioned(resource, catalogue)
        for resource in template.resources("AWS::Lambda::EventInvokeConfig"):
            read_event_invoke_config(resource, catalogue)
        for resource in template.resources(SERVERLESS_FUNCTION):
            read_serverless_event_invoke(resource, template, catalogue)
    read_code_deploy(templates, catalogue)


def _require_stores(stores: Mapping[str, KeyValueStore], options: LoadOptions) -> None:
    known = {*stores, *(store.logical_id for store in stores.values())}
    for name in options.key_value_stores:
        if name not in known:
            raise UsageError(
                f"--kvs: the definition declares no key-value store {name!r}",
                remedy="it declares " + (", ".join(sorted(known)) or "none"),
            )


def _own_origins(
    templates: Sequence[Template], urls: Container[str], load_balancers: Container[str]
) -> dict[str, str]:
    """Origins that the definition itself can serve (CDN-CFG-281), by host name: function URLs,
    load balancers, and buckets that a CDK app fills from a folder."""
    origins = {}
    for template in templates:
        folders = dict(_deployed_folders(template))
        for host, logical_id in template.stand_ins.items():
            if logical_id in urls:
                origins[host] = f"function-url:{logical_id}"
            elif logical_id in load_balancers:
                origins[host] = f"load-balancer:{logical_id}"
            elif logical_id in template.types:
                folder = folders.get(template.physical_name(logical_id))
                if folder is not None:
                    origins[host] = str(folder)
    return origins


def _deployed_folders(template: Template) -> Iterator[tuple[str, Path]]:
    """Bucket names and the one asset folder that CDK's ``BucketDeployment`` copies into each."""
    for resource in template.resources(_BUCKET_DEPLOYMENT):
        properties = resource.properties
        keys = properties.texts("SourceObjectKeys")
        folder = template.assets.get(keys[0]) if len(keys) == 1 else None
        if (
            folder is not None
            and folder.is_dir()
            and not properties.has("DestinationBucketKeyPrefix")
        ):
            yield properties.text("DestinationBucketName"), folder.resolve()


def _require_different_names(templates: Sequence[Template]) -> None:
    seen: dict[str, Template] = {}
    for template in templates:
        for resource in template.resources(*_READ):
            other = seen.setdefault(resource.logical_id, template)
            if other is not template:
                raise DefinitionError(
                    f"the stacks {other.stack} and {template.stack} both declare "
                    f"{resource.logical_id}",
                    place=resource.place,
                    rule="CDN-CFG-008",
                    remedy=f"give one stack's template as TARGET, such as {template.file}",
                )


def _read_distributions(template: Template, catalogue: Catalogue) -> list[Distribution]:
    found = []
    for resource in template.resources("AWS::CloudFront::Distribution"):
        properties = resource.properties
        properties.ignore(NOT_TRAFFIC, "Tags")
        config = properties.required_section("DistributionConfig")
        made = Identifiers(
            resource.logical_id,
            identifiers.distribution_id(resource.logical_id),
            identifiers.distribution_domain_name(resource.logical_id),
            template.file,
        )
        found.append(read_distribution(config, made, catalogue))
        given = "CallerReference" in config.values
        config.found(check_caller_reference(config.place, given=given, in_template=True))
        properties.finish()
    return found


def _note_the_rest(template: Template, notes: Notes) -> None:
    """One line for each resource that is not read, or whose condition is false."""
    for logical_id, kind in template.types.items():
        place = template.declared[logical_id].place()
        if not template.exists(logical_id):
            notes.ignored(place, f"{kind}: its condition is false")
        elif kind not in (*_READ, *_REFERRED_TO):
            notes.ignored(
                place, f"{kind}: {_NOT_READ.get(kind, 'it is no part of what runs here')}"
            )
