from dataclasses import replace

import pytest

from edgeproxy.app.first_call import first_call
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    Origin,
)
from edgeproxy.project.model import Project

ORIGIN = Origin("web", "www.example.com", CustomOrigin(), origin_shield_region="eu-central-1")


def project(event_type: EventType, kind: EdgeFunctionKind = EdgeFunctionKind.LAMBDA) -> Project:
    """A project whose only distribution runs ``hook`` at this event of its second behavior."""
    plain = Behavior("*", "web", CachePolicy("c", 0, 0, 0))
    association = FunctionAssociation(event_type, kind, "hook", "1")
    site = Distribution(
        "Site",
        "E1",
        "d.cloudfront.net",
        {"web": ORIGIN},
        plain,
        (replace(plain, path_pattern="/a", functions=(association,)),),
    )
    return Project(distributions={"Site": site})


@pytest.mark.rule("LE-EVT-25", "LE-ORDER-09")
def test_a_distribution_calls_a_replica_of_the_newest_version() -> None:
    assert first_call(project(EventType.VIEWER_REQUEST), "hook") == (None, "us-east-1")
    assert first_call(project(EventType.ORIGIN_RESPONSE), "hook") == (None, "eu-central-1")


def test_a_door_calls_the_function_itself() -> None:
    url = FunctionUrl("Url", "hook", "abc", "live")
    both = replace(project(EventType.VIEWER_REQUEST), function_urls={"Url": url})
    assert first_call(both, "hook") == ("live", "")


def test_a_function_that_nobody_calls() -> None:
    assert first_call(project(EventType.VIEWER_REQUEST), "other") == (None, "")
    cloudfront = project(EventType.VIEWER_REQUEST, EdgeFunctionKind.CLOUDFRONT)
    assert first_call(cloudfront, "hook") == (None, "")
