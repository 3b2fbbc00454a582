"""Functions that misbehave: AWS's answer for the request at hand, and a good one for the next."""

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeproxy.runtimes.warden import MARK
from edgeproxy.testing import Edge, Site
from tests.support.misbehaviour import (
    CANNOT,
    CFF_FAILED,
    FAILED,
    MOST_PROCESSES,
    PASSED,
    TABLES,
    UNUSABLE,
    Outcome,
    Row,
    cloudfront_source,
    node_source,
    python_source,
)
from tests.support.origin import Answer, Origin, running_origin

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"


def write_template(folder: Path) -> Path:
    """A distribution with a behavior for each function; the default one has none."""
    resources: dict[str, Any] = {}
    behaviors: list[dict[str, Any]] = []

    def behavior(name: str, **more: object) -> dict[str, Any]:
        return {
            "PathPattern": f"/{name}/*",
            "TargetOriginId": "web",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": CACHING_DISABLED,
            "OriginRequestPolicyId": ALL_VIEWER,
            **more,
        }

    def add(name: str, source: str, handler: str = "app.handler") -> None:
        kind = name.partition("-")[0]
        logical = "".join(word.capitalize() for word in name.split("-"))
        if kind == "cff":
            resources[logical] = {
                "Type": "AWS::CloudFront::Function",
                "Properties": {
                    "Name": name,
                    "AutoPublish": True,
                    "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
                    "FunctionCode": source,
                },
            }
            arn = {"Fn::GetAtt": [logical, "FunctionARN"]}
            associated = [{"EventType": "viewer-request", "FunctionARN": arn}]
            behaviors.append(behavior(name, FunctionAssociations=associated))
            return
        (folder / name).mkdir()
        suffix, runtime = ("py", "python3.12") if kind == "python" else ("js", "nodejs20.x")
        (folder / name / f"app.{suffix}").write_text(source)
        resources[logical] = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Code": f"./{name}",
                "Handler": handler,
                "Runtime": runtime,
                "Timeout": 1,
                "Role": "arn:aws:iam::123456789012:role/edge",
            },
        }
        resources[f"{logical}Version"] = {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": logical}},
        }
        associated = [
            {"EventType": "viewer-request", "LambdaFunctionARN": {"Ref": f"{logical}Version"}}
        ]
        behaviors.append(behavior(name, LambdaFunctionAssociations=associated))

    add("python", python_source())
    add("node", node_source())
    add("cff", cloudfront_source())
    for name, (source, handler) in UNUSABLE.items():
        add(name, source, handler)
    default = behavior("default")
    del default["PathPattern"]
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    resources["Site"] = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Origins": [web],
                "DefaultCacheBehavior": default,
                "CacheBehaviors": behaviors,
            }
        },
    }
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources}, sort_keys=False))
    return path


LINUX = sys.platform == "linux"
PATIENCE = 25
"""How many times as long as usual the request after a misbehaviour may take."""


@dataclass(slots=True)
class Scene:
    """An edge with all the functions, its origin, and what is usual there."""

    site: Site
    origin: Origin
    code: Path
    usual_s: float = 0
    memory_mb: int = 0
    mark: str = ""

    def get(self, path: str) -> Outcome:
        response = self.site.get(path)
        return response.status, response.x_cache.removesuffix(" from cloudfront")

    def timed(self, path: str) -> float:
        """How long a good answer takes."""
        start = time.perf_counter()
        assert self.get(path) == PASSED
        return time.perf_counter() - start

    def measure(self) -> None:
        """Learn how long a good answer takes when its function has to start first."""
        times = []
        for kind in ("python", "node") * 3:
            assert self.get(f"/{kind}/reset") == FAILED
            times.append(self.timed(f"/{kind}/good"))
        self.usual_s = statistics.median(times)
        self.memory_mb = resident_mb()
        self.mark = mark_of_workers(self.code)


def resident_mb() -> int:
    """The memory of this process, in which the proxy runs."""
    if not LINUX:
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def mark_of_workers(code: Path) -> str:
    """What marks those that run functions in ``code``; others may run on this machine as well."""
    for folder in Path("/proc").glob("[0-9]*") if LINUX else ():
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_text(errors="replace").split("\0")
            if any(variable.startswith(f"LAMBDA_TASK_ROOT={code}/") for variable in variables):
                (own,) = (each for each in variables if each.startswith(f"{MARK}="))
                return own.rsplit("/", 2)[0]
    assert not LINUX, "no worker was found"
    return ""


def marks() -> Iterator[tuple[bool, str, str]]:
    """Of each worker and its children: whether it is a worker, the mark, the command."""
    found = []
    starters = {str(os.getpid())}
    for folder in Path("/proc").glob("[0-9]*") if LINUX else ():
        try:
            variables = (folder / "environ").read_text(errors="replace").split("\0")
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue  # it has ended
        own = [variable for variable in variables if variable.startswith(f"{MARK}=")]
        if own and fields[0] != "Z":
            found.append((fields[1], own[0].rsplit("/", 2)[0], command))
            if not any(variable.startswith("AWS_") for variable in variables):
                starters.add(folder.name)  # An interpreter from which workers are forked.
    for parent, mark, command in found:
        yield parent in starters, mark, command


def wait_until_alone(mark: str, *, without_workers: bool = False) -> None:
    """Until nothing is left of what functions started, and perhaps nothing of them."""
    deadline = time.perf_counter() + 30
    left: list[str] = [""]
    while left and time.perf_counter() < deadline:
        time.sleep(0.01)
        left = [
            command
            for is_worker, its_mark, command in marks()
            if its_mark == mark and (without_workers or not is_worker)
        ]
    assert left == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch, running_origin() as origin, Edge() as edge:
        patch.setattr("edgeproxy.runtimes.memory._MOST_PROCESSES", MOST_PROCESSES)
        patch.setattr("edgeproxy.runtimes.phases._ON_DEMAND_INIT_S", 0.5)
        origin.answer = Answer()
        code = tmp_path_factory.mktemp("bad")
        template = write_template(code)
        scene = Scene(edge.serve(template, origins={"web": origin.url}), origin, code)
        scene.measure()
        yield scene
    wait_until_alone(scene.mark, without_workers=True)


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        pytest.param(kind, row, id=f"{kind}-{row.name}", marks=pytest.mark.rule(*row.rules))
        for kind, rows in TABLES.items()
        for row in rows
    ],
)
def test_a_misbehaviour_and_the_next_request(scene: Scene, kind: str, row: Row) -> None:
    origin = scene.origin
    origin.got.clear()
    assert scene.get(f"/{kind}/{row.name}") == row.expected
    if row.name == "non-latin":
        assert (origin.got[0].header("X-A") or "").encode("latin-1").decode() == "日本"
    assert origin.targets == ([f"/{kind}/{row.name}"] if row.expected == PASSED else [])
    assert scene.timed(f"/{kind}/good") < PATIENCE * scene.usual_s
    assert scene.get("/elsewhere") == PASSED
    if row.lasts:
        assert scene.get(f"/{kind}/reset") == FAILED
    wait_until_alone(scene.mark)
    assert resident_mb() < scene.memory_mb + 100


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.rule("LE-ERR-01", "CFF-ERR-01", "CFF-JS2-12", "LR-182")
def test_a_function_that_cannot_start_fails_each_request(scene: Scene, name: str) -> None:
    scene.origin.got.clear()
    with ThreadPoolExecutor() as pool:
        outcomes = set(pool.map(scene.get, [f"/{name}/x"] * 2))
    assert outcomes == {CFF_FAILED if name.startswith("cff") else FAILED}
    assert scene.origin.got == []
    assert scene.timed("/python/good") < PATIENCE * scene.usual_s
    wait_until_alone(scene.mark)


def test_every_language_has_a_row_or_a_reason() -> None:
    names = {row.name for rows in TABLES.values() for row in rows}
    for kind, rows in TABLES.items():
        has = [row.name for row in rows]
        lacks = [name for reason in CANNOT[kind].values() for name in reason.split()]
        assert sorted(has + lacks) == sorted(names), set(has + lacks) ^ names
