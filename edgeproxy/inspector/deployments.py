"""Calls about deployments of functions, and the alarms that stop them."""

from aiohttp import web

from edgeproxy.entrypoints.code_deploy import ALARM_STATES, deployment_document
from edgeproxy.inspector.calls import Problem, answered, object_of
from edgeproxy.inspector.controlled import Controlled

__all__ = ["DeploymentCalls"]


class DeploymentCalls:
    """What CodeDeploy and CloudWatch would show."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """``/api/deployments`` and ``/api/alarms``."""
        return [
            web.get("/api/deployments", self._deployments),
            web.get("/api/alarms", self._alarms),
            web.post("/api/alarms/{name}", self._set_alarm),
        ]

    async def _deployments(self, request: web.Request) -> web.Response:
        deployments = self._controlled.deployments.all.values()
        return answered({"deployments": [deployment_document(each) for each in deployments]})

    async def _alarms(self, request: web.Request) -> web.Response:
        return answered({"alarms": self._controlled.deployments.alarms})

    async def _set_alarm(self, request: web.Request) -> web.Response:
        """An alarm stops the deployments that watch it (LI-296)."""
        name, state = request.match_info["name"], (await object_of(request)).get("state")
        if state not in ALARM_STATES:
            raise Problem.argument(f"state must be one of {', '.join(ALARM_STATES)}")
        self._controlled.deployments.set_alarm(name, str(state))
        return answered({"alarm": name, "state": state})
