"""Functions that options name: name, runtime, handler."""

import sys
from pathlib import Path

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.files import FunctionFiles
from edgeproxy.project.loaders.options import FunctionFile, parse_function_file


def handler_of(folder: Path, name: str, text: str, handler: str = "") -> str:
    file = folder / name
    file.write_text(text)
    return FunctionFiles(Identity()).add(FunctionFile(file, handler)).spec.handler


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def handler(e, c): ...", "handler"),
        ("def lambda_handler(e, c): ...", "lambda_handler"),
        ("async def lambda_handler(e, c): ...", "lambda_handler"),
        ("def lambda_handler(e, c): ...\ndef handler(e, c): ...", "handler"),
        ("lambda_handler = print", "lambda_handler"),
        ("lambda_handler: object = print", "lambda_handler"),
        ("from other import run as lambda_handler", "lambda_handler"),
        ("import lambda_handler", "lambda_handler"),
        ("# def lambda_handler(e, c): ...", "handler"),
        ("class A:\n    def lambda_handler(self): ...", "handler"),
        ("def broken(:", "handler"),
        ("", "handler"),
    ],
)
def test_the_handler_of_a_python_file(text: str, expected: str, tmp_path: Path) -> None:
    assert handler_of(tmp_path, "api.py", text) == f"api.{expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exports.handler = async () => {};", "handler"),
        ("exports.lambda_handler = async () => {};", "lambda_handler"),
        ("module.exports.lambda_handler = f;", "lambda_handler"),
        ("module.exports = { lambda_handler };", "lambda_handler"),
        ("export const lambda_handler = async () => {};", "lambda_handler"),
        ("export async function lambda_handler() {}", "lambda_handler"),
        ("export { a, lambda_handler };", "lambda_handler"),
        ("const lambda_handler = 1;", "handler"),
    ],
)
def test_the_handler_of_a_node_file(text: str, expected: str, tmp_path: Path) -> None:
    assert handler_of(tmp_path, "api.mjs", text) == f"api.{expected}"


def test_a_handler_that_is_given_counts(tmp_path: Path) -> None:
    assert handler_of(tmp_path, "api.py", "def handler(e, c): ...", "main") == "api.main"


def test_names_are_stems_and_one_file_is_one_function(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "api.py").write_text("def handler(e, c): ...")
    files = FunctionFiles(Identity())
    names = [
        files.add(FunctionFile(tmp_path / folder / "api.py", handler)).name
        for folder, handler in (("a", ""), ("b", ""), ("a", "handler"), ("a", "other"))
    ]
    assert names == ["api", "api-2", "api", "api-3"]
    assert files.add(FunctionFile(tmp_path / "b" / "api.py", "x"), {"api-4"}).name == "api-5"


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("f.py", f"python3.{sys.version_info.minor}"),
        ("f.js", "nodejs22.x"),
        ("f.mjs", "nodejs22.x"),
        ("f.cjs", "nodejs22.x"),
    ],
)
def test_runtimes(name: str, runtime: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text("")
    definition = FunctionFiles(Identity()).add(FunctionFile(file))
    assert definition.spec.runtime == runtime
    assert definition.spec.code_root == tmp_path
    assert definition.watch == (file,)


@pytest.mark.parametrize("name", ["f.ts", "f", "a.b.js", "gone.py"])
def test_files_that_cannot_be_functions(name: str, tmp_path: Path) -> None:
    if name != "gone.py":
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError):
        FunctionFiles(Identity()).add(FunctionFile(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.py", FunctionFile(Path("api.py"))),
        ("api.py:main", FunctionFile(Path("api.py"), "main")),
        ("C:/x/api.py", FunctionFile(Path("C:/x/api.py"))),
        ("C:/x/api.py:main", FunctionFile(Path("C:/x/api.py"), "main")),
    ],
)
def test_file_and_handler(text: str, expected: FunctionFile) -> None:
    assert parse_function_file(text) == expected


@pytest.mark.parametrize("text", ["api.py:", "api.py:a-b", ":main"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError, match="FILE or FILE:HANDLER"):
        parse_function_file(text)
