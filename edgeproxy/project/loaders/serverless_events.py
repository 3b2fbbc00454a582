"""The distribution that ``cloudFront`` events of the Serverless Framework make.

The rules are CDN-CFG-360 to CDN-CFG-366.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.yaml_source import Items, Table, Value

__all__ = ["CloudFrontEvents", "cache_policy_id", "normalized", "put"]

_CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
_OWN_CACHING = ("CachePolicyId", "ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL")


def put(table: Table, **members: Value) -> Table:
    """Add properties at the table's own line."""
    for name, value in members.items():
        table.put(name, value, table.line)
    return table


def cache_policy_id(name: str) -> str:
    """The logical ID of a policy of ``provider.cloudFront.cachePolicies``."""
    return f"CloudFrontCachePolicy{normalized(name)}"


def normalized(name: str) -> str:
    """A function's name as a part of logical IDs."""
    letters = name.replace("-", "Dash").replace("_", "Underscore")
    return f"{letters[:1].upper()}{letters[1:]}"


@dataclass(slots=True)
class CloudFrontEvents:
    """Collects the events of all functions; ``policies`` are the names of own cache policies."""

    policies: Mapping[str, Value]
    origins: dict[str, Table] = field(default_factory=dict)
    behaviors: dict[tuple[str, str], Table] = field(default_factory=dict)
    default_origin: str = ""

    def add(self, event: Section, version: str) -> None:
        """One event of the function whose version has this logical ID."""
        pattern = event.text("pathPattern", "")
        origin_id = self._origin(event)
        if event.boolean("isDefaultOrigin", False):
            if self.default_origin not in ("", origin_id):
                raise event.error(
                    "isDefaultOrigin", "another event has it as well", rule="CDN-CFG-366"
                )
            self.default_origin = origin_id
        association = Table(event.values.line)
        put(association, EventType=event.text("eventType"), LambdaFunctionARN=_ref(version))
        association.words["EventType"] = "eventType"
        if event.has("includeBody"):
            put(association, IncludeBody=event.boolean("includeBody"))
        made = self._behavior(event, pattern, origin_id)
        known = self.behaviors.setdefault((pattern, origin_id), made)
        associations = known.get("LambdaFunctionAssociations")
        if not isinstance(associations, Items):
            associations = Items(event.values.line)
        kinds = [each.get("EventType") for each in associations if isinstance(each, Table)]
        if association["EventType"] in kinds:
            raise event.error(
                "eventType",
                f"another function has {association['EventType']} of this behavior",
                rule="CDN-CFG-365",
                remedy="give the events different path patterns",
            )
        associations.put(association, event.values.line)
        put(known, LambdaFunctionAssociations=associations)
        for name, value in made.items():
            known.setdefault(name, value)
            known.lines.setdefault(name, made.lines.get(name))
        event.finish()

    def config(self, place: Place) -> Table:
        """``DistributionConfig`` of all events."""
        config = Table(place.line)
        origins, rest = Items(place.line), Items(place.line)
        for each in self.origins.values():
            origins.put(each, each.line)
        patterns = [pattern for pattern, _ in self.behaviors]
        if len(set(patterns)) < len(patterns):
            raise DefinitionError(
                "two behaviors with different origins have the same path pattern",
                place=place,
                rule="CDN-CFG-365",
                remedy="give each origin a pathPattern of its own",
            )
        default = next((each for (pattern, _), each in self.behaviors.items() if not pattern), None)
        for each in self.behaviors.values():
            if each is not default:
                rest.put(each, each.line)
        if default is None:
            default = self._copied_default(place)
        put(config, Enabled=True, Origins=origins, DefaultCacheBehavior=default)
        return put(config, CacheBehaviors=rest) if rest else config

    def _copied_default(self, place: Place) -> Table:
        """The first behavior without its functions (CDN-CFG-366)."""
        if not self.default_origin and len(self.origins) > 1:
            raise DefinitionError(
                "no event says which of the origins is the default one",
                place=place,
                rule="CDN-CFG-366",
                remedy="give one event isDefaultOrigin: true, or one without pathPattern",
            )
        first = next(iter(self.behaviors.values()))
        default = Table(first.line)
        for name, value in first.items():
            if name not in ("PathPattern", "LambdaFunctionAssociations"):
                default.put(name, value, first.lines.get(name))
        return put(default, TargetOriginId=self.default_origin or next(iter(self.origins)))

    def _behavior(self, event: Section, pattern: str, origin_id: str) -> Table:
        own = event.section("behavior")
        made = Table(event.values.line)
        put(made, ViewerProtocolPolicy="allow-all")
        if own is not None:
            for name, value in own.values.items():
                made.put(name, value, own.values.lines.get(name))
        policy = event.section("cachePolicy")
        if policy is not None:
            put(made, CachePolicyId=self._policy(policy))
        elif not any(name in made for name in _OWN_CACHING):
            put(made, CachePolicyId=_CACHING_OPTIMIZED)
        put(made, TargetOriginId=origin_id)
        return put(made, PathPattern=pattern) if pattern else made

    def _policy(self, policy: Section) -> Value:
        if "id" in policy.values:
            return policy.values["id"]
        name = policy.text("name")
        if name not in self.policies:
            raise policy.error(
                "name",
                f"no cache policy is called {name!r}",
                rule="CDN-CFG-361",
                remedy="declare it under provider.cloudFront.cachePolicies, or give its id",
            )
        return _ref(cache_policy_id(name))

    def _origin(self, event: Section) -> str:
        """The ID of the event's origin (CDN-CFG-362, CDN-CFG-363)."""
        made = Table(event.values.line)
        given = event.values.get("origin")
        if isinstance(given, Table):
            event.section("origin")
            for name, value in given.items():
                made.put(name, value, given.lines.get(name))
        else:
            parts = _parts(event)
            put(made, DomainName=parts.hostname or "")
            if parts.path.strip("/"):
                put(made, OriginPath=parts.path)
            if parts.scheme == "s3":
                put(made, S3OriginConfig=Table(made.line))
            else:
                custom = put(Table(made.line), OriginProtocolPolicy="match-viewer")
                put(made, CustomOriginConfig=custom)
        kind = "s3" if "S3OriginConfig" in made else "custom"
        origin_id = f"{kind}/{_label(made.get('DomainName'))}{_label(made.get('OriginPath'))}"
        put(made, Id=origin_id)
        self.origins.setdefault(origin_id, made)
        return origin_id


def _parts(event: Section) -> SplitResult:
    try:
        parts = urlsplit(event.text("origin"))
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname:
        raise event.error(
            "origin",
            f"{event.text('origin')!r} is no URL",
            rule="CDN-CFG-362",
            remedy="write it as https://HOST/PATH or s3://BUCKET.s3.amazonaws.com/PATH",
        )
    return parts


def _label(value: Value) -> str:
    """A text, or the texts of an intrinsic function."""
    if isinstance(value, Table):
        return ".".join(map(_label, value.values()))
    if isinstance(value, Items):
        return ".".join(map(_label, value))
    return "" if value is None else str(value)


def _ref(logical_id: str) -> Table:
    return put(Table(), Ref=logical_id)
