"""The record that a listener keeps; its behaviour is in the rule tables."""

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.alb import AlbDoor
from edgeproxy.http.messages import Delivered, Handler, Request
from edgeproxy.loadbalancing.model import (
    AlbForward,
    AlbListener,
    AlbRule,
    HealthCheck,
    LoadBalancer,
    TargetGroup,
)
from tests.unit.entrypoints.fakes import Recording, Service, returned


@pytest.mark.rule("AL-123")
async def test_a_function_gets_requests_whatever_its_health() -> None:
    listener = AlbListener(80, "HTTP", (AlbRule(50_001, (), AlbForward((("Fn", 1),))),))
    group = TargetGroup("Fn", "arn:group", "fn", health_check=HealthCheck())
    door = AlbDoor(
        LoadBalancer("Alb", "alb.example", (listener,), {"Fn": group}),
        listener,
        Service(returned({"statusCode": 200})),
        Clock(),
        Chance(1),
        Recording(),
        target=no_target,
        usable=lambda group: (),
    )
    assert (await door(Request("GET", "/"))).status == 200


def no_target(address: str) -> Handler:
    raise AssertionError(address)


@pytest.mark.parametrize(
    ("result", "error", "rules"),
    [
        ({"statusCode": 200, "multiValueHeaders": {}}, "", []),
        ({"statusCode": 200, "headers": {"x": "1"}}, "", ["AL-077"]),
        ({"message": "hi"}, "Validation", ["AL-072"]),
    ],
)
async def test_steps_say_what_was_decided(result: object, error: str, rules: list[str]) -> None:
    recording = Recording()
    listener = AlbListener(80, "HTTP", (AlbRule(50_001, (), AlbForward((("Fn", 1),))),))
    group = TargetGroup("Fn", "arn:group", "fn", "live", multi_value_headers=True)
    service = Service(returned(result))
    door = AlbDoor(
        LoadBalancer("Alb", "alb.example", (listener,), {"Fn": group}),
        listener,
        service,
        Clock(),
        Chance(1),
        recording,
        target=no_target,
    )
    response = await door(Request("GET", "/"))
    assert service.calls[0][:2] == ("fn", "live")
    assert response.on_delivered is not None
    response.on_delivered(Delivered(10, aborted=True))
    [exchange] = recording.ended_
    assert (exchange.door, exchange.name, exchange.aborted) == ("alb", "Alb", True)
    rule, function = exchange.steps
    assert (rule.name, function.name) == ("rule", "function")
    assert rule.decision is not None
    assert rule.decision.kind == "forward"
    assert rule.decision.facts == {"target_group": "Fn"}
    assert function.function is not None
    assert function.function.error == error
    assert [finding.rule for finding in function.function.findings] == rules
