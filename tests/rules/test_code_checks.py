"""What reading a function's code tells: a row for each thing that fails, and what is fine."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.project.checks.node_source import check_node
from edgeproxy.project.checks.python_source import check_python
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.cloudfront_js.syntax import parse_program
from edgeproxy.runtimes.invocation import FunctionSpec

ROOT = Path(__file__).parents[2]
HANDLER = "def handler(event, context):\n    return event\n"


def read(
    folder: Path, files: dict[str, str], runtime: str, handler: str = "index.handler"
) -> list[CheckFinding]:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    definition = FunctionDefinition("f", FunctionSpec("f", runtime, handler, folder, "arn"))
    check = check_python if runtime.startswith("python") else check_node
    return list(check(definition, at_edge=True))


def told(findings: list[CheckFinding]) -> list[tuple[str, str, int | None, str]]:
    """Severity, rule, line and the first words of each message."""
    return [(each.severity.value, each.rule, each.place.line, each.message) for each in findings]


def only(findings: list[CheckFinding]) -> CheckFinding:
    [finding] = findings
    assert finding.remedy
    assert finding.place.file is not None
    return finding


@pytest.mark.parametrize("runtime", ["python3.x", "python3.12-edge", "nodejs", "nodejs22"])
def test_code_for_a_runtime_that_lambda_does_not_have_is_not_read(
    runtime: str, tmp_path: Path
) -> None:
    definition = FunctionDefinition("f", FunctionSpec("f", runtime, "index.handler", tmp_path, ""))
    for name in ("index.py", "index.js"):
        (tmp_path / name).write_text("(")
    for check in (check_python, check_node):
        assert list(check(definition, at_edge=True)) == []


# Python


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("import requests\n" + HANDLER, 1, "No module named 'requests'"),
        ("from PIL.Image import open\n" + HANDLER, 1, "No module named 'PIL'"),
        ("import os, yaml\n" + HANDLER, 1, "No module named 'yaml'"),
        ("import tomllib\n" + HANDLER, 1, "No module named 'tomllib'"),
        ("\ndef handler(event, context:\n", 2, "Runtime.UserCodeSyntaxError"),
        ("def handler(event, context):\n    match event:\n        case 1: pass\n", 3, "SyntaxErr"),
        ("def main(event, context):\n    pass\n", 1, "Handler 'handler' missing on module 'index'"),
        ("def handler(event):\n    return event\n", 1, "takes 1 positional argument but 2 were"),
        ("def handler(a, b, c):\n    return a\n", 1, "takes 3 positional arguments but 2 were"),
        ("async def handler(event, context):\n    pass\n", 1, "coroutine is not JSON serializable"),
        ("", 1, "Handler 'handler' missing"),
    ],
)
@pytest.mark.rule("LE-ERR-01")
def test_python_that_fails(code: str, line: int, said: str, tmp_path: Path) -> None:
    finding = only(read(tmp_path, {"index.py": code}, "python3.9"))
    assert (finding.severity, finding.rule) == (Severity.ERROR, "LE-ERR-01")
    assert (finding.place.file, finding.place.line) == (tmp_path / "index.py", line)
    assert said in finding.message


@pytest.mark.parametrize(
    "code",
    [
        "import os, json, boto3, botocore.config, urllib3, dateutil.parser\n" + HANDLER,
        "try:\n    import orjson as json\nexcept ImportError:\n    import json\n" + HANDLER,
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mypy\n" + HANDLER,
        "import sys\nsys.path.insert(0, 'vendor')\nimport vendored\n" + HANDLER,
        "import near.by, folder, binary\nfrom . import other\n" + HANDLER,
        "from near import *\n",
        "handler = lambda event, context: event\n",
        "import functools\n\n@functools.cache\ndef handler(one):\n    return one\n",
        "def handler(event, *rest, **more):\n    return event\n",
        "def handler(event, context, more=None):\n    return event\n",
        "class Handler:\n    def __call__(self, e, c): return e\n\nhandler = Handler()\n",
        "if True:\n    def handler(event, context): return event\n",
        "globals()['handler'] = print\n",
        "import os\nREGION = os.environ['AWS_REGION'] + os.environ.get('MINE', '')\n" + HANDLER,
        "import os\nif 'MINE' in os.environ:\n    print(os.environ['MINE'])\n" + HANDLER,
        "import distutils\nfrom __future__ import annotations\n" + HANDLER,
    ],
)
def test_python_that_is_fine(code: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    beside = {"near/by.py": "", "near/__init__.py": "", "binary.cpython-39-x86_64.so": ""}
    files = {"index.py": code, "other.py": "", **beside}
    assert told(read(tmp_path, files, "python3.9")) == []


def test_python_that_fails_on_some_paths_is_a_warning(tmp_path: Path) -> None:
    code = "def handler(event, context):\n    import requests\n    return requests.get(event)\n"
    finding = only(read(tmp_path, {"index.py": code}, "python3.12"))
    assert (finding.severity, finding.place.line, finding.place.column) == ("warning", 2, 5)
    listed = {"index.py": "import requests\n" + HANDLER, "requirements.txt": "requests>=2\n"}
    finding = only(read(tmp_path, listed, "python3.12"))
    assert finding.severity is Severity.WARNING
    assert "sam build" in finding.remedy


def test_modules_that_the_handler_imports_are_read(tmp_path: Path) -> None:
    files = {
        "index.py": "from helpers import one\n" + HANDLER,
        "helpers/__init__.py": "",
        "helpers/one.py": "\nimport requests\n",
        "unused.py": "import nothing_of_the_kind\n",
    }
    assert told(read(tmp_path, files, "python3.12")) == []  # A name of a package is no module yet.
    files["index.py"] = "import helpers.one\n" + HANDLER
    finding = only(read(tmp_path, files, "python3.12"))
    assert (finding.place.file, finding.place.line) == (tmp_path / "helpers/one.py", 2)


def test_installed_packages_are_not_read(tmp_path: Path) -> None:
    files = {
        "index.py": "import vendored\n" + HANDLER,
        "vendored/__init__.py": "import winreg_of_another_system\nimport os\nos.environ['A']\n",
        "vendored-1.0.dist-info/RECORD": "vendored/__init__.py,sha256=x,1\n",
    }
    assert told(read(tmp_path, files, "python3.12")) == []


def test_the_standard_library_is_that_of_the_declared_version(tmp_path: Path) -> None:
    code = {"index.py": "import cgi\n" + HANDLER}
    assert read(tmp_path, code, "python3.12") == []
    finding = only(read(tmp_path, code, "python3.13"))
    assert "Python 3.13 has removed it" in finding.remedy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("os.environ['TABLE']", "KeyError: 'TABLE'"),
        ("os.environ.get('TABLE')", "TABLE is None"),
        ("os.getenv('TABLE')", "TABLE is None"),
    ],
)
@pytest.mark.rule("LE-ASSOC-09")
def test_python_that_reads_variables(line: str, said: str, tmp_path: Path) -> None:
    finding = only(read(tmp_path, {"index.py": f"import os\nT = {line}\n{HANDLER}"}, "python3.12"))
    assert (finding.severity, finding.rule, finding.place.line) == ("warning", "LE-ASSOC-09", 2)
    assert said in finding.message


# Node.js


@pytest.mark.parametrize(
    ("files", "line", "said"),
    [
        ({"index.js": "exports.main = async () => 1;"}, 1, "index.handler is undefined or not"),
        ({"index.js": "module.exports = { main() {} };"}, 1, "index.handler is undefined or not"),
        ({"index.mjs": "export const main = 1;"}, 1, "index.handler is undefined or not exported"),
        ({"index.js": "\nexports.handler = async ( => 1;"}, 2, "SyntaxError: "),
        ({"index.js": "const a = require('aws-sdk');\nexports.handler = a;"}, 1, "'aws-sdk'"),
        ({"index.js": "exports.handler = require('uuid/v4');"}, 1, "Cannot find module 'uuid/v4'"),
        ({"index.js": "exports.handler = require('./gone');"}, 1, "Cannot find module './gone'"),
        ({"index.mjs": "import a from '@me/a';\nexport const handler = a;"}, 1,
         "Cannot find package '@me/a' imported from index.mjs"),
        ({"index.mjs": "import a from './a';\nexport const handler = a;", "a.js": ""}, 1, "'./a'"),
        ({"index.mjs": "export const handler = 1;\nconst fs = require('fs');"}, 2,
         "ReferenceError: require is not defined in ES module scope"),
        ({"index.mjs": "exports.handler = 1;\nexport { handler };\nlet handler;"}, 1,
         "ReferenceError: exports is not defined"),
        ({"index.js": "\nexport const handler = 1;", "package.json": '{"type": "commonjs"}'}, 2,
         "Unexpected token 'export'"),
        ({"index.js": "import a from 'fs';\nexports.handler = a;"}, 1,
         "Cannot use import statement outside a module"),
        ({"index.js": "const s = new XMLHttpRequest();\nexports.handler = s;"}, 1,
         "XMLHttpRequest is not defined"),
    ],
)  # fmt: skip
@pytest.mark.rule("LE-ERR-01")
def test_node_that_fails(files: dict[str, str], line: int, said: str, tmp_path: Path) -> None:
    finding = only(read(tmp_path, files, "nodejs22.x"))
    assert (finding.severity, finding.rule, finding.place.line) == ("error", "LE-ERR-01", line)
    assert said in finding.message


@pytest.mark.parametrize(
    ("runtime", "fails"), [("nodejs20.x", True), ("nodejs22.x", True), ("nodejs24.x", False)]
)
@pytest.mark.rule("LE-ERR-01")
def test_an_es_module_that_does_not_say_so(runtime: str, fails: bool, tmp_path: Path) -> None:
    findings = read(tmp_path, {"index.js": "export const handler = 1;"}, runtime)
    messages = [finding.message for finding in findings if "export" in finding.message]
    assert bool(messages) is fails


@pytest.mark.parametrize(
    "files",
    [
        {"index.js": "const { S3 } = require('@aws-sdk/client-s3');\nexports.handler = S3;"},
        {"index.js": "const fs = require('node:fs/promises');\nmodule.exports.handler = fs;"},
        {"index.js": "let a; try { a = require('gone'); } catch { a = 1; }\nexports.handler = a;"},
        {"index.js": "module.exports = { ...require('./more') };", "more/index.js": ""},
        {"index.js": "module.exports = require('./more.json');", "more.json": "{}"},
        {"index.js": "Object.assign(exports, { handler() {} });"},
        {"index.js": "'use strict';\nmodule.exports = { 'handler': async () => fetch('/') };"},
        {"index.js": "exports.handler = require('a');", "node_modules/a/index.js": "broken("},
        {"index.mjs": "import a from '@s/a/b';\nexport { a as handler };",
         "node_modules/@s/a/b.js": ""},
        {"index.mjs": "export * from './a.mjs';", "a.mjs": "export function handler() {}"},
        {"index.mjs": "import { createRequire } from 'module';\nconst require = "
                      "createRequire(import.meta.url);\nexport const handler = require('fs');"},
        {"index.mjs": "export const { handler } = { handler() {} };\n"
                      "if (typeof module !== 'undefined') module.exports = handler;"},
        {"index.js": "export async function handler() {}", "package.json": '{"type": "module"}'},
        {"index.cjs": "exports.handler = async function () { return `${__dirname}`; };"},
        {"index.js": "const window = {}; exports.handler = () => window.document;"},
        {"index.js": "const a = process.env.A || 'a'; const r = process.env.AWS_REGION;\n"
                     "if (process.env.B) a; exports.handler = process.env.C === 'c' ? a : r;"},
    ],
)  # fmt: skip
def test_node_that_is_fine(files: dict[str, str], tmp_path: Path) -> None:
    assert told(read(tmp_path, files, "nodejs22.x")) == []


def test_node_that_fails_on_some_paths_is_a_warning(tmp_path: Path) -> None:
    late = {"index.js": "exports.handler = async () => require('uuid');"}
    assert only(read(tmp_path, late, "nodejs22.x")).severity is Severity.WARNING
    listed = {
        "index.js": "exports.handler = require('uuid');",
        "package.json": '{"dependencies": {"uuid": "^9"}}',
    }
    finding = only(read(tmp_path, listed, "nodejs22.x"))
    assert finding.severity is Severity.WARNING
    assert "package.json lists it" in finding.remedy


def test_node_has_what_its_version_has(tmp_path: Path) -> None:
    files = {"index.js": "const AWS = require('aws-sdk');\nexports.handler = [AWS, fetch];"}
    assert only(read(tmp_path, files, "nodejs16.x")).message == (
        "ReferenceError: fetch is not defined"
    )
    assert "'aws-sdk'" in only(read(tmp_path, files, "nodejs18.x")).message
    module = {"index.js": "export const handler = 1;"}
    assert len(read(tmp_path, module, "nodejs22.x")) == 1
    assert read(tmp_path, module, "nodejs24.x") == []


def test_files_that_the_handler_requires_are_read(tmp_path: Path) -> None:
    files = {
        "index.js": "const a = require('./lib/a');\nexports.handler = a;",
        "lib/a.js": "\nrequire('gone');",
        "unused.js": "require('nothing-of-the-kind');",
    }
    finding = only(read(tmp_path, files, "nodejs22.x"))
    assert (finding.place.file, finding.place.line) == (tmp_path / "lib/a.js", 2)


@pytest.mark.rule("LE-ASSOC-09")
def test_node_that_reads_variables(tmp_path: Path) -> None:
    files = {"index.js": "const t = process.env.TABLE;\nexports.handler = process.env['T' ];"}
    findings = read(tmp_path, files, "nodejs22.x")
    assert [(each.severity, each.place.line) for each in findings] == [
        ("warning", 2),
        ("warning", 1),
    ]
    assert all(each.rule == "LE-ASSOC-09" for each in findings)


# CloudFront Functions


def rule(identifier: str, code: str, version: int = 2, *, throws: bool = True) -> Any:
    return pytest.param(
        code, version, identifier, throws, marks=pytest.mark.rule(identifier), id=code
    )


@pytest.mark.parametrize(
    ("code", "version", "identifier", "throws"),
    [
        rule("CFF-RT-05", "fetch('/a')"),
        rule("CFF-RT-05", "new XMLHttpRequest()"),
        rule("CFF-RT-05", "process.env.A"),
        rule("CFF-RT-05", "new URL('http://a')"),
        rule("CFF-RT-02", "setTimeout(f, 1)"),
        rule("CFF-RT-02", "setInterval(f, 1)", 1),
        rule("CFF-RT-01", "eval('1')"),
        rule("CFF-RT-01", "new Function('1')"),
        rule("CFF-RT-01", "Function('1')"),
        rule("CFF-RT-03", "var t = Date.now(); f(Date.now() - t)", throws=False),
        rule("CFF-RT-06", "console.log(1, 2)", throws=False),
        rule("CFF-RT-06", "console.error(1)"),
        rule("CFF-JS2-11", "new Map()"),
        rule("CFF-JS1-04", "new Set()", 1),
        rule("CFF-JS1-11", "Buffer.from('a')", 1),
        rule("CFF-JS1-11", "atob('a')", 1),
        rule("CFF-JS1-12", "require('fs')", 1),
        rule("CFF-JS2-10", "require('fs')"),
        rule("CFF-JS1-06", "'a'.replaceAll('a', 'b')", 1),
        rule("CFF-JS2-06", "Promise.all([])", 1),
        rule("CFF-JS2-07", "'a'.toUTF8()"),
        rule("CFF-RET-01", "module.exports = handler"),
        rule("CFF-MOD-01", "require('crypto').createHash('sha512')"),
        rule("CFF-MOD-01", "h.digest('latin1')"),
        rule("CFF-MOD-01", "var crypto = require('crypto'); crypto.randomUUID()"),
    ],
)
def test_what_a_cloudfront_function_does_not_have(
    code: str, version: int, identifier: str, throws: bool
) -> None:
    [finding] = parse_program(f"function handler(e) {{}}\n  {code};", version).findings
    assert (finding.rule, finding.line, finding.throws) == (identifier, 2, throws)
    assert finding.column >= 3
    assert finding.remedy
    assert not finding.fatal


@pytest.mark.parametrize(
    "code",
    [
        "if (typeof fetch !== 'undefined') fetch('/');",
        "if (typeof module !== 'undefined') module.exports = { handler };",
        "function fetch() {} fetch();",
        "var process = { env: {} }; process.env.A;",
        "var o = { fetch: 1, URL: 2 }; o.fetch; o.URL;",
        "function f(Map, setTimeout) { return new Map(setTimeout); }",
        "var crypto = { randomUUID() {} }; crypto.randomUUID();",
        "const crypto = require('crypto'); crypto.createHmac('sha256', 'k').digest('hex');",
        "const q = require('querystring'); q.parse('a=1'); Buffer.from('a').toString('base64');",
        "'a'.replaceAll('a', 'b'); Promise.all([]); atob('a'); Symbol.for('a');",
        "if (exp && Date.now() > exp * 1000) throw new Error('late'); Date.now() - issued;",
        "console.log('one'); console.log(`${1} ${2}`);",
    ],
)
def test_what_a_cloudfront_function_may_use(code: str) -> None:
    assert parse_program(code, 2).findings == ()


# The samples are good code.


@pytest.mark.parametrize("folder", sorted((ROOT / "functions/cloudfront").glob("*/")), ids=str)
def test_cloudfront_samples(folder: Path) -> None:
    for file in folder.glob("*.js"):
        assert parse_program(file.read_text(), 2).findings == ()


@pytest.mark.parametrize(
    "file",
    [
        *sorted((ROOT / "functions/python").glob("*/handler.py")),
        *sorted((ROOT / "functions/node").glob("*/index.*js")),
    ],
    ids=str,
)
def test_lambda_samples(file: Path) -> None:
    runtime, check = (
        ("python3.12", check_python) if file.suffix == ".py" else ("nodejs22.x", check_node)
    )
    spec = FunctionSpec("f", runtime, f"{file.stem}.handler", file.parent, "arn")
    findings = list(check(FunctionDefinition("f", spec), at_edge=True))
    assert [each for each in findings if each.severity is Severity.ERROR] == []
