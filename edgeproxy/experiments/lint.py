"""What would go wrong with an experiment, told from the definition and the code alone."""

from collections.abc import Iterator, Mapping
from math import fsum, isclose
from typing import Final

from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.cache.freshness import cache_rules
from edgeproxy.distribution.deployment import SingleHeader, SingleWeight
from edgeproxy.distribution.forwarded import Part, plan_of, taken_by
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import (
    Behavior,
    Distribution,
    EdgeFunctionKind,
    EventType,
)
from edgeproxy.experiments.code import Code, code_of
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.loadbalancing.model import AlbForward, LoadBalancer
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["distribution_of", "lint", "warning"]

_AT_ORIGIN: Final = (EventType.ORIGIN_REQUEST, EventType.ORIGIN_RESPONSE)
_CLOSE: Final = 0.005


def lint(experiment: Experiment, project: Project) -> Iterator[CheckFinding]:
    """Warnings, with rule IDs ``EXP-…``."""
    distribution = distribution_of(experiment, project)
    if distribution is not None:
        paths = (path.partition("?")[0] for path in experiment.paths)
        behaviors = {id(each): each for each in (match_behavior(distribution, p) for p in paths)}
        for behavior in behaviors.values():
            yield from _BehaviorLint(experiment, project, distribution, behavior).findings()
        yield from _deployment(experiment, project, distribution)
    elif experiment.door in project.load_balancers or (
        not experiment.door and len(project.load_balancers) == 1
    ):
        name = experiment.door or next(iter(project.load_balancers))
        yield from _load_balancer(experiment, project.load_balancers[name])
    elif experiment.door and experiment.door not in project.function_urls:
        doors = [*project.public_distributions, *project.function_urls, *project.load_balancers]
        yield warning(
            "EXP-01", experiment, f"the definition has no door {experiment.door!r}",
            f"door: one of {', '.join(doors)}",
        )  # fmt: skip
    for url in project.function_urls.values():
        if experiment.door in ("", url.logical_id):
            yield from _alias(experiment, project, url)


def distribution_of(experiment: Experiment, project: Project) -> Distribution | None:
    """The distribution that the experiment is about, if it is about one."""
    public = project.public_distributions
    if experiment.door:
        return public.get(experiment.door)
    return next(iter(public.values())) if len(public) == 1 else None


def warning(rule: str, experiment: Experiment, message: str, remedy: str) -> CheckFinding:
    """A finding at the declaration of an experiment."""
    return CheckFinding(rule, experiment.place, message, remedy, Severity.WARNING)


class _BehaviorLint:
    """One behavior that an experiment's visitors come to."""

    def __init__(
        self,
        experiment: Experiment,
        project: Project,
        distribution: Distribution,
        behavior: Behavior,
    ) -> None:
        self._experiment = experiment
        self._mark = experiment.assignment
        self._behavior = behavior
        self._where = f"behavior {behavior.path_pattern} of {distribution.logical_id}"
        self._caches = not cache_rules(distribution, behavior).disabled
        self._codes = list(_codes(project, behavior))
        self._drawing: list[Code] = []

    def findings(self) -> Iterator[CheckFinding]:
        if not self._caches:
            return
        if self._mark.kind in (MarkKind.COOKIE, MarkKind.REQUEST_HEADER):
            yield from self._key()
        for event, code in self._codes:
            yield from self._function(event, code)

    def _key(self) -> Iterator[CheckFinding]:
        mark, behavior = self._mark, self._behavior
        if self._is_keyed:
            for _, code in self._codes:
                values = (mark.texts.get(each, each) for each in self._experiment.shares)
                if (
                    code.names(mark.name)
                    and code.makes_unique_values
                    and not all(map(code.quotes, values))  # It chooses among them.
                ):
                    yield warning(
                        "EXP-03", self._experiment,
                        f"the {mark} is in the cache key of {self._where}, and {code.name} makes "
                        "values that no two visitors share: nothing is found in the cache",
                        "keep the visitor's ID in a cookie of its own, outside the cache key",
                    )  # fmt: skip
            return
        part: Part = "cookies" if mark.kind is MarkKind.COOKIE else "headers"
        taken = taken_by(behavior, part, mark.name) and not self._is_in_path
        readers = [
            code.name for event, code in self._codes
            if event in _AT_ORIGIN and code.names(mark.name)
        ]  # fmt: skip
        if taken or readers:
            who = f"{' and '.join(readers)} at the origin's side" if readers else "the origin"
            yield warning(
                "EXP-02", self._experiment,
                f"{who} may look at the {mark}, which is not in the cache key of {self._where}: "
                "the answer for one side is stored for both",
                f"add it to the cache policy of {self._where}",
            )  # fmt: skip

    @property
    def _is_keyed(self) -> bool:
        plan, name = plan_of(self._behavior), self._mark.name
        if self._mark.kind is MarkKind.COOKIE:
            return name in plan.key_cookies
        return name.lower() in plan.key_headers

    @property
    def _is_in_path(self) -> bool:
        """Whether a function at viewer-request puts the side into the path, which is in the key."""
        exposure = self._experiment.exposure
        return exposure is not None and exposure.kind is MarkKind.PATH_PREFIX and any(
            event is EventType.VIEWER_REQUEST and code.names(self._mark.name)
            for event, code in self._codes
        )  # fmt: skip

    def _function(self, event: EventType, code: Code) -> Iterator[CheckFinding]:
        mark = self._mark
        named = bool(mark.name) and code.names(mark.name)
        if event is EventType.ORIGIN_RESPONSE and named and code.sets_cookie:
            yield warning(
                "EXP-04", self._experiment,
                f"{code.name} sets the {mark} at origin-response: Set-Cookie is stored with the "
                "object, and everybody gets it who gets the object",
                "set it at viewer-response",
            )  # fmt: skip
        if event in _AT_ORIGIN and code.draws and code not in self._drawing:
            self._drawing.append(code)
            rule = "EXP-05" if named else "EXP-06"
            message = (
                f"{code.name} assigns visitors at {event}, when the cache has been asked already"
                if named
                else f"{code.name} uses randomness at {event}: what it draws once is stored, and "
                "holds for all who get the object"
            )
            yield warning(
                rule, self._experiment, message,
                f"draw at viewer-request, and put the result into the cache key of {self._where}",
            )  # fmt: skip
        if code.sets_vary:
            yield warning(
                "EXP-07", self._experiment,
                f"{code.name} sets Vary at {event}: CloudFront stores one object for all values",
                f"put the header into the cache key of {self._where}",
            )  # fmt: skip


def _codes(project: Project, behavior: Behavior) -> Iterator[tuple[EventType, Code]]:
    for association in behavior.functions:
        functions: Mapping[str, object] = project.functions
        if association.kind is EdgeFunctionKind.CLOUDFRONT:
            functions = project.cloudfront_functions
        function = functions.get(association.function)
        code = None if function is None else code_of(function)  # type: ignore[arg-type]
        if code is not None:
            yield association.event_type, code


def _deployment(
    experiment: Experiment, project: Project, distribution: Distribution
) -> Iterator[CheckFinding]:
    policies = project.continuous_deployment_policies
    policy = policies.get(distribution.continuous_deployment_policy_id)
    traffic = None if policy is None else policy.traffic
    match traffic:
        case SingleWeight(weight, stickiness):
            yield from _weights(experiment, [weight, 1 - weight], "the deployment policy")
            if stickiness is None:
                yield from _unsticky(
                    experiment, "the deployment policy", "give it a SessionStickinessConfig"
                )
        case SingleHeader(header, value) if experiment.assignment.kind is MarkKind.SENT_HEADER:
            mark = experiment.assignment
            if header.lower() != mark.name.lower() or value not in mark.texts.values():
                yield warning(
                    "EXP-10", experiment,
                    f"the deployment policy waits for {header}: {value}, which no visitor sends",
                    f"{mark.name} with one of {', '.join(filter(None, mark.texts.values()))}",
                )  # fmt: skip
        case _:
            pass


def _load_balancer(experiment: Experiment, balancer: LoadBalancer) -> Iterator[CheckFinding]:
    for listener in balancer.listeners[:1]:
        match listener.rules[-1].action:
            case AlbForward(groups, stickiness_s) if len(groups) > 1:
                total = sum(weight for _, weight in groups)
                shares = [weight / total for _, weight in groups] if total else []
                where = f"port {listener.port} of {balancer.logical_id}"
                yield from _weights(experiment, shares, where)
                if not stickiness_s:
                    yield from _unsticky(experiment, where, "give it a TargetGroupStickinessConfig")


def _alias(experiment: Experiment, project: Project, url: FunctionUrl) -> Iterator[CheckFinding]:
    function = project.functions.get(url.function)
    other = {} if function is None else dict(function.weights.get(url.qualifier, {}))
    if other:
        alias = f"alias {url.qualifier} of {url.function}"
        yield from _weights(experiment, [*other.values(), 1 - fsum(other.values())], alias)
        yield from _unsticky(
            experiment, alias,
            "have `edgeproxy dev --sticky-alias` stand for what keeps visitors on a side, or say "
            "max_switches: null",
        )  # fmt: skip


def _weights(experiment: Experiment, found: list[float], where: str) -> Iterator[CheckFinding]:
    """Which weight is for which side cannot be told; that they are the same can."""
    expected = sorted(experiment.shares.values())
    pairs = zip(expected, sorted(found), strict=False)
    if len(found) != len(expected) or not all(isclose(a, b, abs_tol=_CLOSE) for a, b in pairs):
        yield warning(
            "EXP-08", experiment,
            f"{where} sends {_percent(found)} where {_percent(expected)} are expected",
            "let the weights and the shares of the variants be the same",
        )  # fmt: skip


def _unsticky(experiment: Experiment, where: str, remedy: str) -> Iterator[CheckFinding]:
    if experiment.requirements.max_switches == 0:
        yield warning(
            "EXP-09", experiment,
            f"{where} draws for each request, and visitors are to stay on their side", remedy,
        )  # fmt: skip


def _percent(shares: list[float]) -> str:
    return " and ".join(f"{share * 100:g} %" for share in sorted(shares, reverse=True))
