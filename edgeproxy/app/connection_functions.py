"""Connection functions: they judge each new connection with mutual TLS, before its first request.

Whoever is not let in has its connection closed, without an HTTP answer: when the function says so,
when it fails, and when it says nothing (CFF-CONN-02).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

import orjson

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry, told_finding
from edgeproxy.app.key_value_stores import KeyValueStores
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.observe.edge_logs import connection_function_group
from edgeproxy.project.model import Project
from edgeproxy.runtimes.invocation import LogRecord
from edgeproxy.runtimes.log_groups import LogGroups

if TYPE_CHECKING:
    from edgeproxy.runtimes.cloudfront_js.outcome import Outcome

__all__ = ["ConnectionFunctions", "why_closed"]


class ConnectionFunctions:
    """The connection functions of a running program; ``tell`` hears why connections are closed."""

    def __init__(
        self,
        stores: KeyValueStores,
        clock: Clock,
        chance: Chance,
        log_groups: LogGroups,
        tell: Callable[[str], None],
    ) -> None:
        self.registry = CloudFrontFunctionRegistry(clock, chance, tell, stores)
        self._clock = clock
        self._log_groups = log_groups
        self._log_stream = chance.uuid()
        self._tell = tell

    def apply(self, project: Project) -> None:
        """Take over what the project declares now."""
        functions, stores = project.connection_functions, project.key_value_stores
        for name, finding in self.registry.apply(functions, stores):
            self._tell(told_finding(name, finding))

    def lets_in(self, name: str, event: Mapping[str, object]) -> bool:
        """Whether the function of that name lets the connection in that ``event`` is about."""
        from edgeproxy.runtimes.cloudfront_js.engine import RunContext

        outcome = self.registry.run(name, orjson.dumps(event), RunContext())
        self._log(name, event, outcome)
        why = why_closed(outcome)
        if why:
            self._tell(f"{name} turned away a connection of {event['clientIp']}: {why}")
        return not why

    def _log(self, name: str, event: Mapping[str, object], outcome: "Outcome") -> None:
        from edgeproxy.runtimes.cloudfront_js.outcome import format_log

        now = self._clock.now()
        day = datetime.fromtimestamp(now, UTC)
        stream = f"{day.year}/{day.month}/{day.day}/{self._log_stream}"
        connection_id = str(event["connectionId"])
        for line in format_log(connection_id, str(event["distributionId"]), outcome.logs):
            record = LogRecord(now, connection_id, "platform", line, stream)
            self._log_groups.write(connection_function_group(name), record)


def why_closed(outcome: "Outcome") -> str:
    """Why CloudFront closes the connection, empty when it does not."""
    from edgeproxy.runtimes.cloudfront_js.outcome import Completed, Failed

    match outcome:
        case Failed():
            where = f" ({outcome.location})" if outcome.location is not None else ""
            return f"{outcome.message}{where}"
        case Completed(result="allow"):
            return ""
        case Completed(result="deny"):
            return unquote(outcome.custom_log, errors="ignore") or "connection.deny()"
        case Completed():
            return "it called neither connection.allow() nor connection.deny() [CFF-CONN-02]"
