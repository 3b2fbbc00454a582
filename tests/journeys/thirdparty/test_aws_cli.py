"""AWS's command line, told where Lambda is: the life of a function from its zip file to its end."""

import base64
import io
import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import python_packages
from tests.support.lambda_api import ROLE, RUNTIME, arn, call, package, template

# Each command is a process of its own, forked from one that has loaded the packages.
_FORKING = """
import json, os, signal, sys
from awscli.clidriver import create_clidriver, main
create_clidriver()
for line in sys.stdin:
    child = os.fork()
    if not child:
        signal.alarm(60)
        arguments, *files = json.loads(line)
        sys.argv = ["aws", *arguments]
        for number, name in enumerate(files, 1):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class AwsCli:
    """``aws lambda``, in a folder of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        environment = {
            **os.environ,
            "PYTHONPATH": str(python_packages("requirements-awscli.txt")),
            "AWS_ENDPOINT_URL_LAMBDA": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_DEFAULT_OUTPUT": "json",
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _FORKING], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, operation: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        command = ["lambda", *operation.split(), *arguments]
        print(json.dumps([command, "stdout", "stderr"]), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        said = [(self.folder / name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(command, status, *said)

    def __call__(self, operation: str, *arguments: str) -> Any:
        """The document that the command prints; None where it prints nothing."""
        done = self.run(operation, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def invoke(self, name: str, event: object, *arguments: str) -> tuple[Any, Any]:
        """What the command prints and what the function returns."""
        payload = ["--payload", json.dumps(event)]
        told = self("invoke --function-name", name, *payload, *arguments, "out.json")
        text = (self.folder / "out.json").read_text()
        return told, json.loads(text) if text else None


@pytest.fixture(scope="module")
def site(module_edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("definition")
    return module_edge.serve(template(folder, "declared"), state_dir=folder / "state")


@pytest.fixture(scope="module")
def aws(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCli]:
    cli = AwsCli(site.endpoints["lambda_api"], tmp_path_factory.mktemp("aws"))
    with cli.process:
        yield cli


@pytest.fixture
def f(aws: AwsCli) -> Iterator[str]:
    """A function made from a zip file, active."""
    (aws.folder / "f.zip").write_bytes(package("first"))
    made = aws(
        "create-function --function-name f --handler index.handler --zip-file fileb://f.zip",
        "--runtime", RUNTIME, "--role", ROLE, "--environment", "Variables={MARK=env}",
    )  # fmt: skip
    assert (made["State"], made["Role"]) == ("Pending", ROLE)
    aws("wait function-active-v2 --function-name f")
    yield "f"
    aws("delete-function --function-name f")
    gone = aws.run("get-function --function-name f")
    assert gone.returncode != 0
    assert "(ResourceNotFoundException)" in gone.stderr
    assert f"Function not found: {arn('f')}" in gone.stderr


@pytest.mark.rule("LI-042", "LI-043", "LI-084", "LI-313")
def test_invoking(site: Site, aws: AwsCli, f: str) -> None:
    told, returned = aws.invoke(f, {"n": 1}, "--log-type", "Tail")
    assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
    log = base64.b64decode(told["LogResult"]).decode()
    assert [word for word in ("START", "seen", "END", "REPORT") if word in log] == [
        "START", "seen", "END", "REPORT"
    ]  # fmt: skip
    assert (returned["event"], returned["mark"], returned["env"]) == ({"n": 1}, "first", "env")
    failed, document = aws.invoke(f, {"fail": True})
    assert (failed["FunctionError"], document["errorMessage"]) == ("Unhandled", "told to")
    fault = ("/api/functions/f/fault", b'{"error": "KMSDisabledException"}', "PUT")
    assert call(site, *fault, Content_Type="application/json").status == 200
    assert "(KMSDisabledException)" in aws.run("invoke --function-name f out.json").stderr
    assert call(site, "/api/functions/f/fault", method="DELETE").status == 200
    queued, nothing = aws.invoke(f, {}, "--invocation-type", "Event")
    assert (queued, nothing) == ({"StatusCode": 202}, None)


@pytest.mark.rule("LI-001", "LI-008", "LI-105", "LI-109")
def test_a_version_an_alias_and_their_arns(aws: AwsCli, f: str) -> None:
    assert aws("publish-version --function-name f")["Version"] == "1"
    (aws.folder / "g.zip").write_bytes(package("second"))
    changed = aws("update-function-code --function-name f --zip-file fileb://g.zip")
    assert changed["LastUpdateStatus"] == "InProgress"
    aws("wait function-updated-v2 --function-name f")
    assert aws("publish-version --function-name f")["Version"] == "2"
    routing = '{"AdditionalVersionWeights": {"2": 1.0}}'
    alias = aws(
        "create-alias --function-name f --name live --function-version 1",
        "--routing-config", routing,
    )  # fmt: skip
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 1.0}}
    by_qualifier = aws.invoke(f, {}, "--qualifier", "live")
    by_arn = aws.invoke(f"{arn('f')}:live", {})
    for told, returned in (by_qualifier, by_arn):
        assert (told["ExecutedVersion"], returned["mark"]) == ("2", "second")
        assert returned["arn"] == f"{arn('f')}:live"
    assert aws.invoke(f"{arn('f')}:1", {})[1]["mark"] == "first"
    versions = aws("list-versions-by-function --function-name f")["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "1", "2"]


@pytest.mark.rule("LI-335", "LI-342", "LI-348")
def test_its_url_its_code_and_its_place_in_the_list(site: Site, aws: AwsCli, f: str) -> None:
    url = aws("create-function-url-config --function-name f --auth-type NONE")["FunctionUrl"]
    with urllib.request.urlopen(url) as answer:
        assert json.load(answer)["mark"] == "first"
    names = {each["FunctionName"] for each in aws("list-functions")["Functions"]}
    assert names == {"declared", "f"}
    found = aws("get-function --function-name", arn("f"))
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        assert zipfile.ZipFile(io.BytesIO(answer.read())).namelist() == ["index.py"]
    assert "Function not found" in aws.run("get-policy --function-name nope").stderr
    refused = aws.run("get-policy --function-name f").stderr
    assert "(ResourceNotFoundException)" in refused
    aws("tag-resource --tags team=edge --resource", arn("f"))
    assert aws("list-tags --resource", arn("f")) == {"Tags": {"team": "edge"}}
    aws("untag-resource --tag-keys team --resource", arn("f"))
    aws("put-function-concurrency --function-name f --reserved-concurrent-executions 0")
    throttled = aws.run("invoke --function-name f out.json").stderr
    assert "(TooManyRequestsException)" in throttled
    assert "Rate Exceeded." in throttled
    aws("delete-function-concurrency --function-name f")
    aws("delete-function-url-config --function-name f")
