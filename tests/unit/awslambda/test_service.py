import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.awslambda.service import Deployed, DeployFailed
from edgeproxy.runtimes.invocation import Returned
from tests.unit.runtimes.account import Account, value_of

PID = "import os\nhandler = lambda e, c: os.getpid()"


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        yield account


async def test_an_equal_definition_changes_nothing(account: Account) -> None:
    definition = account.define(PID)
    assert isinstance(await account.service.deploy(definition, qualifier=""), Deployed)
    pid = value_of(await account.call())
    assert isinstance(await account.service.deploy(definition, qualifier=""), Deployed)
    assert value_of(await account.call()) == pid
    await account.service.deploy(definition, force=True, qualifier="")
    assert value_of(await account.call()) != pid


async def test_the_newest_version_is_started_by_default(account: Account) -> None:
    await account.service.deploy(account.define(PID, versions=("1", "2")))
    result = await account.call(qualifier="2")
    assert isinstance(result, Returned)
    assert account.service.describe()[0].idle == 1


async def test_versions_in_use_are_started_again(account: Account) -> None:
    await account.deploy(PID)
    await account.call(qualifier="1")
    await account.deploy(PID)
    assert account.service.describe()[0].idle == 2


async def test_invocations_wait_for_the_first_deployment(account: Account) -> None:
    deploying = asyncio.ensure_future(account.deploy(PID))
    await asyncio.sleep(0)
    assert isinstance(await account.call(), Returned)
    assert isinstance(await deploying, Deployed)
    status = account.service.describe()[0]
    assert (status.idle, status.busy, status.cold) == (1, 0, 0)


async def test_unknown_functions(account: Account) -> None:
    with pytest.raises(FunctionNotFound):
        await account.call()
    await account.deploy(PID)
    with pytest.raises(FunctionNotFound):
        await account.call(qualifier="9")


async def test_what_cannot_be_started_does_not_count_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Account(tmp_path, account_concurrency=1) as account:
        account.service.put(account.define(PID))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        with pytest.raises(FileNotFoundError):
            await account.call()
        monkeypatch.undo()
        assert isinstance(await account.call(), Returned)


async def test_a_removed_function_is_gone(account: Account) -> None:
    pid = value_of(await account.run(PID))
    assert pid
    await account.service.remove("f")
    assert account.service.describe() == []
    with pytest.raises(FunctionNotFound):
        await account.call()
    await account.service.remove("f")


async def test_what_a_function_writes_is_kept(account: Account) -> None:
    await account.run("def handler(e, c): print('hello')")
    assert "hello" in [line.message for line in account.service.logs("f")]


async def test_functions_are_described(account: Account) -> None:
    await account.deploy(PID, versions=("1",), aliases={"live": "1"})
    (status,) = account.service.describe()
    assert (status.name, status.runtime, status.handler) == ("f", "python3.12", "app.handler")
    assert (status.versions, status.aliases) == (("1",), {"live": "1"})
    await account.run("def handler(e, c): raise KeyError('k')")
    assert account.service.describe()[0].last_error == "KeyError: 'k'"


async def test_another_interpreter_than_declared_is_said_once(account: Account) -> None:
    deployed = await account.deploy(PID, runtime="python3.99")
    assert isinstance(deployed, Deployed)
    assert "python3.99 is not installed here" in deployed.note
    said = [line for line in account.service.logs("f") if "python3.99 is not" in line.message]
    assert len(said) == 1


async def test_without_node_the_remedy_reaches_the_user(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeproxy.runtimes import interpreters

    monkeypatch.setattr(interpreters, "_nodes", lambda: iter(()))
    interpreters.find_interpreter.cache_clear()
    failed = await account.deploy("exports.handler = async () => 1;", runtime="nodejs22.x")
    assert isinstance(failed, DeployFailed)
    assert failed.document["errorType"] == "Runtime.InvalidEntrypoint"
    assert "pip install 'edgeproxy[node]'" in str(failed.document["errorMessage"])
