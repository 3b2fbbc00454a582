"""Calls about what was logged and counted."""

from aiohttp import web

from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.observe.metrics import MINUTES_KEPT, Metrics

__all__ = ["MeasureCalls"]


class MeasureCalls:
    """Log groups and metrics."""

    def __init__(self, controlled: Controlled, metrics: Metrics) -> None:
        self._controlled = controlled
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """``/api/logs``, ``/api/metrics`` and Prometheus's ``/metrics``."""
        return [
            web.get("/api/logs", self._logs),
            web.get("/api/metrics", self._metrics_json),
            web.get("/metrics", self._metrics_text),
        ]

    async def _logs(self, request: web.Request) -> web.Response:
        groups = self._controlled.log_groups
        group = request.query.get("group")
        if group is None:
            return answered({"groups": groups.names()})
        limit = number(request, "limit", 100)
        if group not in groups.names():
            raise Problem(404, "NoSuchLogGroup", f"nothing was written to a log group {group!r}")
        newest = groups.newest(group, limit)
        lines = [documents.log_line(line, line.log_stream) for line in newest]
        return answered({"group": group, "lines": lines})

    async def _metrics_json(self, request: web.Request) -> web.Response:
        minutes = number(request, "minutes", MINUTES_KEPT) if "minutes" in request.query else 0
        metrics = self._metrics.all(by_minute=minutes > 0)
        return answered({"metrics": [documents.metric_document(m, minutes) for m in metrics]})

    async def _metrics_text(self, request: web.Request) -> web.Response:
        return web.Response(text=self._metrics.prometheus(), content_type="text/plain")
