"""Functions of container images, whose command is run from a folder (LR-094)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import run
from tests.support.custom_runtimes import DRIVER, write_bootstrap


def invoke(folder: Path, image_config: Any, *options: str) -> Any:
    properties = {"PackageType": "Image", "Code": {"ImageUri": "x/y:1"}, "Role": "r"}
    if image_config:
        properties["ImageConfig"] = image_config
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    (folder / "template.yaml").write_text(yaml.safe_dump({"Resources": {"Fn": resource}}))
    (folder / "event.json").write_text('"say([sys.argv[1:], os.getcwd()])"')
    return run("invoke", "Fn", "--target", "template.yaml", "--event", "event.json", *options,
               cwd=folder)  # fmt: skip


@pytest.mark.parametrize("program", ["/var/task/run", "{folder}/app/run"])
def test_the_command_of_an_image_is_run_in_the_folder(tmp_path: Path, program: str) -> None:
    write_bootstrap(tmp_path / "app", DRIVER, "run")
    entry_point = [program.format(folder=tmp_path)]
    config = {"EntryPoint": entry_point, "Command": ["app.handler"]}
    done = invoke(tmp_path, config, "--image", "Fn=app")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f'[["app.handler"], "{tmp_path}/app"]'


@pytest.mark.rule("LR-094")
def test_a_command_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    done = invoke(tmp_path, {"EntryPoint": ["/lambda-entrypoint.sh"]}, "--image", "Fn=app")
    assert done.returncode == 1
    assert '"errorType":"Runtime.InvalidEntrypoint"' in done.stdout
    assert "install what the image's command needs" in done.stdout


def test_without_a_folder_or_a_command_it_is_said_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    for config, options, told in (
        (None, (), "the definition declares none"),
        (None, ("--image", "Fn=app"), "say it in ImageConfig"),
        (None, ("--image", "Fn=nowhere"), "there is no folder nowhere"),
    ):
        done = invoke(tmp_path, config, *options)
        assert done.returncode == 2
        assert told in done.stderr


def test_a_bootstrap_is_run_by_its_file(tmp_path: Path) -> None:
    write_bootstrap(tmp_path / "app", DRIVER)
    (tmp_path / "event.json").write_text('"say(sorted(os.listdir()))"')
    done = run("invoke", "app/bootstrap", "--event", "event.json", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, '["bootstrap"]'), done.stderr
