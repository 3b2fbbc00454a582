"""The control listener: the inspector's API on a port of its own."""

import errno

from aiohttp import web

from edgeproxy.app.program import Program
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.clock import Clock
from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.inspector.api import ControlApi
from edgeproxy.observe.history import History
from edgeproxy.observe.metrics import Metrics

__all__ = ["ControlListener"]


class ControlListener:
    """Serves the control API for a program."""

    def __init__(self, program: Program, history: History, metrics: Metrics) -> None:
        self._program = program
        self._runner = web.AppRunner(
            ControlApi(self, history, metrics).application(),
            handle_signals=False,
            handler_cancellation=True,  # Who follows the exchanges and leaves is let go at once.
            access_log=None,
            shutdown_timeout=0.2,
        )
        self.url = ""

    @property
    def clock(self) -> Clock:
        return self._program.clock

    @property
    def lambdas(self) -> LambdaService:
        return self._program.lambdas

    def endpoints(self) -> dict[str, object]:
        return self._program.endpoints(self.url)

    async def invalidate(self, distribution: str, paths: list[str]) -> int:
        return await self._program.invalidate(distribution, paths)

    def explain(self, url: str, method: str, headers: list[tuple[str, str]]) -> dict[str, object]:
        return self._program.explain(url, method, headers)

    async def start(self, host: str, port: int) -> None:
        """Accept from now on. Raises :class:`PortInUse` or :class:`UsageError`."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"--control-port: port {port} of {host} is in use by another program",
                    remedy="stop that program, or give another port; port 0 takes a free one",
                ) from error
            raise UsageError(f"the control listener cannot use {host}:{port}: {error}") from error
        actual = self._runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{actual}"

    async def stop(self) -> None:
        await self._runner.cleanup()
