from pathlib import Path

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.resources import FunctionResource, UrlConfig, Version
from edgeproxy.chance import Chance
from edgeproxy.runtimes.invocation import FunctionSpec
from tests.unit.runtimes.account import Account


def resource(account: LambdaAccount, folder: Path, handler: str) -> FunctionResource:
    spec = FunctionSpec("f", "python3.12", handler, folder, account.function_arn("f"))
    return FunctionResource("f", Version(spec, {}, "r-1", 0.0))


async def test_a_function_that_is_created_while_one_of_its_name_is_removed(tmp_path: Path) -> None:
    async with Account(tmp_path) as processes:
        account = LambdaAccount(
            processes.service,
            processes.clock,
            Chance(1),
            tmp_path,
            account_id="123456789012",
            region="us-east-1",
            concurrency=10,
            tasks=processes.tasks,
        )
        old = resource(account, tmp_path, "old.handler")
        old.urls[""] = UrlConfig(FunctionUrl("Url", "f", "id"), 0.0, 0.0)
        account.put(old)

        async def create(url: FunctionUrl) -> None:
            account.put(resource(account, tmp_path, "new.handler"))

        account.close_url = create
        await account.remove(old)
        definition = account.service.definition("f")
        assert definition is not None
        assert definition.spec.handler == "new.handler"
