from pathlib import Path

import pytest

from edgeproxy.app.load_failures import load_failure, place, reason, remedy
from edgeproxy.awslambda.service import DeployFailed
from tests.unit.runtimes.account import NODE_22, PYTHON, Account

IN_PYTHON = "install it where Python finds it, or put it beside the function"
IN_NODE = "install it where Node.js finds it, or put it beside the function"
MEND = "mend the error in the code"


@pytest.mark.parametrize(
    ("files", "runtime", "expected", "what"),
    [
        pytest.param(
            {"app.mjs": "const a = 1;\nexport const handler = ;"},
            NODE_22,
            "app.mjs:2: export const handler = ;",
            MEND,
            id="syntax of an ES module",
        ),
        pytest.param(
            {"app.mjs": "import './b.mjs';", "b.mjs": "\nconst b;"},
            NODE_22,
            "b.mjs:2: const b;",
            MEND,
            id="syntax of an imported ES module",
        ),
        pytest.param(
            {"app.mjs": "import { x } from './b.mjs';", "b.mjs": ""},
            NODE_22,
            "app.mjs:1",
            MEND,
            id="nothing of that name",
        ),
        pytest.param(
            {"app.mjs": "\nimport x from 'nix';"},
            NODE_22,
            "app.mjs:2: import x from 'nix';",
            IN_NODE,
            id="no package for an ES module",
        ),
        pytest.param(
            {"app.js": "exports.handler = ;"}, NODE_22, "app.js:1", MEND, id="syntax of CommonJS"
        ),
        pytest.param(
            {"app.js": "export const handler = 1;"},
            NODE_22,
            "app.js:1",
            'name the file .mjs, or put "type": "module" into package.json',
            id="an ES module that does not say so",
        ),
        pytest.param(
            {"app.js": "require('./b');", "b.js": "\nrequire('nix');"},
            NODE_22,
            "b.js:2:1)",
            IN_NODE,
            id="no package for CommonJS",
        ),
        pytest.param(
            {"app.py": "import b", "b.py": "\nimport nix"},
            PYTHON,
            "b.py:2: import nix",
            IN_PYTHON,
            id="no module",
        ),
        pytest.param(
            {"app.py": "def f():\n    1 / 0\nf()"},
            PYTHON,
            'app.py", line 2, in f',
            MEND,
            id="raises",
        ),
    ],
)
async def test_the_users_own_file_and_line(
    tmp_path: Path, files: dict[str, str], runtime: str, expected: str, what: str
) -> None:
    async with Account(tmp_path) as account:
        definition = account.define(files, runtime=runtime)
        failed = await account.service.deploy(definition)
    assert isinstance(failed, DeployFailed)
    text = load_failure(definition, failed)
    first, *places = text.splitlines()
    assert first == f"f does not load: {reason(failed)}"
    assert any(expected in line for line in places), text
    assert expected in place(failed)
    assert f"    -> {what}" in places
    for noise in ("node:internal", "<frozen", "bootstrap", "Require stack"):
        assert noise not in text
    # AWS's document has nothing of this.
    assert "edgeproxy: " not in str(failed.document)


@pytest.mark.parametrize(
    ("code", "handler", "expected", "what"),
    [
        ("", "app.handler", "Runtime.HandlerNotFound: ", "mend the Handler 'app.handler': "),
        ("", "nix.handler", "Runtime.ImportModuleError: ", "mend the Handler 'nix.handler', or "),
        (
            "import os; os._exit(3)",
            "app.handler",
            "Runtime.ExitError: Runtime exited with error: exit status 3",
            MEND,
        ),
    ],
)
async def test_reason_and_remedy(
    tmp_path: Path, code: str, handler: str, expected: str, what: str
) -> None:
    async with Account(tmp_path) as account:
        definition = account.define(code, handler=handler)
        failed = await account.service.deploy(definition)
    assert isinstance(failed, DeployFailed)
    assert reason(failed).startswith(expected)
    assert "RequestId" not in reason(failed)
    assert remedy(definition, failed).startswith(what)
