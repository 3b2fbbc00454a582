"""Health checks: events, counts, states, and who gets requests."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from edgeproxy.entrypoints.alb_health import HealthChecks, TargetHealth, health_check_event
from edgeproxy.http.messages import Handler, Request, Response
from edgeproxy.loadbalancing.model import HealthCheck, LoadBalancer, TargetGroup
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.runtimes.invocation import FunctionError, InvocationResult
from tests.unit.entrypoints.fakes import Service, returned

QUICK = HealthCheck("/ping", interval_s=0.001, timeout_s=5, healthy_count=3, unhealthy_count=2)
WEB = ("127.0.0.1:80", "127.0.0.2:80")


def of(function: str = "", check: HealthCheck | None = QUICK, **more: object) -> TargetGroup:
    targets = () if function else WEB
    return TargetGroup("Group", "arn:group", function, targets=targets, health_check=check, **more)  # type: ignore[arg-type]


class Checked:
    """One group under checks, and what is said of it."""

    def __init__(self, group: TargetGroup) -> None:
        self.group = group
        self.answer: InvocationResult = returned({"statusCode": 200})
        self.statuses: dict[str, int | None] = dict.fromkeys(WEB, 200)
        self.asked: list[tuple[str, Request]] = []
        self.service = Service(self.answer)
        self.told: list[str] = []
        self.checks = HealthChecks(self.service, self._target, self.told.append)

    def start(self) -> None:
        self.checks.apply([LoadBalancer("Alb", "alb", (), {"Group": self.group})])

    def _target(self, address: str) -> Handler:
        async def ask(request: Request) -> Response:
            self.asked.append((address, request))
            status = self.statuses[address]
            if status is None:
                raise OriginFailure(OriginFailureKind.CONNECT, 502, "refused")
            return Response(status)

        return ask

    @property
    def health(self) -> TargetHealth:
        return next(iter(self.checks.health(self.group).values()))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest.fixture
async def make() -> AsyncIterator[Callable[[TargetGroup], Checked]]:
    made: list[Checked] = []

    def new(group: TargetGroup) -> Checked:
        made.append(Checked(group))
        return made[-1]

    yield new
    for each in made:
        await each.checks.close()


@pytest.mark.rule("AL-121")
@pytest.mark.parametrize(
    ("multi_value", "members"),
    [
        (
            False,
            {"queryStringParameters": {}, "headers": {"user-agent": "ELB-HealthChecker/2.0"}},
        ),
        (
            True,
            {
                "multiValueQueryStringParameters": {},
                "multiValueHeaders": {"user-agent": ["ELB-HealthChecker/2.0"]},
            },
        ),
    ],
)
def test_the_event(multi_value: bool, members: dict[str, object]) -> None:
    group = of("fn", multi_value_headers=multi_value)
    assert orjson.loads(health_check_event(group, QUICK)) == {
        "requestContext": {"elb": {"targetGroupArn": "arn:group"}},
        "httpMethod": "GET",
        "path": "/ping",
        "body": "",
        "isBase64Encoded": False,
        **members,
    }


@pytest.mark.rule("AL-120", "AL-124")
async def test_without_checks_a_target_is_unavailable_and_used(make) -> None:
    checked = make(of("fn", None))
    checked.start()
    assert (checked.health.state, checked.health.reason) == (
        "unavailable", "Target.HealthCheckDisabled",
    )  # fmt: skip
    assert checked.service.calls == []
    addresses = make(of(check=None))
    addresses.start()
    assert addresses.checks.usable(addresses.group) == WEB


@pytest.mark.rule("AL-122", "AL-123", "AL-124")
async def test_one_success_makes_a_new_target_healthy_and_two_failures_unhealthy(make) -> None:
    checked = make(of("fn"))
    checked.start()
    registered = checked.health
    assert (registered.state, registered.reason) == ("initial", "Elb.RegistrationInProgress")
    await checked.until(lambda: checked.health.state == "healthy")
    assert len(checked.service.calls) == 1
    assert checked.told == ["target group Group: fn is healthy"]
    checked.service.answer = returned({"statusCode": 201})
    await checked.until(lambda: checked.health.state == "unhealthy")
    assert checked.health.reason == "Target.ResponseCodeMismatch"
    assert checked.health.description == "Health checks failed with these codes: [201]"
    before = len(checked.service.calls)
    checked.service.answer = returned({"statusCode": 200})
    await checked.until(lambda: checked.health.state == "healthy")
    assert len(checked.service.calls) - before >= QUICK.healthy_count


@pytest.mark.rule("AL-124")
async def test_one_failure_of_a_new_target_decides_nothing(make) -> None:
    checked = make(of("fn", HealthCheck("/", interval_s=60)))
    checked.service.answer = FunctionError("r", 1)
    checked.start()
    await checked.until(lambda: checked.service.calls != [])
    await checked.until(lambda: checked.health.reason == "Elb.InitialHealthChecking")
    assert checked.health.state == "initial"


@pytest.mark.rule("AL-122")
@pytest.mark.parametrize(
    ("matcher", "status", "state"),
    [
        (((200, 200),), 201, "unhealthy"),
        (((200, 200), (202, 202)), 202, "healthy"),
        (((200, 200), (202, 202)), 201, "unhealthy"),
        (((200, 299),), 299, "healthy"),
        (((200, 299),), 300, "unhealthy"),
    ],
)
async def test_matchers(make, matcher, status: int, state: str) -> None:
    check = HealthCheck("/", interval_s=0.001, matcher=matcher)
    checked = make(of("fn", check))
    checked.service.answer = returned({"statusCode": status})
    checked.start()
    await checked.until(lambda: checked.health.state != "initial")
    assert checked.health.state == state


@pytest.mark.rule("AL-124")
async def test_a_function_that_fails_or_takes_too_long(make) -> None:
    failing = make(of("fn"))
    failing.service.answer = FunctionError("r", 1)
    failing.start()
    await failing.until(lambda: failing.health.reason == "Target.FailedHealthChecks")

    class Hanging(Service):
        async def invoke(self, *arguments: object, **more: object) -> InvocationResult:
            await asyncio.Event().wait()
            raise AssertionError

    slow = make(of("fn", HealthCheck("/", interval_s=0.001, timeout_s=0.001)))
    slow.checks = HealthChecks(Hanging(), slow._target, slow.told.append)
    slow.start()
    await slow.until(lambda: slow.health.reason == "Target.Timeout")
    await slow.checks.close()


@pytest.mark.rule("AL-123")
async def test_healthy_targets_get_requests_and_all_when_none_is_healthy(make) -> None:
    checked = make(of())
    checked.start()
    usable = checked.checks.usable
    await checked.until(lambda: len(checked.told) == 2)
    assert usable(checked.group) == WEB
    checked.statuses[WEB[0]] = None
    await checked.until(lambda: usable(checked.group) == WEB[1:])
    checked.statuses[WEB[1]] = 500
    await checked.until(lambda: len(checked.told) == 4)
    assert usable(checked.group) == WEB
    request = checked.asked[0][1]
    assert (request.method, request.path) == ("GET", "/ping")
    assert request.headers.get("User-Agent") == "ELB-HealthChecker/2.0"


async def test_a_changed_group_is_checked_anew_and_a_dropped_one_no_more(make) -> None:
    checked = make(of("fn"))
    checked.start()
    await checked.until(lambda: checked.health.state == "healthy")
    checked.start()
    assert checked.health.state == "healthy"
    checked.group = of("other")
    checked.start()
    assert checked.health.state == "initial"
    await checked.until(lambda: checked.health.state == "healthy")
    assert checked.service.calls[-1][0] == "other"
    assert any(map(_is_check, asyncio.all_tasks()))
    checked.checks.apply([])
    await checked.until(lambda: not any(map(_is_check, asyncio.all_tasks())))
    assert checked.checks.health(checked.group) == {}


def _is_check(task: "asyncio.Task[object]") -> bool:
    return task.get_name() == "health checks of Group"
