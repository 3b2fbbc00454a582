"""Stack traces name the files and lines that people wrote, and none of ours."""

import json
from pathlib import Path

import pytest

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.runtimes.interpreters import BOOTSTRAP
from edgeproxy.runtimes.invocation import FunctionSpec
from tests.unit.runtimes.account import NODE_22, Account, document_of, messages, value_of

COMPILED = Path(__file__).parent / "compiled"
PRICELESS = {"items": [{"name": "tea", "cents": None}]}

FRAMES = [
    f"({COMPILED / 'src' / 'prices.ts'}:10:",
    f"({COMPILED / 'src' / 'app.ts'}:10:",
]


async def deploy(account: Account, folder: str, **settings: object) -> None:
    spec = FunctionSpec("f", NODE_22, "app.handler", COMPILED / folder, "arn", **settings)  # type: ignore[arg-type]
    await account.service.deploy(FunctionDefinition("f", spec), qualifier="")


@pytest.mark.parametrize("folder", ["external", "inline", "esm", "tsc"])
async def test_source_maps_are_honoured(tmp_path: Path, folder: str) -> None:
    async with Account(tmp_path) as account:
        await deploy(account, folder)
        trace = document_of(await account.call(PRICELESS))["trace"]
        assert trace[0] == "RangeError: tea has no price"
        for frame, line in zip(FRAMES, trace[1:], strict=False):
            assert frame in line
        assert not any(str(BOOTSTRAP) in line for line in trace)
        quiet = await account.call({**PRICELESS, "quiet": True})
        assert value_of(quiet) == -1
        (written,) = (line for line in messages(quiet, "stdout") if "refused" in line)
        for frame in FRAMES:
            assert frame in written
        assert str(BOOTSTRAP) not in written


@pytest.mark.parametrize("enabled", [False, True])
async def test_only_code_with_a_map_pays_for_maps(tmp_path: Path, enabled: bool) -> None:
    comment = "\n//# sourceMappingURL=app.js.map\n" if enabled else ""
    code = "exports.handler = async () => new Error('x').stack;" + comment
    async with Account(tmp_path) as account:
        files = {
            "app.js": code,
            "app.js.map": json.dumps(
                {"version": 3, "sources": ["moved.ts"], "names": [], "mappings": "AAUA"}
            ),
        }
        result = await account.run(files, runtime=NODE_22)
        assert ("moved.ts:11" in value_of(result)) is enabled


async def test_a_map_that_is_missing_or_broken_does_no_harm(tmp_path: Path) -> None:
    code = "exports.handler = async () => { throw new Error('x'); };\n//# sourceMappingURL=a.map\n"
    async with Account(tmp_path) as account:
        for files in ({"app.js": code}, {"app.js": code, "a.map": "no map"}):
            trace = document_of(await account.run(files, runtime=NODE_22))["trace"]
            assert f"({tmp_path / 'f' / 'app.js'}:1:" in trace[1]


async def test_what_node_prints_after_a_stack_stays(tmp_path: Path) -> None:
    code = (
        "exports.handler = async () => {\n"
        "  console.log('before', Object.assign(new Error('x'), { code: 7 }), 'after');\n};"
    )
    async with Account(tmp_path) as account:
        result = await account.run(code, runtime=NODE_22)
        (line,) = (line for line in messages(result, "stdout") if "before" in line)
        assert f"({tmp_path / 'f' / 'app.js'}:2:" in line
        assert "{\r  code: 7\r} after" in line
        assert str(BOOTSTRAP) not in line


async def test_python_traces_show_the_users_files_alone(tmp_path: Path) -> None:
    files = {
        "app.py": "import prices\n\ndef handler(event, context):\n    return prices.total(event)\n",
        "prices.py": "def total(event):\n    import logging\n    return event['missing']\n",
    }
    async with Account(tmp_path) as account:
        result = await account.run(files, {})
        trace = document_of(result)["stackTrace"]
        root = tmp_path / "f"
        assert trace == [
            f'  File "{root / "app.py"}", line 4, in handler\n    return prices.total(event)\n',
            f"  File \"{root / 'prices.py'}\", line 3, in total\n    return event['missing']\n",
        ]
        assert not any(str(BOOTSTRAP) in line for line in messages(result))


async def test_an_import_that_fails_inside_shows_no_frame_of_ours(tmp_path: Path) -> None:
    files = {"app.py": "import pdb\n", "pdb.py": "raise ValueError('mine')\n"}
    async with Account(tmp_path) as account:
        failed = document_of(await account.run(files))
        assert failed["errorType"] == "ValueError"
        assert not any(str(BOOTSTRAP) in line for line in failed["stackTrace"])
        assert f'{tmp_path / "f" / "pdb.py"}", line 1' in failed["stackTrace"][-1]
