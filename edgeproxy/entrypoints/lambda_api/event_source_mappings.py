"""The operations on event source mappings.

A mapping comes into effect at once, so that states which AWS passes through (``Creating``,
``Enabling``, ``Disabling``, ``Updating``, ``Deleting``) are those of the answers to changes only.
"""

from collections.abc import Mapping
from typing import Any, Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.event_sources.model import (
    BOUNDS,
    DEFAULTS,
    EventSource,
    EventSourceMapping,
    MappingRefused,
)
from edgeproxy.awslambda.event_sources.registry import KeptMapping
from edgeproxy.entrypoints.lambda_api.answers import (
    Answer,
    conflict,
    invalid_parameter,
    json_answer,
    not_found,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.calls import Call, Document, page
from edgeproxy.entrypoints.lambda_api.names import Named, parse_name
from edgeproxy.entrypoints.lambda_api.tags import check_tags

__all__ = ["EventSourceMappingOperations"]

_SETTINGS: Final = (
    "BatchSize", "MaximumBatchingWindowInSeconds", "ParallelizationFactor",
    "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
    "TumblingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria", "ScalingConfig",
    "DestinationConfig",
    # Nothing here goes by these, but they are shown as they were given.
    "KMSKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig",
)  # fmt: skip
"""What can be changed beside the function and whether it is enabled."""
_MADE: Final = (*_SETTINGS, "EventSourceArn", "StartingPosition", "StartingPositionTimestamp")
_POSITIONS: Final = ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
_HIDDEN: Final = frozenset({"Enabled", "Tags"})


class EventSourceMappingOperations:
    """Operations on which queues and streams feed functions."""

    def __init__(self, account: LambdaAccount) -> None:
        self._account = account
        self._registry = account.event_sources

    async def create(self, call: Call) -> Answer:
        members = await call.members()
        _check(members)
        if not members.get("EventSourceArn"):
            raise invalid_parameter("Unrecognized event source.")
        named = self._function(members.get("FunctionName"))
        self._check_is_new(members["EventSourceArn"], named)
        given = _given(members, (*_MADE, "Tags"))
        kept = self._put(self._account.chance.uuid(), given, named)
        is_idle_queue = kept.mapping.source is EventSource.SQS and not kept.mapping.enabled
        state = "Disabled" if is_idle_queue else "Creating"
        return json_answer(self._document(kept, state), 202)

    async def get(self, call: Call) -> Answer:
        return json_answer(self._document(self._existing(call)))

    async def update(self, call: Call) -> Answer:
        members, kept = await call.members(), self._existing(call)
        _check(members)
        mapping = kept.mapping
        named = Named(mapping.function, mapping.qualifier)
        if "FunctionName" in members:
            named = self._function(members["FunctionName"])
        changed = {**kept.members, **_given(members, _SETTINGS)}
        made = self._put(mapping.uuid, changed, named)
        return json_answer(self._document(made, _change(mapping, made.mapping)), 202)

    async def delete(self, call: Call) -> Answer:
        kept = self._existing(call)
        document = self._document(kept, "Deleting")
        self._registry.remove(kept.mapping.uuid)
        self._account.changed()
        return json_answer(document, 202)

    async def list(self, call: Call) -> Answer:
        source, function = call.query("EventSourceArn"), call.query("FunctionName")
        named = self._named(function) if function else None
        items: list[tuple[str, object]] = [
            (uuid, self._document(kept))
            for uuid, kept in self._registry.mappings.items()
            if source in ("", kept.mapping.arn)
            and named in (None, Named(kept.mapping.function, kept.mapping.qualifier))
        ]
        return json_answer(page(call, "EventSourceMappings", items, 100, largest=10_000))

    def _existing(self, call: Call) -> KeptMapping:
        kept = self._registry.mappings.get(call.path["UUID"])
        if kept is None:
            raise not_found("The resource you requested does not exist.")
        return kept

    def _named(self, text: str) -> Named:
        return parse_name(text, "", self._account.region, self._account.id)

    def _function(self, text: object) -> Named:
        named = self._named(str(text or ""))
        function = self._account.functions.get(named.name)
        if function is None or function.version(named.qualifier) is None:
            raise invalid_parameter("Function does not exist")
        return named

    def _check_is_new(self, arn: str, named: Named) -> None:
        for kept in self._registry.mappings.values():
            mapping = kept.mapping
            if (mapping.arn, mapping.function, mapping.qualifier) == (
                arn,
                named.name,
                named.qualifier,
            ):
                function = f'function (" {named.name} ")'
                exists = (
                    f'An event source mapping with SQS arn (" {arn} ") and {function}'
                    if mapping.source is EventSource.SQS
                    else f'The event source arn (" {arn} ") and {function} provided mapping'
                )
                raise conflict(
                    f"{exists} already exists. Please update or delete the existing mapping with "
                    f"UUID {mapping.uuid}"
                )

    def _put(self, uuid: str, members: Document, named: Named) -> KeptMapping:
        try:
            kept = self._registry.put(uuid, members, named.name, named.qualifier)
        except MappingRefused as error:
            raise invalid_parameter(error.message) from error
        self._account.changed()
        return kept

    def _document(self, kept: KeptMapping, state: str = "") -> Document:
        """As AWS shows it; ``state`` is one that it passes through and that is not seen here."""
        mapping = kept.mapping
        arn = self._account.function_arn(mapping.function)
        document = {
            **DEFAULTS[mapping.source],
            "FunctionResponseTypes": [],
            **{name: value for name, value in kept.members.items() if name not in _HIDDEN},
            "UUID": mapping.uuid,
            "EventSourceMappingArn": self._account.arn(f"event-source-mapping:{mapping.uuid}"),
            "FunctionArn": f"{arn}:{mapping.qualifier}" if mapping.qualifier else arn,
            "LastModified": round(kept.modified_s, 3),
            "State": state or ("Enabled" if mapping.enabled else "Disabled"),
        }
        if not mapping.patterns:
            document.pop("FilterCriteria", None)
        if mapping.source is EventSource.SQS:
            if mapping.most_at_once is None:
                document.pop("ScalingConfig", None)
            return {**document, "StateTransitionReason": "USER_INITIATED"}
        failure = {"Destination": mapping.on_failure} if mapping.on_failure else {}
        return {
            **document,
            "DestinationConfig": {"OnFailure": failure},
            "LastProcessingResult": self._registry.last_result(mapping.uuid),
            "StateTransitionReason": "User action",
        }


def _given(members: Mapping[str, Any], names: tuple[str, ...]) -> Document:
    """The members that are there."""
    return {name: members[name] for name in (*names, "Enabled") if name in members}


def _check(members: Mapping[str, Any]) -> None:
    """Raises a refusal for what AWS refuses before it looks at the source."""
    wrong = []
    for name, (least, most) in BOUNDS.items():
        number = members.get(name, least)
        if not least <= number <= most:
            which, bound = ("greater", least) if number < least else ("less", most)
            constraint = f"Member must have value {which} than or equal to {bound}"
            wrong.append((str(number), name[0].lower() + name[1:], constraint))
    position = members.get("StartingPosition", "LATEST")
    if position not in _POSITIONS:
        constraint = f"Member must satisfy enum value set: [{', '.join(_POSITIONS)}]"
        wrong.append((position, "startingPosition", constraint))
    if wrong:
        raise validation_error(*wrong)
    check_tags(members.get("Tags", {}))


def _change(before: EventSourceMapping, after: EventSourceMapping) -> str:
    """The state while AWS makes a change."""
    if before.enabled == after.enabled:
        return "Updating"
    return "Enabling" if after.enabled else "Disabling"
