"""What failed CloudFront Functions leave behind: lines in the access log, and nothing else."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Edge
from tests.support.command import dev
from tests.support.origin import Origin
from tests.support.viewer_functions import function, viewer_functions_template


@pytest.mark.parametrize(
    ("event", "statement", "result", "status", "result_type"),
    [
        (
            "viewer-request",
            "",
            "{statusCode: 302, statusDescription: 'Found'}",
            "302",
            "FunctionGeneratedResponse",
        ),
        ("viewer-request", "throw new Error('no');", "0", "503", "FunctionExecutionError"),
        ("viewer-response", "throw new Error('no');", "0", "503", "FunctionExecutionError"),
        ("viewer-request", "", "'text'", "502", "FunctionValidationError"),
        ("viewer-response", "", "event.request", "502", "FunctionValidationError"),
    ],
)
@pytest.mark.rule("CFF-ERR-07", "CFF-ERR-08", "CDN-XC-09")
def test_the_type_in_the_access_log(
    shared: Edge, origin: Origin, tmp_path: Path, event, statement, result, status, result_type
) -> None:
    path = viewer_functions_template(tmp_path, {event: function(statement, result=result)})
    log = tmp_path / "access.log"
    site = shared.serve(path, origins={"web": origin.url}, access_log=log)
    response = site.get("/a")
    assert response.x_cache == f"{result_type} from cloudfront"
    assert b"from the origin" not in response.body
    site.exchanges(1)
    line = dict(
        zip(STANDARD_FIELDS, log.read_text("ascii").splitlines()[-1].split("\t"), strict=True)
    )
    assert line["sc-status"] == status
    assert line["x-edge-result-type"] == result_type
    assert line["x-edge-response-result-type"] == result_type
    assert line["x-edge-detailed-result-type"] == result_type


@pytest.mark.rule("CFF-ERR-05")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("function handler(event) { for (;;) {} }\n", id="runs-too-long"),
        pytest.param("function handler(event) { return event.request\n", id="does-not-compile"),
        pytest.param("function handler(event) { throw 1; }\n", id="throws"),
    ],
)
def test_a_fixed_function_serves_the_very_next_request(
    origin: Origin, tmp_path: Path, broken: str
) -> None:
    hook = tmp_path / "hook.js"
    hook.write_text(broken)
    with dev(origin.url, "--viewer-request-cff", "hook.js", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        assert [status(viewer) for _ in range(12)] == [503] * 12
        hook.write_text(function())
        command.wait_for("reloaded hook")
        assert status(viewer) == 200


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
