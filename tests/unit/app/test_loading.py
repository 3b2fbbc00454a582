"""How the options of the command line become those of the loaders."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.app.loading import load_options, load_target
from edgeproxy.distribution.model import EventType
from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.loaders.options import FunctionFile
from edgeproxy.settings import Settings


def test_functions_by_event() -> None:
    options = load_options(
        replace(
            Settings(),
            viewer_request="a.py:main",
            origin_response="b.mjs",
            viewer_response_cff="c.js",
        )
    )
    assert options.edge_functions == {
        EventType.VIEWER_REQUEST: FunctionFile(Path("a.py"), "main"),
        EventType.ORIGIN_RESPONSE: FunctionFile(Path("b.mjs")),
    }
    assert options.cloudfront_functions == {EventType.VIEWER_RESPONSE: Path("c.js")}


def test_doors_and_stores() -> None:
    options = load_options(
        replace(
            Settings(),
            function_url=("a.py", "b.py:main"),
            alb=("c.py",),
            multi_value_headers=True,
            kvs=("words=w.json", "more=a=b.json"),
        )
    )
    assert options.function_urls == (
        FunctionFile(Path("a.py")),
        FunctionFile(Path("b.py"), "main"),
    )
    assert options.load_balancers == (FunctionFile(Path("c.py")),)
    assert options.multi_value_headers is True
    assert options.key_value_stores == {"words": Path("w.json"), "more": Path("a=b.json")}


@pytest.mark.parametrize("text", ["words", "=w.json", "words="])
def test_a_store_that_is_not_of_the_form(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=FILE"):
        load_options(replace(Settings(), kvs=(text,)))


def test_a_target_that_is_not_there_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.yaml"):
        load_target(str(tmp_path / "missing.yaml"), Settings())
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(DefinitionError, match="malformed YAML"):
        load_target(str(tmp_path / "broken.yaml"), Settings())


def test_an_image_of_no_function(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    settings = Settings(image=(f"Nope={tmp_path}",))
    with pytest.raises(UsageError, match="--image Nope: the definition has no function"):
        load_target(str(tmp_path / "template.yaml"), settings)


def test_a_state_folder_that_cannot_hold_code(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    (tmp_path / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {Role: r, "
        "Runtime: python3.12, Handler: index.handler, Code: {ZipFile: 'handler = print'}}\n"
    )
    with pytest.raises(UsageError, match=r"code cannot be kept there.*--state-dir"):
        load_target(str(tmp_path / "template.yaml"), Settings(state_dir=tmp_path / "state"))
