"""How many of a thing an account may have, and how large a function's package may be."""

import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import EdgeFunctionKind, EventType
from edgeproxy.errors import Place
from edgeproxy.project.checks.places import lambda_place
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding

__all__ = ["check_counts", "check_custom_policies", "check_package", "edge_events"]

_VIEWER_EVENTS: Final = frozenset({EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE})
_CHUNK: Final = 1024 * 1024


def edge_events(project: Project) -> Mapping[str, frozenset[EventType]]:
    """The Lambda functions that are associated with a behavior, by name, and their events."""
    events: dict[str, set[EventType]] = defaultdict(set)
    for distribution in project.distributions.values():
        for behavior in distribution.all_behaviors:
            for each in behavior.functions:
                if each.kind is EdgeFunctionKind.LAMBDA:
                    events[each.function].add(each.event_type)
    return {name: frozenset(found) for name, found in events.items()}


def check_counts(project: Project) -> Iterator[CheckFinding]:
    """LE-LIM-12, LE-LIM-13, CFF-LIM-06, CDN-QUO-15, CDN-QUO-20."""
    used: dict[tuple[EdgeFunctionKind, str], set[str]] = defaultdict(set)
    at_edge: set[str] = set()
    yield from _check_staging(project)
    for distribution in project.distributions.values():
        name = distribution.id_in_events  # Tenants count as the one that they share.
        for behavior in distribution.all_behaviors:
            for each in behavior.functions:
                used[each.kind, each.function].add(name)
                if each.kind is EdgeFunctionKind.LAMBDA:
                    at_edge.add(name)
    yield from _limit(
        "LE-LIM-12",
        Place(),
        len(at_edge),
        quotas.MAX_DISTRIBUTIONS_WITH_EDGE_FUNCTIONS,
        "distributions with Lambda@Edge functions",
    )
    for (kind, function), names in used.items():
        is_lambda = kind is EdgeFunctionKind.LAMBDA
        yield from _limit(
            "LE-LIM-13" if is_lambda else "CFF-LIM-06",
            Place(path=function),
            len(names),
            quotas.MAX_DISTRIBUTIONS_OF_AN_EDGE_FUNCTION
            if is_lambda
            else quotas.MAX_DISTRIBUTIONS_OF_A_CLOUDFRONT_FUNCTION,
            f"distributions with the function {function}",
        )
    yield from _limit(
        "CFF-LIM-06",
        Place(),
        len(project.cloudfront_functions),
        quotas.MAX_CLOUDFRONT_FUNCTIONS,
        "CloudFront Functions",
    )
    stores = Counter(each.key_value_store for each in project.cloudfront_functions.values())
    del stores[""]
    for name, count in stores.items():
        most = quotas.MAX_KEY_VALUE_STORE_FUNCTIONS
        what = f"functions with the key-value store {name}"
        yield from _limit("CDN-QUO-15", Place(path=name), count, most, what)


def _check_staging(project: Project) -> Iterator[CheckFinding]:
    """CDN-QUO-20."""
    staging = sum(each.staging for each in project.distributions.values())
    policies = len(project.continuous_deployment_policies)
    most, most_policies = (
        quotas.MAX_STAGING_DISTRIBUTIONS,
        quotas.MAX_CONTINUOUS_DEPLOYMENT_POLICIES,
    )
    yield from _limit("CDN-QUO-20", Place(), staging, most, "staging distributions")
    what = "continuous deployment policies"
    yield from _limit("CDN-QUO-20", Place(), policies, most_policies, what)


def check_custom_policies(counts: Mapping[str, int]) -> Iterator[CheckFinding]:
    """CDN-QUO-08: how many policies of each kind the definition declares."""
    for kind, count in counts.items():
        yield from _limit("CDN-QUO-08", Place(), count, quotas.MAX_CUSTOM_POLICIES, kind)


def _limit(rule: str, place: Place, count: int, quota: int, what: str) -> Iterator[CheckFinding]:
    if count > quota:
        yield CheckFinding(
            rule, place, f"{count} {what}; the quota is {quota}.", "use fewer, or ask AWS for more"
        )


def check_package(
    definition: FunctionDefinition, events: frozenset[EventType]
) -> Iterator[CheckFinding]:
    """LE-LIM-05, LE-LIM-06: the size of the zipped package."""
    limit = quotas.MAX_EDGE_FUNCTION_PACKAGE_BYTES
    if definition.inline or not _exceeds(definition, limit):
        return
    yield CheckFinding(
        "LE-LIM-05" if events & _VIEWER_EVENTS else "LE-LIM-06",
        lambda_place(definition),
        f"The zipped package of {definition.name} is larger than {limit // _CHUNK} MB, the most "
        "that Lambda@Edge takes.",
        "leave out what the function does not need",
    )


def _exceeds(definition: FunctionDefinition, limit: int) -> bool:
    """Whether the zip file, or what the folder would be as one, is larger than ``limit`` bytes."""
    match definition.watch:
        case (Path() as only,) if only.is_file():
            # A file that an option names is the whole package; an archive is one already.
            return only.stat().st_size > limit
    files = [
        Path(folder, name)
        for folder, _, names in os.walk(definition.spec.code_root)
        for name in names
    ]
    sizes = {file: file.stat().st_size for file in files if file.is_file()}
    if sum(sizes.values()) <= limit:
        return False
    total = 0
    for file in sizes:
        compressor = zlib.compressobj(1)
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                total += len(compressor.compress(chunk))
                if total > limit:
                    return True
        total += len(compressor.flush())
    return total > limit
