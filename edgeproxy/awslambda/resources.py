"""Functions and layers as resources of an account, whoever declared them.

What the service runs by is in a version's ``spec``; what AWS's API shows beside that is kept in
its ``settings``, as the JSON that clients send and get.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from edgeproxy.awslambda.model import EventInvokeConfig, FunctionDefinition, FunctionUrl
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = [
    "Document",
    "FunctionResource",
    "LayerVersion",
    "UrlConfig",
    "Version",
    "event_invoke_document",
    "provisioned_document",
]

Document: TypeAlias = dict[str, Any]
"""A JSON object."""


@dataclass(frozen=True, slots=True)
class Version:
    """``$LATEST``, or what was published under a number. ``spec`` names the version."""

    spec: FunctionSpec
    settings: Document
    """Members of AWS's configuration document that nothing here runs by: ``Role``, ``Layers`` …"""
    revision_id: str
    modified_s: float
    code_sha256: str = ""
    """Empty for code that is run where it lies, and so has another digest with every edit."""
    code_size: int = 0


@dataclass(frozen=True, slots=True)
class UrlConfig:
    """A function URL, and since when it is there and as it is."""

    url: FunctionUrl
    created_s: float
    modified_s: float
    declared: bool = False
    """The definition has it; otherwise it was made over the API."""


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """A layer as published; ``document`` is what AWS shows of it, without a place to load from."""

    arn: str
    folder: Path
    document: Document


@dataclass(slots=True)
class FunctionResource:
    """A function with everything that belongs to it. Mappings are by qualifier or by name."""

    name: str
    latest: Version
    declared: FunctionDefinition | None = None
    """What the definition says of it; None for a function that was made over the API."""
    published: dict[str, Version] = field(default_factory=dict)
    last_version: int = 0
    """Numbers are never given twice (LI-100)."""
    aliases: dict[str, Document] = field(default_factory=dict)
    """What AWS shows of each, without its ARN."""
    reserved_concurrency: int | None = None
    provisioned: dict[str, Document] = field(default_factory=dict)
    event_invoke: dict[str, Document] = field(default_factory=dict)
    """Configurations of asynchronous invocation, by version, alias or ``$LATEST``."""
    policies: dict[str, list[Document]] = field(default_factory=dict)
    """Statements of resource-based policies, by qualifier or nothing."""
    urls: dict[str, UrlConfig] = field(default_factory=dict)
    """By alias or nothing."""
    tags: dict[str, str] = field(default_factory=dict)
    more: Document = field(default_factory=dict)
    """Configurations of their own that AWS keeps beside the function's."""

    @property
    def arn(self) -> str:
        """The unqualified ARN."""
        return self.latest.spec.arn

    def qualified_arn(self, qualifier: str) -> str:
        return f"{self.arn}:{qualifier}" if qualifier else self.arn

    def version(self, qualifier: str) -> Version | None:
        """The version behind a number, ``$LATEST`` or nothing, an alias; None when there is none.

        Of an alias it is the main one.
        """
        if qualifier in ("", LATEST):
            return self.latest
        alias = self.aliases.get(qualifier)
        number = alias["FunctionVersion"] if alias is not None else qualifier
        return self.latest if number == LATEST else self.published.get(number)

    def definition(self) -> FunctionDefinition:
        """What the Lambda service runs by."""
        base = self.declared or FunctionDefinition(self.name, self.latest.spec)
        spec = replace(_spec(self.latest), version=base.spec.version)
        return replace(
            base,
            spec=spec,
            reserved_concurrency=self.reserved_concurrency,
            versions=tuple(self.published),
            frozen={
                number: _spec(version)
                for number, version in self.published.items()
                if replace(_spec(version), version=spec.version) != spec
            },
            provisioned={
                qualifier: config["RequestedProvisionedConcurrentExecutions"]
                for qualifier, config in self.provisioned.items()
            },
            allows_recursion=self.more.get("RecursiveLoop") == "Allow",
            event_invoke={
                qualifier: _event_invoke_config(document)
                for qualifier, document in self.event_invoke.items()
            },
            aliases={name: alias["FunctionVersion"] for name, alias in self.aliases.items()},
            weights={
                name: alias["RoutingConfig"]["AdditionalVersionWeights"]
                for name, alias in self.aliases.items()
                if "RoutingConfig" in alias
            },
            policies={
                qualifier: tuple(statements)
                for qualifier, statements in self.policies.items()
                if statements
            },
        )


def provisioned_document(amount: int, modified_s: float) -> Document:
    """What AWS shows of a configuration of provisioned concurrency, without how far it is."""
    now = datetime.fromtimestamp(modified_s, UTC)
    return {
        "RequestedProvisionedConcurrentExecutions": amount,
        "LastModified": f"{now:%Y-%m-%dT%H:%M:%S}+0000",
    }


def event_invoke_document(config: EventInvokeConfig, modified_s: float) -> Document:
    """What AWS shows of a configuration of asynchronous invocation, without its ARN."""
    return {
        "MaximumRetryAttempts": config.retries,
        "MaximumEventAgeInSeconds": config.max_age_s,
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success} if config.on_success else {},
            "OnFailure": {"Destination": config.on_failure} if config.on_failure else {},
        },
        "LastModified": round(modified_s, 3),
    }


def _event_invoke_config(document: Document) -> EventInvokeConfig:
    default, destinations = EventInvokeConfig(), document.get("DestinationConfig", {})
    return EventInvokeConfig(
        document.get("MaximumRetryAttempts", default.retries),
        document.get("MaximumEventAgeInSeconds", default.max_age_s),
        destinations.get("OnSuccess", {}).get("Destination", ""),
        destinations.get("OnFailure", {}).get("Destination", ""),
    )


def _spec(version: Version) -> FunctionSpec:
    """What runs, with the dead-letter queue that belongs to the version (LI-170)."""
    config = version.settings.get("DeadLetterConfig") or {}
    return replace(version.spec, dead_letter_arn=config.get("TargetArn", ""))
