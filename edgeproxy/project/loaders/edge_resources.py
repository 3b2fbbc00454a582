"""Reads what distributions refer to: policies, CloudFront Functions, stores, keys."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.distribution.model import (
    CachePolicy,
    OriginRequestPolicy,
    PublicKey,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.errors import DefinitionError, Place, reason
from edgeproxy.project.checks.functions import (
    check_cloudfront_function,
    check_comment,
    check_key_value_store,
    check_published,
)
from edgeproxy.project.checks.public_keys import check_public_key, check_unknown_key
from edgeproxy.project.identifiers import distribution_id, policy_id, public_key_id
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.deployment import read_deployment_policy
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.origins import read_origin_access_control
from edgeproxy.project.loaders.policies import (
    NOT_TRAFFIC,
    read_cache_policy,
    read_origin_request_policy,
    read_response_headers_policy,
)
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.loaders.yaml_source import Items, Table, parse_json
from edgeproxy.project.report import CheckFinding

__all__ = ["associated_store", "read_edge_resources", "read_key_value_data"]

_Policy: TypeAlias = CachePolicy | OriginRequestPolicy | ResponseHeadersPolicy
_CF = "AWS::CloudFront::"
_RUNTIMES = ("cloudfront-js-1.0", "cloudfront-js-2.0")


def read_edge_resources(template: Template, catalogue: Catalogue, options: LoadOptions) -> None:
    """Fill ``catalogue`` from one template, in the order of who refers to whom."""
    for resource in template.resources(f"{_CF}CachePolicy"):
        config, name = _config(resource, "CachePolicyConfig"), policy_id(resource.logical_id)
        policy = read_cache_policy(config, name)
        config.found(_check_name(policy, catalogue.cache_policies.values(), config))
        catalogue.cache_policies[name] = policy
    for resource in template.resources(f"{_CF}OriginRequestPolicy"):
        config, name = (
            _config(resource, "OriginRequestPolicyConfig"),
            policy_id(resource.logical_id),
        )
        forwarding = read_origin_request_policy(config, name)
        config.found(_check_name(forwarding, catalogue.origin_request_policies.values(), config))
        catalogue.origin_request_policies[name] = forwarding
    for resource in template.resources(f"{_CF}ResponseHeadersPolicy"):
        config = _config(resource, "ResponseHeadersPolicyConfig")
        name = policy_id(resource.logical_id)
        headers = read_response_headers_policy(config, name)
        config.found(_check_name(headers, catalogue.response_headers_policies.values(), config))
        catalogue.response_headers_policies[name] = headers
    for resource in template.resources(f"{_CF}KeyValueStore"):
        arn = template.attribute(resource.logical_id, "Arn", resource.place)
        store = _key_value_store(resource, template, options)
        others = catalogue.key_value_stores.values()
        _require_new_name(store.name, others, resource.properties, "CDN-CFG-214")
        catalogue.key_value_stores[str(arn)] = store
    for resource in template.resources(f"{_CF}Function"):
        function = _cloudfront_function(resource, template, catalogue)
        arn = template.attribute(resource.logical_id, "FunctionARN", resource.place)
        catalogue.cloudfront_functions[str(arn)] = function
    _origin_access(template, catalogue)
    _key_groups(template, catalogue)
    for resource in template.resources(f"{_CF}ContinuousDeploymentPolicy"):
        config, name = (
            _config(resource, "ContinuousDeploymentPolicyConfig"),
            policy_id(resource.logical_id),
        )
        catalogue.deployment_policies[name] = read_deployment_policy(
            config, resource.logical_id, name
        )
        catalogue.deployment_places[name] = config.place("StagingDistributionDnsNames")


def _check_name(
    policy: _Policy, others: Iterable[_Policy], config: Section
) -> Iterator[CheckFinding]:
    """CDN-CFG-170"""
    if any(policy.name == other.name for other in others):
        yield CheckFinding(
            "CDN-CFG-170",
            config.place("Name"),
            f"AlreadyExists: another policy of this kind is named {policy.name!r}.",
            "names are unique in an account",
        )


def _config(resource: Resource, name: str) -> Section:
    config = resource.properties.required_section(name)
    resource.properties.ignore(NOT_TRAFFIC, "Tags")
    resource.properties.finish()
    return config


def _origin_access(template: Template, catalogue: Catalogue) -> None:
    """Origin access controls, and the older identities, which only have an ID (CDN-CFG-222)."""
    for resource in template.resources(f"{_CF}OriginAccessControl"):
        config = _config(resource, "OriginAccessControlConfig")
        control = read_origin_access_control(config, distribution_id(resource.logical_id))
        catalogue.origin_access_controls[control.id] = control
    for resource in template.resources(f"{_CF}CloudFrontOriginAccessIdentity"):
        config = _config(resource, "CloudFrontOriginAccessIdentityConfig")
        config.ignore(NOT_TRAFFIC, "Comment")
        config.finish()


# functions and stores


def _cloudfront_function(
    resource: Resource, template: Template, catalogue: Catalogue
) -> CloudFrontFunction:
    """A CloudFront Function; its code runs whether or not it is published (CDN-CFG-213)."""
    properties = resource.properties
    config = properties.required_section("FunctionConfig")
    config.ignore(NOT_TRAFFIC, "Comment")
    properties.ignore(NOT_TRAFFIC, "Tags", "FunctionMetadata")
    if not properties.boolean("AutoPublish", False):
        properties.approximate("AutoPublish", "the code runs although it would not be published")
        properties.found(check_published(properties.place("AutoPublish")))
    stores = [associated_store(each, catalogue) for each in _stores(config)]
    function = CloudFrontFunction(
        name=properties.text("Name"),
        runtime=config.choice("Runtime", _RUNTIMES),
        code=properties.text("FunctionCode"),
        key_value_store=stores[0].name if stores else "",
        logical_id=resource.logical_id,
        place=properties.place("FunctionCode"),
        comment=config.text("Comment", ""),
    )
    config.finish()
    properties.finish()
    properties.found(check_cloudfront_function(function, len(stores), properties.place))
    if not config.has("Comment"):
        properties.found(check_comment(config.place()))
    others = catalogue.cloudfront_functions.values()
    _require_new_name(function.name, others, properties, "CFF-ASSOC-06")
    return function


def _require_new_name(
    name: str, others: Iterable[CloudFrontFunction | KeyValueStore], properties: Section, rule: str
) -> None:
    """Functions and stores are found by name, so that a second one could not be."""
    if any(name == other.name for other in others):
        raise properties.error(
            "Name",
            f"another one is named {name!r}",
            rule=rule,
            remedy="names are unique in an account",
        )


def _stores(config: Section) -> list[Section]:
    return config.sections("KeyValueStoreAssociations")


def associated_store(association: Section, catalogue: Catalogue) -> KeyValueStore:
    """The store that a function is associated with (CDN-CFG-214)."""
    arn = association.text("KeyValueStoreARN|KeyValueStoreArn")
    association.finish()
    if arn not in catalogue.key_value_stores:
        raise association.error(
            "KeyValueStoreARN|KeyValueStoreArn",
            f"no key-value store {arn!r} is declared here",
            rule="CDN-CFG-214",
            remedy="declare an AWS::CloudFront::KeyValueStore and refer to its Arn",
        )
    return catalogue.key_value_stores[arn]


def _key_value_store(resource: Resource, template: Template, options: LoadOptions) -> KeyValueStore:
    """A store with what ``--kvs`` loads into it, else with its CDK asset, else empty."""
    properties = resource.properties
    name = properties.text("Name")
    properties.ignore(NOT_TRAFFIC, "Comment", "Tags")
    given = options.key_value_stores
    source = given.get(name) or given.get(resource.logical_id)
    imported = properties.section("ImportSource")
    if imported is not None:
        imported.choice("SourceType", ("S3",))
        key = imported.text("SourceArn").rsplit("/", 1)[-1]
        source = source or template.assets.get(key)
        if source is None:
            properties.source.notes.ignored(
                imported.place("SourceArn"),
                f"the file lies in S3, so the store is empty; load it with --kvs {name}=FILE",
            )
        imported.finish()
    properties.finish()
    pairs = resource.metadata.get("KeyValuePairs")  # Terraform has them in resources.
    own = {key: str(pairs[key]) for key in pairs} if isinstance(pairs, Table) else {}
    data = read_key_value_data(source) if source is not None else own
    store = KeyValueStore(name, data, resource.logical_id, source)
    properties.found(check_key_value_store(store, Place(source) if source else resource.place))
    return store


def read_key_value_data(file: Path) -> Mapping[str, str]:
    """The pairs of AWS's import format, ``{"data": [{"key": …, "value": …}]}`` (CDN-CFG-214)."""
    value = parse_json(_read(file), file)
    pairs = value.get("data") if isinstance(value, Table) else None
    if not isinstance(pairs, Items):
        raise _not_import_format(file)
    data: dict[str, str] = {}
    for pair in pairs:
        key = pair.get("key") if isinstance(pair, Table) else None
        text = pair.get("value") if isinstance(pair, Table) else None
        if not isinstance(key, str) or text is None or isinstance(text, bool):
            raise _not_import_format(file)
        if key in data:
            raise DefinitionError(
                f"the key {key!r} is there twice",
                place=Place(file),
                rule="CDN-CFG-214",
                remedy="AWS imports no file with duplicate keys: remove one of them",
            )
        # The console's own files hold JSON values as objects; AWS stores their text.
        data[key] = text if isinstance(text, str) else json.dumps(text, separators=(",", ":"))
    return data


def _not_import_format(file: Path) -> DefinitionError:
    return DefinitionError(
        "is not a key-value store's import file",
        place=Place(file),
        rule="CDN-CFG-214",
        remedy='write {"data": [{"key": "name", "value": "text"}]}',
    )


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"cannot be read: {reason(error)}", place=Place(file), remedy="check the path"
        ) from error


# keys


def _key_groups(template: Template, catalogue: Catalogue) -> None:
    """Key groups; a key answers to its ID and to its logical ID (CDN-CFG-216, CDN-CFG-217)."""
    mapped, keys = catalogue.loose_keys, catalogue.public_keys
    for resource in template.resources(f"{_CF}PublicKey"):
        config = _config(resource, "PublicKeyConfig")
        config.ignore(NOT_TRAFFIC, "CallerReference", "Comment", "Name")
        pem, key_id = config.text("EncodedKey"), public_key_id(resource.logical_id)
        config.finish()
        own = mapped.pop(resource.logical_id, None)
        if own is None:
            own = PublicKey(resource.logical_id, pem)
            found = list(check_public_key(own, config.place("EncodedKey")))
            config.found(found)
            if found:
                keys[key_id] = ()
                continue
        keys[key_id] = (PublicKey(key_id, own.encoded_key), own)
    for resource in template.resources(f"{_CF}KeyGroup"):
        config = _config(resource, "KeyGroupConfig")
        config.ignore(NOT_TRAFFIC, "Comment", "Name")
        members: list[PublicKey] = []
        names = config.texts("Items")
        for name in names:
            if name in mapped:
                keys[name] = (mapped.pop(name),)
            if name not in keys:
                config.found(check_unknown_key(name, config.place("Items")))
            members += keys.get(name, ())
        config.finish()
        if len(names) > 5:
            config.found(
                [
                    CheckFinding(
                        "CDN-CFG-403",
                        config.place("Items"),
                        f"TooManyPublicKeysInKeyGroup: {len(names)}, the quota is 5.",
                        "split the group",
                    )
                ]
            )
        catalogue.key_groups[policy_id(resource.logical_id)] = tuple(members)
