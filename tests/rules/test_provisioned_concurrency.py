"""Provisioned concurrency: environments before traffic, kept at their number (LI-129, LI-130)."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.awslambda.concurrency import InFlight
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.runtimes.invocation import FunctionError, Returned, Throttled
from edgeproxy.runtimes.phases import init_limit_s
from edgeproxy.runtimes.provisioned import ProvisionedState, ProvisionedStatus
from tests.unit.runtimes.account import Account, document_of, until, value_of

rule = pytest.mark.rule

TELL = """
import os, pathlib, time
HERE = pathlib.Path(__file__).parent
def handler(event, context):
    if event == "exit":
        os._exit(1)
    if isinstance(event, dict):
        (HERE / f"{event['hold']}.here").touch()
        while not (HERE / f"{event['hold']}.go").exists():
            time.sleep(0.005)
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], os.getpid()]
"""
KEPT, SPILLED = "provisioned-concurrency", "on-demand"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        yield account


def defined(
    account: Account, amount: int = 2, code: str = TELL, **settings: Any
) -> FunctionDefinition:
    definition = account.define(code, aliases={"live": "1"}, timeout_s=30, **settings)
    return replace(definition, provisioned={"live": amount} if amount else {})


def status(account: Account, qualifier: str = "live") -> ProvisionedStatus:
    found = account.service.provisioned("f", qualifier)
    assert found is not None
    return found


def is_ready(account: Account, amount: int = 2) -> bool:
    return status(account) == ProvisionedStatus(amount, amount, ProvisionedState.READY)


async def ready(account: Account, amount: int = 2, **settings: Any) -> FunctionDefinition:
    """A function with that many environments that are ready."""
    definition = defined(account, amount, **settings)
    await account.service.deploy(definition, qualifier="1")
    await until(lambda: is_ready(account, amount))
    return definition


async def held(account: Account, *names: str, qualifier: str = "live") -> list[Any]:
    """Invocations that run until they are let go."""
    running = []
    for name in names:
        running.append(asyncio.ensure_future(account.call({"hold": name}, qualifier=qualifier)))
        await until((account.folder / "f" / f"{name}.here").exists)
    return running


async def let_go(account: Account, running: list[Any], *names: str) -> list[Any]:
    for name in names:
        (account.folder / "f" / f"{name}.go").touch()
    return [value_of(result) for result in await asyncio.gather(*running)]


@rule("LI-129")
async def test_environments_are_ready_before_traffic(account: Account) -> None:
    account.service.put(defined(account))
    begun = status(account)
    assert (begun.wanted, begun.available, begun.state) == (2, 0, ProvisionedState.IN_PROGRESS)
    await until(lambda: is_ready(account))
    assert account.service.describe()[0].idle == 2
    result = await account.call(qualifier="live")
    assert isinstance(result, Returned)
    assert value_of(result)[0] == KEPT
    assert value_of(await account.call(qualifier="1"))[0] == KEPT  # the alias's own version
    assert value_of(await account.call())[0] == SPILLED  # $LATEST never has any
    assert account.service.provisioned("f", "") is None


@rule("LI-129", "LR-281")
async def test_the_log_tells_why_an_environment_was_started(account: Account) -> None:
    from edgeproxy.runtimes.log_settings import LogFormat, LogSettings

    log = LogSettings(LogFormat.JSON, system_level="DEBUG")
    account.service.put(defined(account, 1, log=log))
    await until(lambda: is_ready(account, 1))
    await account.call()
    events = [json.loads(line.message) for line in account.service.logs("f")]
    told = [
        (event["type"], event["record"]["initializationType"])
        for event in events
        if event["type"].startswith("platform.init")
    ]
    for kind in ("platform.initStart", "platform.initRuntimeDone", "platform.initReport"):
        assert {type_ for name, type_ in told if name == kind} == {KEPT, SPILLED}


@rule("LI-130")
async def test_what_is_above_the_amount_spills_over(account: Account) -> None:
    seen: list[tuple[str, InFlight]] = []
    account.service.on_entered = lambda name, qualifier, now: seen.append((qualifier, now))
    await ready(account)
    running = await held(account, "a", "b", "c")
    assert not is_ready(account) or status(account).available == 2
    values = await let_go(account, running, "a", "b", "c")
    assert [kind for kind, _ in values] == [KEPT, KEPT, SPILLED]
    assert value_of(await account.call(qualifier="live"))[0] == KEPT
    uses = [now.provisioned for _, now in seen]
    assert [(use.running, use.available, use.spilled) for use in uses if use] == [
        (1, 2, False), (2, 2, False), (2, 2, True), (1, 2, False)
    ]  # fmt: skip


@rule("LI-130", "LI-131")
async def test_nothing_spills_over_above_the_functions_limit(account: Account) -> None:
    await ready(account, 1, reserved=1)
    latest = await account.call()
    assert isinstance(latest, Throttled)  # all that is reserved is provisioned
    assert latest.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    running = await held(account, "a")
    assert isinstance(await account.call(qualifier="live"), Throttled)
    assert (await let_go(account, running, "a"))[0][0] == KEPT


@rule("LI-129")
async def test_the_number_is_kept_when_environments_end(account: Account) -> None:
    await ready(account)
    _, killed = value_of(await account.call(qualifier="live"))
    os.kill(killed, signal.SIGKILL)  # while it is idle
    await until(lambda: status(account).available == 1)
    await until(lambda: is_ready(account))
    failed = await account.call("exit", qualifier="live")
    assert isinstance(failed, FunctionError)
    assert document_of(failed)["errorType"] == "Runtime.ExitError"
    await until(lambda: is_ready(account))
    running = await held(account, "a", "b")
    values = await let_go(account, running, "a", "b")
    assert {kind for kind, _ in values} == {KEPT}
    assert killed not in {pid for _, pid in values}


@rule("LI-129")
async def test_idle_provisioned_environments_are_not_ended(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.awslambda.in_service._IDLE_LIMIT_S", 0)
    monkeypatch.setattr("edgeproxy.awslambda.in_service._IDLE_CHECK_S", 0.01)
    await ready(account)
    # The one on demand, which the deployment has started, goes.
    await until(lambda: account.service.describe()[0].idle == 2)
    assert is_ready(account)


@rule("LI-129")
async def test_code_that_does_not_load(account: Account) -> None:
    account.service.put(defined(account, code="raise ValueError('broken')"))
    await until(lambda: status(account).state is not ProvisionedState.IN_PROGRESS)
    assert status(account) == ProvisionedStatus(
        2, 0, ProvisionedState.FAILED, "FUNCTION_ERROR_INIT_FAILURE"
    )
    # New code begins anew.
    await account.service.deploy(defined(account), force=True)
    await until(lambda: is_ready(account))


@rule("LI-129")
async def test_a_process_that_ends_as_soon_as_it_is_ready_is_not_started_for_ever(
    account: Account,
) -> None:
    code = """
import os, threading
(open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "starts"), "a")).write("x")
threading.Timer(0.05, os._exit, [1]).start()
def handler(event, context): pass
"""
    account.service.put(defined(account, 1, code=code))
    await until(lambda: status(account).state is ProvisionedState.FAILED)
    assert (account.folder / "f" / "starts").read_text() == "x"


async def test_the_amount_can_be_changed_and_taken_away(account: Account) -> None:
    definition = await ready(account)
    first = {value_of(result)[1] for result in [await account.call(qualifier="live")]}
    account.service.put(replace(definition, provisioned={"live": 3}))
    assert status(account).state is ProvisionedState.IN_PROGRESS
    await until(lambda: is_ready(account, 3))
    running = await held(account, "a", "b", "c")
    account.service.put(replace(definition, provisioned={"live": 1}))
    values = await let_go(account, running, "a", "b", "c")
    assert first < {pid for _, pid in values}, "what was there before goes on"
    await until(lambda: is_ready(account, 1))
    account.service.put(replace(definition, provisioned={}))
    assert account.service.provisioned("f", "live") is None
    assert value_of(await account.call(qualifier="live"))[0] == SPILLED


async def test_an_alias_takes_its_environments_to_another_version(account: Account) -> None:
    definition = await ready(account)
    account.service.put(replace(definition, versions=("1", "2"), aliases={"live": "2"}))
    await until(lambda: is_ready(account))
    assert value_of(await account.call(qualifier="2"))[0] == KEPT
    assert value_of(await account.call(qualifier="1"))[0] == SPILLED


async def test_new_code_gets_new_environments(account: Account) -> None:
    definition = await ready(account)
    before = value_of(await account.call(qualifier="live"))[1]
    account.write({"app.py": TELL.replace("os.getpid()", "'new'")})
    await account.service.deploy(definition, force=True)
    await until(lambda: is_ready(account))
    assert value_of(await account.call(qualifier="live")) == [KEPT, "new"]
    with pytest.raises(ProcessLookupError):
        await until(lambda: os.kill(before, 0))


@rule("LI-134")
async def test_a_machine_may_have_room_for_less(tmp_path: Path) -> None:
    async with Account(tmp_path, provisioned_concurrency=1) as account:
        account.service.put(defined(account, 50))
        await until(lambda: is_ready(account, 1))
        running = await held(account, "a", "b")
        values = await let_go(account, running, "a", "b")
        assert [kind for kind, _ in values] == [KEPT, SPILLED]


@rule("LI-127", "LI-134")
async def test_growth_is_what_is_limited_not_use(tmp_path: Path) -> None:
    async with Account(tmp_path, scaling_rate=1) as account:
        await account.service.deploy(defined(account, 0), qualifier="live")
        running = await held(account, "a")
        refused = await account.call(qualifier="live")
        assert isinstance(refused, Throttled)
        assert refused.retry_after_s is not None
        assert 1 <= refused.retry_after_s <= 10
        await let_go(account, running, "a")
        for _ in range(3):
            assert isinstance(await account.call(qualifier="live"), Returned)


@rule("LR-183")
@pytest.mark.parametrize(
    ("provisioned", "timeout_s", "limit_s"),
    [(False, 900, 10), (True, 3, 130), (True, 130, 130), (True, 400, 400), (True, 900, 900)],
)
def test_init_may_take_longer_where_nobody_waits(
    account: Account, provisioned: bool, timeout_s: int, limit_s: int
) -> None:
    spec = account.define("", timeout_s=timeout_s).spec
    assert init_limit_s(replace(spec, provisioned=provisioned)) == limit_s


@rule("LR-183")
async def test_slow_code_has_its_time(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.phases._ON_DEMAND_INIT_S", 0.05)
    account.service.put(defined(account, 1, code=f"import time\ntime.sleep(0.5)\n{TELL}"))
    await until(lambda: is_ready(account, 1))
    assert value_of(await account.call(qualifier="live"))[0] == KEPT


@rule("LR-183")
async def test_init_that_takes_too_long(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeproxy.runtimes.phases._PROVISIONED_INIT_S", 0.2)
    definition = defined(account, 1, code="import time\ntime.sleep(60)")
    account.service.put(replace(definition, spec=replace(definition.spec, timeout_s=0.1)))
    await until(lambda: status(account).state is ProvisionedState.FAILED)
    assert status(account).reason == "FUNCTION_ERROR_INIT_FAILURE"


@rule("LI-120", "LR-181")
async def test_two_hundred_at_once_scale_out_and_hold(account: Account) -> None:
    sleep = "import os, time\ndef handler(event, context):\n    time.sleep(0.02)\n"
    await account.deploy(f"{sleep}    return os.getpid()", timeout_s=60)

    async def caller() -> list[int]:
        return [value_of(await account.call()) for _ in range(10)]

    served = await asyncio.gather(*(caller() for _ in range(200)))
    pids = [pid for each in served for pid in each]
    assert len(pids) == 2000
    assert len(set(pids)) > 10
    await until(lambda: not account.service.describe()[0].busy)
    found = account.service.describe()[0]
    assert (found.cold, found.last_error) == (0, "")
    assert len(set(pids)) <= found.idle <= 200
