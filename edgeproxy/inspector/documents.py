"""Exchanges as JSON documents: the shapes of the control listener's API.

Text may come from anywhere (paths, headers, reasons that quote them), so :func:`summary` and
:func:`detail` make the whole document fit for JSON at the end instead of piece by piece.
"""

import base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson

from edgeproxy.distribution.viewer_headers import cloudfront_headers
from edgeproxy.exchange.model import Exchange, FunctionRun, LogLine, Step
from edgeproxy.exchange.text import carried
from edgeproxy.http.body import Body
from edgeproxy.http.messages import Request, Response
from edgeproxy.inspector.meanings import meaning_of
from edgeproxy.observe.metrics import Metric
from edgeproxy.observe.statistics import Statistics

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_store import QueuedEvent

__all__ = [
    "body_document",
    "detail",
    "event",
    "iso",
    "log_line",
    "metric_document",
    "run_document",
    "summary",
    "summary_json",
]

_DEVICES: Final = ("Mobile", "Tablet", "SmartTV", "Desktop")


def iso(epoch_s: float) -> str:
    """``2026-11-21T03:50:32.123Z`` for seconds since the epoch."""
    second, microseconds = divmod(round(epoch_s * 1_000_000), 1_000_000)
    return f"{_second(second)}.{microseconds // 1000:03d}Z"


@lru_cache(64)  # Many requests begin in the same one.
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def summary(exchange: Exchange) -> dict[str, object]:
    """One line of a list: what was asked, how it ended, which functions ran."""
    return _carried(_summary(exchange))


def summary_json(exchange: Exchange) -> bytes:
    """The same as JSON text."""
    try:
        return orjson.dumps(_summary(exchange))
    except orjson.JSONEncodeError:  # A text in it is no Unicode.
        return orjson.dumps(summary(exchange))


def detail(exchange: Exchange) -> dict[str, object]:
    """The summary and every step, with the messages before and after it."""
    return _carried(
        {
            **_summary(exchange),
            "request": _message(exchange.request),
            "response": _message(exchange.response),
            "aborted": exchange.aborted,
            "viewer": _viewer(exchange.request),
            "path_pattern": exchange.path_pattern or None,
            "first_byte_ms": _ms_or_none(exchange.first_byte_s),
            "asked": _asked(exchange),
            "steps": [_step(step) for step in exchange.steps],
        }
    )


def event(queued: "QueuedEvent") -> dict[str, object]:
    """An asynchronous event that has not ended, without its payload."""
    state = "ended" if queued.condition else "running" if queued.running else "waiting"
    return {
        "request_id": queued.request_id,
        "function": queued.name,
        "qualifier": queued.qualifier,
        "state": state,
        "accepted": iso(queued.accepted_s),
        "due": iso(queued.due_s),
        "attempts": queued.attempts,
    }


def log_line(line: LogLine, stream: str) -> dict[str, object]:
    """A line of a log. ``stream`` is where a function wrote it, or the name of a log stream."""
    return {
        "time": iso(line.time_s),
        "request_id": line.request_id,
        "stream": stream,
        "message": carried(line.message),
    }


def metric_document(metric: Metric, minutes: int) -> dict[str, object]:
    """A metric since start, and its values in each of the newest ``minutes`` that it has any."""
    document: dict[str, object] = {
        "namespace": metric.namespace,
        "name": metric.name,
        "dimensions": dict(metric.dimensions),
        **_statistics(metric.total),
    }
    if minutes:
        newest = sorted(metric.minutes.items())[-minutes:]
        document["minutes"] = [
            {"time": iso(minute), **_statistics(statistics)} for minute, statistics in newest
        ]
    return document


def _statistics(statistics: Statistics) -> dict[str, object]:
    return {
        "sum": statistics.sum,
        "count": statistics.count,
        "min": statistics.min,
        "max": statistics.max,
        **{f"p{percentile}": value for percentile, value in statistics.percentiles()},
    }


def _carried(document: dict[str, object]) -> dict[str, object]:
    return {key: carried(value) for key, value in document.items()}


def _summary(exchange: Exchange) -> dict[str, object]:
    request = exchange.request
    response = exchange.response
    return {
        "id": exchange.id,
        "door": exchange.door,
        "name": exchange.name,
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "query": request.query or "",
        "status": response.status if response is not None else None,
        "result_type": exchange.result_type,
        "detailed_result_type": exchange.detailed_result_type,
        "layer": exchange.layer,
        "origin": exchange.origin_id or None,
        "cache_key": exchange.cache_key.hex() or None,
        "started": iso(exchange.started),
        "duration_ms": _ms(exchange.duration_s),
        "bytes": exchange.bytes_sent,
        "functions": [
            {
                "name": run.name,
                "event_type": run.event_type,
                "version": run.version or None,
                "duration_ms": round(run.duration_ms, 3),
                "error": run.error or None,
            }
            for run in exchange.functions
        ],
    }


def _viewer(request: Request) -> dict[str, object]:
    """Who asked, as the edge saw it; empty texts for what is not known."""
    viewer = request.viewer
    known = cloudfront_headers(request)
    devices = [name for name in _DEVICES if known.get(f"CloudFront-Is-{name}-Viewer") == "true"]
    return {
        "ip": viewer.ip,
        "port": viewer.port,
        "scheme": viewer.scheme,
        "http_version": request.version,
        "tls": viewer.tls_protocol,
        "country": viewer.country,
        "city": viewer.location.city,
        "device": devices[0].lower() if devices else "",
        "language": request.headers.get("Accept-Language"),
        "user_agent": request.headers.get("User-Agent"),
    }


def _asked(exchange: Exchange) -> dict[str, object] | None:
    """The origin that was asked last, and how long it took; None when none was."""
    if not exchange.origin_id:
        return None
    reached = exchange.origin_reached
    return {
        "id": exchange.origin_id,
        "domain_name": exchange.origin_domain_name,
        "look_up_ms": None if reached is None else _ms(reached.look_up_s),
        "connect_ms": None if reached is None else _ms_or_none(reached.connect_s),
        "first_byte_ms": None if reached is None else _ms(reached.first_byte_s),
        "answered_at_ms": _ms_or_none(exchange.origin_first_byte_s),
        "ended_at_ms": _ms_or_none(exchange.origin_last_byte_s),
    }


def run_document(run: FunctionRun) -> dict[str, object]:
    """One run of a function, with its log and what was found in its result."""
    return {
        "name": run.name,
        "event_type": run.event_type,
        "version": run.version or None,
        "request_id": run.request_id,
        "kind": run.kind,
        "qualifier": run.qualifier or None,
        "utilisation": run.utilisation,
        "duration_ms": round(run.duration_ms, 3),
        "init_ms": None if run.init_ms is None else round(run.init_ms, 3),
        "memory_mb": run.memory_mb,
        "error": run.error or None,
        "error_document": run.error_document,
        "log": [log_line(line, line.stream) for line in run.log],
        "log_data": run.log_data or None,
        "findings": [
            {
                "rule": finding.rule,
                "message": finding.message,
                "meaning": meaning_of(finding.rule),
                "remedy": finding.remedy,
            }
            for finding in run.findings
        ],
    }


def _step(step: Step) -> dict[str, object]:
    document: dict[str, object] = {
        "name": step.name,
        "started_ms": _ms(step.started_s),
        "duration_ms": _ms(step.duration_s),
        "decision": None,
        "before": _message(step.before),
        "after": _message(step.after),
    }
    if step.decision is not None:
        document["decision"] = {
            "kind": step.decision.kind,
            "why": step.decision.why,
            **step.decision.facts,
        }
    if step.function is not None:
        document["function"] = run_document(step.function)
    return document


def _message(message: Request | Response | None) -> dict[str, object] | None:
    if message is None:
        return None
    document: dict[str, object]
    if isinstance(message, Request):
        document = {
            "method": message.method,
            "uri": message.path,
            "query": message.query or "",
        }
    else:
        document = {"status": message.status, "reason": message.reason}
    document["headers"] = [[name, value] for name, value in message.headers]
    document["body"] = body_document(message.body)
    return document


def body_document(body: Body) -> dict[str, object]:
    """How much has passed of a body, and its beginning: as text, or in base64."""
    preview = body.preview
    size = body.passed if body.length is None else body.length
    try:
        return {"size": size, "preview": preview.decode("utf-8"), "encoding": "text"}
    except UnicodeDecodeError as error:
        # A multi-byte character may have been cut at the end of the preview.
        if error.start >= len(preview) - 3 and len(preview) < size:
            text = preview[: error.start].decode("utf-8")
            return {"size": size, "preview": text, "encoding": "text"}
        encoded = base64.b64encode(preview).decode("ascii")
        return {"size": size, "preview": encoded, "encoding": "base64"}


def _ms_or_none(seconds: float | None) -> float | None:
    return None if seconds is None else _ms(seconds)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
