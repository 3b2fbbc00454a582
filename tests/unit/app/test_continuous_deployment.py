"""The API changes the definition that is served, until that says something new of the matter."""

from dataclasses import replace

from edgeproxy.app.continuous_deployment import DefinitionChanges
from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy, SingleHeader
from edgeproxy.project.model import Project
from tests.unit.edge.scenes import SITE

DECLARED = ContinuousDeploymentPolicy("Policy", "p1", True, ("d2.cloudfront.net",))
CHANGED = replace(DECLARED, traffic=SingleHeader("aws-cf-cd-new", "1"))
PROJECT = Project(distributions={"Site": SITE}, continuous_deployment_policies={"p1": DECLARED})
OTHER = replace(PROJECT, distributions={"Other": replace(SITE, logical_id="Other")})


def test_a_definition_that_is_not_served_yet_gets_no_change() -> None:
    taken: list[Project] = []
    changes = DefinitionChanges(taken.append)
    changes.declare(PROJECT)
    assert changes.applied_to(OTHER) == OTHER  # and then its doors cannot be opened
    changes.update_policy(CHANGED)
    assert taken[-1] == replace(PROJECT, continuous_deployment_policies={"p1": CHANGED})


def test_a_change_made_while_a_definition_is_prepared_holds_for_it() -> None:
    taken: list[Project] = []
    changes = DefinitionChanges(taken.append)
    changes.declare(PROJECT)
    _ = changes.applied_to(OTHER)
    changes.update_policy(CHANGED)
    changes.declare(OTHER)
    assert taken[-1] == replace(OTHER, continuous_deployment_policies={"p1": CHANGED})


def test_a_change_ends_when_the_definition_says_something_new() -> None:
    taken: list[Project] = []
    changes = DefinitionChanges(taken.append)
    changes.declare(PROJECT)
    changes.update_policy(CHANGED)
    off = replace(DECLARED, enabled=False)
    for policy in (off, DECLARED):
        declared = replace(PROJECT, continuous_deployment_policies={"p1": policy})
        changes.declare(declared)
        assert taken[-1] == declared
