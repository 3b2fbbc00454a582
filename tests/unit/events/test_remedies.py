"""Whoever is told that a result is wrong is told what to do about it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeproxy import events
from edgeproxy.distribution.model import EventType
from edgeproxy.events.lambda_edge import decode_request_result, decode_response_result
from edgeproxy.events.lambda_edge_judgement import Invalid
from edgeproxy.http.messages import Request, Response

_ARGUMENTS = {"Finding": 3, "invalid": 4}
"""How many each has with its remedy; ``Refused`` has four with a kind in front, else three."""


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(Path(next(iter(events.__path__))).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Refused", *_ARGUMENTS)
            ):
                yield f"{file.name}:{node.lineno}", node


@pytest.mark.parametrize("call", [pytest.param(call, id=where) for where, call in _calls()])
def test_no_finding_is_made_without_a_remedy(call: ast.Call) -> None:
    assert isinstance(call.func, ast.Name)
    if call.func.id == "Refused":
        with_kind = ast.unparse(call.args[0]).startswith("InvalidKind.")
        needed = 4 if with_kind else 3
    else:
        needed = _ARGUMENTS[call.func.id]
    assert not call.keywords
    assert len(call.args) == needed
    assert not (isinstance(call.args[-1], ast.Constant) and not call.args[-1].value)


_REQUEST = Request("GET", "/")


@pytest.mark.parametrize(
    ("result", "rule", "part"),
    [
        ('{"status": 700}', "LE-GEN-03", "three digits"),
        ('{"status": 200, "body": "#", "bodyEncoding": "base64"}', "LE-GEN-06", "alphabet"),
        ('{"status": 204, "body": "x"}', "LE-GEN-07", "leave the body out"),
        ('{"status": 200, "body": "%s"}' % ("x" * 41_000), "LE-GEN-09", "shorten"),
        ('{"status": 200, "statusDescription": 1}', "LE-RET-07", "one line"),
        ('{"status": 200, "headers": {"a b": [{"value": ""}]}}', "LE-RET-07", "hyphens"),
        ('{"status": 200, "headers": {"a": [{"value": "\\n"}]}}', "LE-HDR-15", "line breaks"),
        ('{"uri": "/", "headers": {}, "method": "PUT"}', "LE-RET-08", "leave request.method"),
        ('{"uri": 1, "headers": {}}', "LE-RET-09", "uri of the event"),
    ],
)
def test_the_remedy_fits(result: str, rule: str, part: str) -> None:
    judged = decode_request_result(EventType.VIEWER_REQUEST, result.encode(), request=_REQUEST)
    assert isinstance(judged, Invalid)
    assert judged.findings[-1].rule == rule
    assert part in judged.findings[-1].remedy


def test_responses_too() -> None:
    judged = decode_response_result(
        EventType.ORIGIN_RESPONSE, b'{"status": "ok"}', response=Response(200)
    )
    assert isinstance(judged, Invalid)
    assert judged.findings[-1].remedy
