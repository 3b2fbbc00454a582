"""How a function is called first, to have an environment ready for it."""

from typing import TYPE_CHECKING

from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.distribution.model import Behavior, Distribution, EdgeFunctionKind, EventType
from edgeproxy.edge.origin_choice import choose
from edgeproxy.project.model import Project

if TYPE_CHECKING:
    from edgeproxy.loadbalancing.model import TargetGroup

__all__ = ["first_call"]


def first_call(project: Project, name: str) -> tuple[str | None, str]:
    """The qualifier and the Region of the replica that the function ``name`` is called with.

    A distribution calls a replica, other doors the function itself, in no Region. None leaves the
    version to the service: the newest, which edge functions run.
    """
    doors: list[FunctionUrl | TargetGroup] = [
        *project.function_urls.values(),
        *(
            group
            for balancer in project.load_balancers.values()
            for group in balancer.target_groups.values()
        ),
    ]
    for door in doors:
        if door.function == name:
            return door.qualifier, ""
    for distribution in project.distributions.values():
        for behavior in distribution.all_behaviors:
            if region := _region(distribution, behavior, name):
                return None, region
    return None, ""


def _region(distribution: Distribution, behavior: Behavior, name: str) -> str:
    from edgeproxy.edge.lambda_hook import replica_region

    for association in behavior.functions:
        if association.kind is EdgeFunctionKind.LAMBDA and association.function == name:
            at_origin = association.event_type in (
                EventType.ORIGIN_REQUEST,
                EventType.ORIGIN_RESPONSE,
            )
            origin = choose(distribution, behavior).primary.origin if at_origin else None
            return replica_region(origin)
    return ""
