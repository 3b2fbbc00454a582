"""Reads a distribution as the AWS CLI prints it (CDN-CFG-001): ``DistributionConfig`` JSON."""

from pathlib import Path

from edgeproxy.project import identifiers
from edgeproxy.project.checks.distribution import check_caller_reference
from edgeproxy.project.checks.tenants import without_tenants
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.distribution import Identifiers, read_distribution
from edgeproxy.project.loaders.field_encryption import (
    read_field_encryption,
    require_field_encryption,
)
from edgeproxy.project.loaders.mutual_tls import given_trust_stores, require_trust_stores
from edgeproxy.project.loaders.options import Loaded, LoadOptions
from edgeproxy.project.loaders.public_keys import read_public_keys, require_trust
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.yaml_source import Table
from edgeproxy.project.model import Project
from edgeproxy.project.report import Notes

__all__ = ["is_distribution_config", "load_distribution_config"]

_NAME = "Default"
_STATE = (
    "ARN", "ActiveTrustedKeyGroups", "ActiveTrustedSigners", "AliasICPRecordals", "ETag",
    "InProgressInvalidationBatches", "LastModifiedTime", "Location", "Status", "Tags",
)  # fmt: skip
_TOLD_BY_AWS = "it tells of the distribution on AWS"


def is_distribution_config(table: Table) -> bool:
    """Whether ``table`` has one of the four shapes."""
    return (
        {"Origins", "DefaultCacheBehavior"} <= table.keys()
        or "DistributionConfig" in table
        or "DistributionConfigWithTags" in table
        or "Distribution" in table
    )


def load_distribution_config(
    file: Path, table: Table, notes: Notes, options: LoadOptions
) -> Loaded:
    """One distribution, ``Default``, under the ID and domain name of the file if it has them."""
    outer = Section(Source(file, notes), table, "")
    inner = outer.section("Distribution") or outer.section("DistributionConfigWithTags") or outer
    config = inner.section("DistributionConfig") or inner
    domain_name = inner.text("DomainName", "") if config is not inner else ""
    distribution_id = inner.text("Id", "") if config is not inner else ""
    catalogue = Catalogue(
        loose_keys=read_public_keys(options.public_keys), trust_stores=given_trust_stores(options)
    )
    catalogue.field_encryption = read_field_encryption(options.field_level_encryption, notes)
    distribution = read_distribution(
        config,
        Identifiers(
            _NAME,
            distribution_id or identifiers.distribution_id(_NAME),
            domain_name or identifiers.distribution_domain_name(_NAME),
            file,
        ),
        catalogue,
    )
    for each in (outer, inner):
        if each is config:
            break
        each.ignore(_TOLD_BY_AWS, *_STATE)
        each.finish()
    given = config.has("CallerReference")
    notes.found(check_caller_reference(config.place, given=given, in_template=False))
    if distribution.is_multi_tenant:
        notes.found([without_tenants(config.place("ConnectionMode"))])
    require_trust(options.public_keys, [distribution])
    require_trust_stores(options, catalogue, [distribution])
    require_field_encryption(options.field_level_encryption, [distribution])
    project = Project(
        distributions={} if distribution.is_multi_tenant else {_NAME: distribution},
        multi_tenant_distributions={_NAME: distribution} if distribution.is_multi_tenant else {},
        report=notes.report,
        sources=(
            file,
            *options.public_keys.values(),
            *options.trust_stores.values(),
            *options.field_level_encryption.values(),
        ),
    )
    return Loaded(project, findings=notes.findings)
