"""Writes what CloudFront itself logs about functions, into log groups of AWS's names.

The lines of CloudFront Functions (CFF-LOG-01, CFF-LOG-02), and why a Lambda@Edge function's result
was refused (LE-LOG-03, LE-LOG-04). Lambda's own log groups are the Lambda service's.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from edgeproxy.exchange.model import Exchange, FunctionRun, RepeatedHit
from edgeproxy.runtimes.invocation import LogRecord
from edgeproxy.runtimes.log_groups import LogGroups

__all__ = ["EdgeLogs", "cloudfront_function_group", "connection_function_group"]


def cloudfront_function_group(name: str) -> str:
    """The log group of a CloudFront Function."""
    return f"/aws/cloudfront/function/{name}"


def connection_function_group(name: str) -> str:
    """The log group of a connection function (CFF-CONN-04)."""
    return f"/aws/cloudfront/connection-function/{name}"


class EdgeLogs:
    """A recorder. ``distribution_id`` gives the ID of a distribution by its logical ID, ``uuid``
    names the log streams of this run."""

    def __init__(self, groups: LogGroups, distribution_id: Callable[[str], str], uuid: str) -> None:
        self._groups = groups
        self._distribution_id = distribution_id
        self._uuid = uuid

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        """No function has run in them."""

    def ended(self, exchange: Exchange) -> None:
        for run in exchange.functions:
            if run.kind == "cloudfront":
                self._function_log(exchange, run)
            elif exchange.door == "distribution" and run.error == "Validation":
                self._validation_error(exchange, run)

    def _function_log(self, exchange: Exchange, run: FunctionRun) -> None:
        from edgeproxy.runtimes.cloudfront_js.outcome import format_log

        distribution_id = self._distribution_id(exchange.name)
        lines = format_log(exchange.id, distribution_id, [line.message for line in run.log])
        for line in lines:
            self._write(cloudfront_function_group(run.name), run.log[0].time_s, exchange.id, line)

    def _validation_error(self, exchange: Exchange, run: FunctionRun) -> None:
        group = f"/aws/cloudfront/LambdaEdge/{self._distribution_id(exchange.name)}"
        reason = "; ".join(finding.message for finding in run.findings)
        # How the entry gives the ID of the invocation is not known (LE-LOG-04): here at its end.
        message = (
            f"({exchange.id}) ERROR Validation error: {reason}, "
            f"Lambda function {run.name}, Lambda request ID: {run.request_id}"
        )
        time_s = run.log[-1].time_s if run.log else exchange.started
        self._write(group, time_s, exchange.id, message)

    def _write(self, group: str, time_s: float, request_id: str, message: str) -> None:
        day = datetime.fromtimestamp(time_s, UTC)
        stream = f"{day.year}/{day.month}/{day.day}/{self._uuid}"
        self._groups.write(group, LogRecord(time_s, request_id, "platform", message, stream))
