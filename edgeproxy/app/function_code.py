"""Brings the code of functions into service, and tells what keeps it from loading."""

from collections.abc import Callable
from functools import partial

from edgeproxy.app.first_call import first_call
from edgeproxy.app.load_failures import load_failure
from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.awslambda.service import Deployed, DeployFailed, LambdaService
from edgeproxy.project.model import Project

__all__ = ["FunctionCode"]


class FunctionCode:
    """``tell`` hears of what does not load, and once of each interpreter that stands in."""

    def __init__(
        self,
        lambdas: LambdaService,
        account: LambdaAccount,
        deployments: Deployments,
        tell: Callable[[str], None],
    ) -> None:
        self._lambdas = lambdas
        self._account = account
        self._deployments = deployments
        self._tell = tell
        self._noted: set[str] = set()

    async def deploy(
        self, definition: FunctionDefinition, project: Project, *, changed: bool = False
    ) -> bool:
        """Bring a function of ``project`` into service.

        ``changed`` says that files have changed although the definition is the same. The result
        says whether the code runs now; if not, an earlier version that did goes on serving.
        """
        load = partial(self._load, project=project, changed=changed)
        if definition.deployment is not None:
            return await self._deployments.deploy(definition, load)
        return await load(self._account.definition_of(definition))

    async def _load(
        self, definition: FunctionDefinition, *, project: Project, changed: bool
    ) -> bool:
        qualifier, region = first_call(project, definition.name)
        if definition.deployment is not None:
            qualifier = LATEST  # The versions run copies, whose places nobody would know.
        result = await self._lambdas.deploy(
            definition,
            force=changed,
            qualifier=qualifier,
            replica_region=region,
        )
        if result.note and result.note not in self._noted:
            self._noted.add(result.note)
            self._tell(result.note)
        match result:
            case Deployed():
                return True
            case DeployFailed():
                self._tell(load_failure(definition, result))
                return False
