"""Primary distributions with a staging distribution behind them, and how the API changes them."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.deployment import (
    ContinuousDeploymentPolicy,
    SingleWeight,
    promoted,
    staging_of,
)
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.deployment import Choice, choose, without_session
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.http.messages import Request, Response
from edgeproxy.project.model import Project

__all__ = ["ContinuousDeployment", "DefinitionChanges", "Entrance", "explain_choice"]


class ContinuousDeployment:
    """A Handler in front of a primary distribution that has a policy."""

    def __init__(self, primary: EdgeLocation, clock: Clock, chance: Chance) -> None:
        self._primary = primary
        self._clock = clock
        self._chance = chance
        self._policy: ContinuousDeploymentPolicy | None = None
        self._staging: EdgeLocation | None = None
        self._epoch = ""

    @property
    def distribution(self) -> Distribution:
        return self._primary.distribution

    @property
    def https_port(self) -> int:
        return self._primary.https_port

    @https_port.setter
    def https_port(self, port: int) -> None:
        self._primary.https_port = port

    def deploy(
        self, policy: ContinuousDeploymentPolicy | None, staging: EdgeLocation | None
    ) -> None:
        """Go by ``policy`` from now on.

        All sessions end when the policy or its stickiness goes on or off (CDN-CD-06).
        """
        if not self._epoch or _switches(policy) != _switches(self._policy):
            self._epoch = f"{int(self._clock.now() * 1000):x}"
        self._policy, self._staging = policy, staging
        if staging is not None:
            staging.https_port = self.https_port

    async def __call__(self, request: Request) -> Response:
        """Have one of the two distributions answer."""
        choice = self.choose(request)
        location = self._staging if choice.is_staging and self._staging else self._primary
        return await location(without_session(request), choice)

    def choose(self, request: Request) -> Choice:
        """Who would serve ``request``; a choice by weight is drawn."""
        primary = self.distribution.logical_id
        if self._policy is None or self._staging is None:
            return Choice(primary, False, "no staging distribution is attached")
        if not self._staging.distribution.enabled:
            return Choice(primary, False, "the staging distribution is disabled")
        return choose(
            self._policy, primary, request, self._chance.fraction, self._clock.now(), self._epoch
        )


Entrance: TypeAlias = EdgeLocation | ContinuousDeployment
"""Where viewers come in to a distribution."""


def _switches(policy: ContinuousDeploymentPolicy | None) -> tuple[bool, bool]:
    return (policy is not None and policy.enabled, bool(policy and policy.stickiness))


def explain_choice(
    project: Project, distribution: Distribution, request: Request, now: float
) -> tuple[Distribution, dict[str, object] | None]:
    """Who serves a request for ``distribution``, as far as can be told, and why; nothing is drawn.

    The reason is None for a distribution without a policy.
    """
    policy = project.continuous_deployment_policies.get(
        distribution.continuous_deployment_policy_id
    )
    if policy is None:
        return distribution, None
    staging = staging_of(policy, project.distributions.values())
    choice = choose(policy, distribution.logical_id, request, lambda: 1, now, "")
    why = choice.why
    if policy.enabled and isinstance(policy.traffic, SingleWeight):
        why = f"a viewer without a session is sent to staging with weight {policy.traffic.weight:g}"
    chosen = staging if choice.is_staging and staging is not None else distribution
    reason = {"policy": policy.logical_id, "chosen": chosen.logical_id, "why": why}
    return chosen, {**reason, "staging": staging.logical_id if staging is not None else None}


class DefinitionChanges:
    """What the API has changed of the definition; ``take`` puts the project that results in force.

    A change stays until the definition says something new of what was changed.
    """

    def __init__(self, take: Callable[[Project], None]) -> None:
        self._take = take
        self._declared = Project()
        self._policies: dict[
            str, tuple[ContinuousDeploymentPolicy, ContinuousDeploymentPolicy]
        ] = {}
        self._promoted: dict[str, tuple[Distribution, Distribution, Distribution]] = {}

    def applied_to(self, declared: Project) -> Project:
        """``declared`` with the changes that hold for it."""
        policies = declared.continuous_deployment_policies
        distributions = declared.distributions
        changed = {
            name: after
            for name, (before, after) in self._policies.items()
            if policies.get(name) == before
        }
        served = {
            name: after
            for name, (before, staging, after) in self._promoted.items()
            if distributions.get(name) == before
            and distributions.get(staging.logical_id) == staging
        }
        return replace(
            declared,
            continuous_deployment_policies={**policies, **changed},
            distributions={**distributions, **served},
        )

    def declare(self, declared: Project) -> None:
        """The definition is ``declared`` from now on, and changes that do not hold are over."""
        project = self.applied_to(declared)
        policies, distributions = project.continuous_deployment_policies, project.distributions
        self._declared = declared
        self._policies = {
            name: change
            for name, change in self._policies.items()
            if policies.get(name) is change[-1]
        }
        self._promoted = {
            name: change
            for name, change in self._promoted.items()
            if distributions.get(name) is change[-1]
        }
        self._take(project)

    def update_policy(self, policy: ContinuousDeploymentPolicy) -> None:
        """Go by ``policy`` in place of the one with its ID."""
        declared = self._declared.continuous_deployment_policies[policy.id]
        self._policies[policy.id] = (declared, policy)
        self._take(self.applied_to(self._declared))

    def promote(self, primary: Distribution, staging: Distribution) -> None:
        """Give the primary the staging distribution's configuration, and turn its policy off."""
        declared = self._declared.distributions
        self._promoted[primary.logical_id] = (
            declared[primary.logical_id],
            declared[staging.logical_id],
            promoted(primary, staging),
        )
        policies = self.applied_to(self._declared).continuous_deployment_policies
        policy = policies.get(primary.continuous_deployment_policy_id)
        if policy is not None:
            self.update_policy(replace(policy, enabled=False))
        else:
            self._take(self.applied_to(self._declared))
