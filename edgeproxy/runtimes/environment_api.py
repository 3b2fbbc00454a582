"""What the processes of one environment find at ``AWS_LAMBDA_RUNTIME_API``.

A server of its own for each environment, since nothing in a call says who calls (LR-200).
"""

from typing import TYPE_CHECKING, Final, Protocol

from edgeproxy.chance import Chance
from edgeproxy.runtimes.api_call import Call, error_body
from edgeproxy.runtimes.extensions_api import EXTENSIONS_API, ExtensionsApi, ExtensionsApiOwner
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.runtime_api import RUNTIME_API, RuntimeApi, RuntimeApiOwner

if TYPE_CHECKING:
    from edgeproxy.runtimes.api_server import ApiServer

__all__ = ["EnvironmentApi", "EnvironmentApiOwner"]

_SUBSCRIPTIONS: Final = {
    "/2022-07-01/telemetry": error_body("Telemetry API is not supported", "Telemetry.NotSupported"),
    "/2020-08-15/logs": error_body("Logs API is not supported", "Logs.NotSupported"),
}
"""What a subscription is told: it is taken and nothing comes of it (LR-235)."""


class EnvironmentApiOwner(RuntimeApiOwner, ExtensionsApiOwner, Protocol):
    """Who is told what runtime and extensions do."""


class EnvironmentApi:
    """The Runtime API, the Extensions API and what else there is on that port."""

    def __init__(self, spec: FunctionSpec, chance: Chance, owner: EnvironmentApiOwner) -> None:
        self.runtime = RuntimeApi(owner)
        self.extensions = ExtensionsApi(spec, chance, owner)
        self._server: ApiServer | None = None
        self.address = ""
        """``host:port``, once it is open."""

    async def open(self) -> None:
        """Start to listen."""
        # Most functions need no such server: its parser is imported with the first that does.
        from edgeproxy.runtimes.api_server import ApiServer

        self._server = ApiServer(self._called)
        await self._server.open()
        self.address = self._server.address

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.close()

    def _called(self, call: Call) -> None:
        if call.path.startswith(RUNTIME_API):
            self.runtime.called(call)
        elif call.path.startswith(EXTENSIONS_API):
            self.extensions.called(call)
        elif call.path in _SUBSCRIPTIONS and call.method == "PUT":
            body = _SUBSCRIPTIONS[call.path]
            call.collect(lambda _: call.answer(202, body), 0)
        elif call.path == "/ping" and call.method == "GET":
            call.collect(lambda _: call.answer(200, b"pong"), 0)
        else:
            call.collect(lambda _: call.answer(404, b"404 page not found\n"), 0)
