"""Layers: where they come from, what code finds of them, what Lambda refuses (LR-300 to LR-306)."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeproxy.project.loaders import Loaded
from tests.support.command import run
from tests.support.custom_runtimes import DRIVER, write_bootstrap
from tests.unit.project.drafts import load_resources
from tests.unit.runtimes.account import NODE_22, PYTHON, Account, value_of

rule = pytest.mark.rule


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def layer(path: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": path, **properties}}


def function(*layers: Any, runtime: str = PYTHON, code: str = "fn", **more: Any) -> dict[str, Any]:
    properties = {"Code": code, "Handler": "app.handler", "Runtime": runtime, "Role": "r", **more}
    return {"Type": "AWS::Lambda::Function", "Properties": {**properties, "Layers": [*layers]}}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def deploy(folder: Path, resources: dict[str, Any], name: str = "Fn") -> Any:
    """What the function answers when it is run by the command."""
    file = folder / "template.yaml"
    file.write_text(yaml.safe_dump({"Resources": resources}))
    event = write(folder, {"event.json": "{}"}) / "event.json"
    done = run("invoke", name, "--target", str(file), "--event", str(event), cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WHO = {"fn/app.py": "import lib\nhandler = lambda event, context: [lib.NAME, lib.__file__]"}


@rule("LR-300", "LR-301", "LR-302")
@pytest.mark.parametrize(("order", "winner"), [(("A", "B"), "b"), (("B", "A"), "a")])
def test_later_layers_overwrite_earlier_ones(
    tmp_path: Path, order: tuple[str, str], winner: str
) -> None:
    write(tmp_path, {**WHO, "a/python/lib.py": "NAME = 'a'", "b/python/lib.py": "NAME = 'b'"})
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "b" / "python" / "lib.py", "python/lib.py")
    resources = {"A": layer("a"), "B": layer("b.zip"), "Fn": function(*map(ref, order))}
    name, file = deploy(tmp_path, resources)
    assert name == winner
    assert not file.startswith(str(tmp_path / "fn"))


@rule("LR-302")
def test_the_functions_own_code_comes_first(tmp_path: Path) -> None:
    files = {**WHO, "a/python/lib.py": "NAME = 'layer'", "fn/lib.py": "NAME = 'own'"}
    resources = {"A": layer("a"), "Fn": function(ref("A"))}
    assert deploy(write(tmp_path, files), resources)[0] == "own"


@rule("LR-300")
def test_a_serverless_layer_lies_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, {**WHO, "a/python/lib.py": "NAME = 'sam'"})
    serverless = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "a"}}
    resources = {"A": serverless, "Fn": function(ref("A"))}
    assert deploy(tmp_path, resources) == ["sam", str(tmp_path / "a" / "python" / "lib.py")]


SEEN = """
import os, subprocess, sys
def handler(event, context):
    return {
        "path": sys.path,
        "tool": subprocess.check_output(["mytool"], text=True).strip(),
        "libraries": os.environ["LD_LIBRARY_PATH"].split(os.pathsep),
        "programs": os.environ["PATH"].split(os.pathsep),
    }
"""


@rule("LR-301", "LR-302")
async def test_the_search_paths_of_python(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    write_bootstrap(opt, "#!/bin/sh\necho tool of a layer\n", "bin/mytool")
    async with Account(tmp_path) as account:
        seen = value_of(await account.run(SEEN, opt=opt))
    packages = [str(opt / "python/lib/python3.12/site-packages"), str(opt / "python")]
    assert seen["path"][0] == str(tmp_path / "f")
    assert [path for path in seen["path"] if path.startswith(str(opt))] == packages
    assert seen["tool"] == "tool of a layer"
    assert str(opt / "lib") in seen["libraries"]
    assert seen["programs"][-1] == str(opt / "bin")


@rule("LR-301", "LR-303")
async def test_the_search_paths_of_node(tmp_path: Path) -> None:
    opt = write(
        tmp_path / "opt",
        {
            "nodejs/node_modules/common/index.js": "module.exports = 'common';",
            "nodejs/node22/node_modules/exact/index.js": "module.exports = 'exact';",
        },
    )
    code = """
exports.handler = async () => {
  let asModule;
  try { asModule = await import('common'); } catch (error) { asModule = error.code; }
  return [require('common'), require('exact'), asModule];
};
"""
    async with Account(tmp_path) as account:
        answer = value_of(await account.run(code, runtime=NODE_22, opt=opt))
    assert answer == ["common", "exact", "ERR_MODULE_NOT_FOUND"]


def test_a_bootstrap_comes_with_a_layer(tmp_path: Path) -> None:
    write_bootstrap(tmp_path / "a", DRIVER)
    write(tmp_path, {"fn/code": "say([1])"})
    resources = {"A": layer("a"), "Fn": function(ref("A"), runtime="provided.al2023")}
    (tmp_path / "event.json").write_text("x")
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump({"Resources": resources}))
    (tmp_path / "event.json").write_text('"say(os.path.basename(os.getcwd()))"')
    event = str(tmp_path / "event.json")
    done = run("invoke", "Fn", "--target", str(file), "--event", event, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, '"fn"')


def messages(loaded: Loaded) -> list[tuple[str, str]]:
    prefix = "InvalidParameterValueException: "
    return [(each.rule, each.message.removeprefix(prefix)) for each in loaded.findings]


LISTED = "arn:aws:lambda:us-east-1:123456789012:layer:"
TWICE = (
    "Two different versions of the same layer are not allowed to be referenced in the same function"
)


@rule("LR-305")
@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([f"{LISTED}l{n}:1" for n in range(6)], "Cannot reference more than 5 layers."),
        (
            [f"{LISTED}x:1", f"{LISTED}x:2"],
            f"{TWICE}. {LISTED}x:1 and {LISTED}x:2 are versions of the same layer.",
        ),
        (
            [f"{LISTED}x:1", f"{LISTED}x:1"],
            f"{TWICE}. {LISTED}x:1 and {LISTED}x:1 are versions of the same layer.",
        ),
        (
            ["arn:aws:lambda:eu-west-1:123456789012:layer:x:1"],
            (
                "Layers are not in the same region as the function. Layers are expected to be in "
                "region us-east-1."
            ),
        ),
    ],
)
def test_layers_that_lambda_refuses(tmp_path: Path, layers: list[str], message: str) -> None:
    write(tmp_path, {"fn/app.py": "handler = print"})
    loaded = load_resources(tmp_path, {"Fn": function(*layers)})
    assert messages(loaded) == [("LR-305", message)]


def test_a_layer_that_is_not_here_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"fn/app.py": "handler = print"})
    loaded = load_resources(tmp_path, {"Fn": function(f"{LISTED}powertools:1")})
    assert messages(loaded) == []
    [note] = [
        line.why for line in loaded.project.report.lines if line.place.path.endswith("Layers")
    ]
    assert note == f"NOT HERE: what the code imports from {LISTED}powertools:1 must lie beside it"


@rule("LR-304")
@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
def test_code_and_layers_together(tmp_path: Path, more: int, refused: bool) -> None:
    write(tmp_path, {"fn/app.py": "handler = print", "a/python/lib.py": ""})
    rest = 262_144_000 - len("handler = print") + more
    os.truncate(tmp_path / "a" / "python" / "lib.py", rest)
    loaded = load_resources(tmp_path, {"A": layer("a"), "Fn": function(ref("A"))})
    assert [each.rule for each in loaded.findings] == (["LR-304"] if refused else [])
