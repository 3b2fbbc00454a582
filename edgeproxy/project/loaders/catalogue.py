"""What resources of a definition may refer to, found by the IDs and ARNs that references give."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from edgeproxy.awslambda.model import EventInvokeConfig, FunctionDefinition
from edgeproxy.awslambda.policies import Statement
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy
from edgeproxy.distribution.field_encryption import FieldLevelEncryption
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.distribution.logs import RealtimeLogConfig
from edgeproxy.distribution.model import (
    CachePolicy,
    OriginAccessControl,
    OriginRequestPolicy,
    PublicKey,
)
from edgeproxy.distribution.mutual_tls import TrustStore
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.identifiers import FunctionArn, parse_function_arn
from edgeproxy.project.loaders.section import Section

__all__ = ["Catalogue", "HasId", "LambdaFunction"]


class HasId(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(slots=True)
class LambdaFunction:
    """A Lambda function while it is being loaded; references add versions to it.

    ``no_code`` is why the function cannot run here: an error for whoever needs it.
    """

    definition: FunctionDefinition
    properties: Section
    no_code: DefinitionError | None = None
    features: Mapping[str, Place] = field(default_factory=dict)
    trusted: tuple[str, ...] | None = None
    versions: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    provisioned: dict[str, int] = field(default_factory=dict)
    policies: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    """By qualifier, empty for none."""
    event_invoke: dict[str, EventInvokeConfig] = field(default_factory=dict)
    """By qualifier, ``$LATEST`` for none."""

    def note_qualifier(
        self, section: Section, name: str, qualifier: str, *, rule: str, remedy: str
    ) -> None:
        """Property ``name`` asks for a version, which exists from then on, or for an alias.

        Raises :class:`DefinitionError` for an unknown alias.
        """
        if qualifier.isdigit():
            self.versions.add(qualifier)
        elif qualifier not in ("", LATEST, *self.aliases):
            raise section.error(
                name,
                f"the function {self.definition.name} has no alias {qualifier!r}",
                rule=rule,
                remedy=remedy,
            )

    def finished(self) -> FunctionDefinition:
        return replace(
            self.definition,
            versions=tuple(sorted(self.versions, key=int)),
            aliases=dict(self.aliases),
            weights=dict(self.weights),
            provisioned=dict(self.provisioned),
            policies=dict(self.policies),
            event_invoke=dict(self.event_invoke),
        )


@dataclass(slots=True)
class Catalogue:
    """What has an ID by ID; functions at the edge and stores by ARN or name."""

    cache_policies: dict[str, CachePolicy] = field(default_factory=dict)
    origin_request_policies: dict[str, OriginRequestPolicy] = field(default_factory=dict)
    response_headers_policies: dict[str, ResponseHeadersPolicy] = field(default_factory=dict)
    origin_access_controls: dict[str, OriginAccessControl] = field(default_factory=dict)
    public_keys: dict[str, tuple[PublicKey, ...]] = field(default_factory=dict)
    """Each under all the key-pair IDs that it answers to; none when CloudFront refuses it."""
    key_groups: dict[str, tuple[PublicKey, ...]] = field(default_factory=dict)
    key_value_stores: dict[str, KeyValueStore] = field(default_factory=dict)
    cloudfront_functions: dict[str, CloudFrontFunction] = field(default_factory=dict)
    connection_functions: dict[str, CloudFrontFunction] = field(default_factory=dict)
    trust_stores: dict[str, TrustStore] = field(default_factory=dict)
    realtime_logs: dict[str, RealtimeLogConfig] = field(default_factory=dict)
    deployment_policies: dict[str, ContinuousDeploymentPolicy] = field(default_factory=dict)
    deployment_places: dict[str, Place] = field(default_factory=dict)
    """Where each policy names its staging distributions."""
    field_encryption: dict[str, FieldLevelEncryption] = field(default_factory=dict)
    lambda_functions: dict[str, LambdaFunction] = field(default_factory=dict)
    loose_keys: dict[str, PublicKey] = field(default_factory=dict)
    """Keys that options name and no key group lists; every group trusts them."""

    @property
    def custom_policies(self) -> Mapping[str, int]:
        """How many policies there are, by what they are called."""
        return {
            "cache policies": len(self.cache_policies),
            "origin request policies": len(self.origin_request_policies),
            "response headers policies": len(self.response_headers_policies),
        }

    def keys_of(self, group: str) -> tuple[PublicKey, ...]:
        """The keys that sign for a key group, or for the account of a trusted signer."""
        return (*self.key_groups.get(group, ()), *self.loose_keys.values())

    def lambda_function(
        self, section: Section, name: str, *, need_code: bool = True
    ) -> tuple[LambdaFunction, FunctionArn]:
        """The function that property ``name`` refers to, and how (CDN-CFG-271, CDN-CFG-272).

        Raises :class:`DefinitionError` for an unknown function, an unknown alias, and a function
        whose code is not on this machine. A version that is named exists from then on.
        """
        text = section.text(name)
        arn = parse_function_arn(text)
        function = self.lambda_functions.get(arn.name) if arn is not None else None
        if arn is None or function is None:
            raise section.error(
                name,
                f"no Lambda function {text!r} is declared here",
                rule="CDN-CFG-272",
                remedy="declare a function with this FunctionName in the same definition",
            )
        if need_code and function.no_code is not None:
            raise function.no_code
        function.note_qualifier(
            section,
            name,
            arn.qualifier,
            rule="CDN-CFG-272",
            remedy="declare an AWS::Lambda::Alias, with SAM an AutoPublishAlias",
        )
        return function, arn
