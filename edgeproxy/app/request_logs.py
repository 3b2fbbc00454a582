"""The logs and traces of requests, and the files of functions' logs, that the options ask for."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edgeproxy.app.program import Program
from edgeproxy.distribution.logs import STANDARD_FIELDS, LogFormat
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import Place, UsageError
from edgeproxy.exchange.model import Recorder
from edgeproxy.observe.access_log import AccessLog
from edgeproxy.observe.function_logs import FunctionLogs
from edgeproxy.observe.log_fields import LogSource
from edgeproxy.observe.log_files import require_parquet
from edgeproxy.observe.log_formats import Layout
from edgeproxy.observe.realtime_logs import RealtimeLogs
from edgeproxy.observe.standard_logs import StandardLogs, deliveries_of
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.settings import Settings

__all__ = ["Log", "RequestLog", "function_logs", "request_logs"]


class Log(Protocol):
    """A log that is written behind the requests' backs."""

    async def flush(self) -> None: ...

    async def close(self) -> None: ...


class RequestLog(Recorder, Log, Protocol):
    """One of requests."""


def function_logs(folder: Path, program: Program) -> Log:
    """The files of all log groups. Raises :class:`UsageError` when they cannot be written."""
    _make("--log-dir", folder)
    logs = FunctionLogs(folder)
    program.log_groups.on_written = logs.written
    return logs


def request_logs(settings: Settings, program: Program, loaded: Loaded) -> Iterator[RequestLog]:
    """The logs, opened one by one. Raises :class:`UsageError` for one that cannot be written."""
    source = LogSource(program.distribution, program.identity.pop, _server_ip(settings.host))
    distributions = list(loaded.project.distributions.values())
    if (path := settings.access_log) is not None:
        fields = settings.access_log_fields
        layout = Layout(
            tuple(fields.split(",")) if fields else STANDARD_FIELDS,
            LogFormat(settings.access_log_format),
        )
        try:
            # Who asks for cookies by name gets them, whatever Logging says.
            with_cookies = bool(fields) and "cs(Cookie)" in layout.fields
            yield AccessLog(path, source, layout, with_cookies=with_cookies)
        except OSError as error:
            raise UsageError(
                f"the access log cannot be written: {error.strerror}", place=Place(path)
            ) from error
    if (folder := settings.standard_logs) is not None:
        deliveries = [each for one in distributions for each in deliveries_of(one)]
        if not deliveries:
            raise UsageError(
                "--standard-logs: no distribution of the definition has standard logs",
                rule="CDN-CFG-029",
                remedy="give it Logging or an AWS::Logs::Delivery, or use --access-log FILE",
            )
        if any(delivery.format is LogFormat.PARQUET for delivery in deliveries):
            require_parquet()
        _make("--standard-logs", folder)
        yield StandardLogs(folder, source)
    if (folder := settings.realtime_logs) is not None:
        if not any(map(_has_realtime_logs, distributions)):
            raise UsageError(
                "--realtime-logs: no behavior of the definition has a RealtimeLogConfigArn",
                rule="CDN-CFG-221",
                remedy="give it that of an AWS::CloudFront::RealtimeLogConfig",
            )
        _make("--realtime-logs", folder)
        yield RealtimeLogs(folder, source, program.chance)
    if settings.otlp_endpoint:
        yield _traces(settings.otlp_endpoint, program)


def _traces(endpoint: str, program: Program) -> RequestLog:
    try:
        from edgeproxy.observe.traces import Traces
    except ImportError as error:
        raise UsageError(
            f"--otlp-endpoint needs OpenTelemetry: {error}",
            remedy="pip install 'edgeproxy[otel]'",
        ) from error
    return Traces(endpoint, program.chance)


def _make(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder of {option} cannot be made: {error.strerror}",
            place=Place(folder),
            remedy="give a folder that this user may write",
        ) from error


def _server_ip(host: str) -> str:
    """The address of the edge; one of them when it listens on several, or on a name's."""
    try:
        is_one = not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_one = False
    return host if is_one else "127.0.0.1"


def _has_realtime_logs(distribution: Distribution) -> bool:
    return any(each.realtime_log is not None for each in distribution.all_behaviors)
