"""What runs of Lambda functions and requests to function URLs count under (LI-250, FU-128).

A value stands under each set of dimensions: for all functions, for the function, for what was
asked of it, and for the version that an alias led to.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from edgeproxy.awslambda.concurrency import InFlight, ProvisionedUse
from edgeproxy.observe.statistics import Statistics

__all__ = [
    "LAMBDA",
    "Dimensions",
    "LambdaRuns",
    "Name",
    "UrlRequests",
    "concurrency",
    "dimensions_of",
]

Dimensions: TypeAlias = tuple[tuple[str, str], ...]

LAMBDA: Final = "AWS/Lambda"


class Name(NamedTuple):
    """One metric, for values that are counted as they are."""

    namespace: str
    name: str
    dimensions: Dimensions

    def metrics(self, values: Statistics) -> Iterator[tuple["Name", Statistics]]:
        yield self, values


def dimensions_of(name: str, qualifier: str, version: str = "") -> list[Dimensions]:
    """The sets of dimensions that a value counts under (LI-250)."""
    function = ("FunctionName", name)
    resource = ("Resource", f"{name}:{qualifier}" if qualifier else name)
    sets: list[Dimensions] = [(), (function,), (function, resource)]
    is_alias = qualifier not in ("", "$LATEST") and not qualifier.isdigit()
    if is_alias and version:
        sets.append((function, resource, ("ExecutedVersion", version)))
    return sets


class LambdaRuns(NamedTuple):
    """Runs of a Lambda function; the values are durations in milliseconds."""

    name: str
    qualifier: str
    version: str
    error: str

    def metrics(self, runs: Statistics) -> Iterator[tuple[Name, Statistics]]:
        """A throttled request is no invocation (LI-128), a refused result no error of Lambda's."""
        if self.error == "Throttled":
            values = {"Throttles": runs.with_each(1)}
        else:
            values = {
                "Invocations": runs.with_each(1),
                "Duration": runs,
                "Errors": runs.with_each(int(self.error not in ("", "Validation"))),
            }
        for dimensions in dimensions_of(self.name, self.qualifier, self.version):
            for name, statistics in values.items():
                yield Name(LAMBDA, name, dimensions), statistics


class UrlRequests(NamedTuple):
    """Requests to a function URL; the values are how long they took, in milliseconds."""

    function: str
    qualifier: str
    version: str
    """Empty where the function was not run."""
    family: int
    """The first digit of the status."""

    def metrics(self, requests: Statistics) -> Iterator[tuple[Name, Statistics]]:
        values = {
            "UrlRequestCount": requests.with_each(1),
            "Url4xxCount": requests.with_each(int(self.family == 4)),
            "Url5xxCount": requests.with_each(int(self.family == 5)),
            "UrlRequestLatency": requests,
        }
        sets = dimensions_of(self.function, self.qualifier or "$LATEST", self.version)
        for dimensions in sets[1:]:
            for name, statistics in values.items():
                yield Name(LAMBDA, name, dimensions), statistics


# The same few functions come again and again.
@lru_cache(maxsize=1024)
def _of_function(name: str) -> Name:
    return Name(LAMBDA, "ConcurrentExecutions", (("FunctionName", name),))


_ACCOUNT: Final = Name(LAMBDA, "ConcurrentExecutions", ())
_UNRESERVED: Final = Name(LAMBDA, "UnreservedConcurrentExecutions", ())
_CLAIMED: Final = Name(LAMBDA, "ClaimedAccountConcurrency", ())


def concurrency(name: str, qualifier: str, in_flight: InFlight) -> list[tuple[Name, float]]:
    """What runs at the same time as an invocation that begins, itself included (LI-253)."""
    running: list[tuple[Name, float]] = [
        (_of_function(name), in_flight.function),
        (_ACCOUNT, in_flight.account),
        (_UNRESERVED, in_flight.unreserved),
        (_CLAIMED, in_flight.claimed),
    ]
    if (use := in_flight.provisioned) is not None:
        running += _provisioned(use, dimensions_of(name, qualifier))
    return running


def _provisioned(use: ProvisionedUse, sets: Sequence[Dimensions]) -> Iterator[tuple[Name, float]]:
    """Of a version that has provisioned environments (LI-130, LI-251, LI-253)."""
    kind = "Spillover" if use.spilled else ""
    for dimensions in sets:
        yield Name(LAMBDA, f"ProvisionedConcurrency{kind}Invocations", dimensions), 1
    # These are of the version or alias itself: others of the function have their own.
    yield Name(LAMBDA, "ProvisionedConcurrentExecutions", sets[-1]), use.running
    if use.available:
        utilization = use.running / use.available
        yield Name(LAMBDA, "ProvisionedConcurrencyUtilization", sets[-1]), utilization
