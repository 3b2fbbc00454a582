"""Runs the public suite of HTTP cache tests against ``edgeproxy dev``, and reads what came out.

The suite is the npm package ``http-cache-tests``, less two packages that only its web page needs
(``overrides`` in ``package.json``). Newer versions of it are in the repository
``http-tests/cache-tests`` only.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edgeproxy.runtimes.interpreters import find_interpreter
from tests.support.command import dev

__all__ = ["Outcomes", "Suite", "outcomes"]

_HERE = Path(__file__).parent
_AT_A_TIME = 60
"""Cases under way at once. They mostly wait, but too many would make each other late."""
_RUN_S = 300

Outcomes: TypeAlias = dict[str, str]
"""For each case an empty string when it passed, else what the suite objected to."""


@dataclass(frozen=True)
class Suite:
    """Where the suite's program and its cases lie."""

    engine: Path
    cases: Path

    @classmethod
    def at(cls, folder: Path) -> "Suite":
        """The suite in a checkout, or in an installed package, whose layout is older."""
        engine = folder / "test-engine"
        return cls(engine if engine.is_dir() else folder, folder / "tests")


def outcomes(suite: Suite, default_ttl_s: int, scratch: Path) -> Outcomes:
    """What each case says about a distribution with this DefaultTTL."""
    template = scratch / "distribution.yaml"
    text = (_HERE / "distribution.yaml").read_text()
    template.write_text(text.replace("DefaultTTL: 0", f"DefaultTTL: {default_ttl_s}"))
    with (
        _origin(suite, scratch) as origin,
        dev(str(template), "--origin", f"suite={origin}", cwd=scratch) as edge,
    ):
        done = subprocess.run(
            [_node(), "--no-warnings", _HERE / "run.mjs", suite.engine, suite.cases,
             edge.endpoints["viewer"].rstrip("/"), str(_AT_A_TIME)],
            capture_output=True, text=True, timeout=_RUN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"the suite broke off:\n{done.stderr}"
        results: dict[str, bool | list[str]] = json.loads(done.stdout)
    return {
        case: "" if isinstance(result, bool) else ": ".join(result)
        for case, result in results.items()
    }


@contextmanager
def _origin(suite: Suite, scratch: Path) -> Iterator[str]:
    """The suite's own origin; its URL."""
    settings = {
        "npm_config_protocol": "http",
        "npm_config_port": "0",
        "npm_config_pidfile": str(scratch / "origin.pid"),
    }
    with (
        (scratch / "origin.log").open("w+") as log,
        subprocess.Popen(
            [_node(), _HERE / "serve.mjs", suite.engine],
            env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=log, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"http://\S+:\d+", line)
            assert found, f"the suite's origin did not start: {line!r}"
            yield found[0]
        finally:
            process.terminate()


def _node() -> str:
    return find_interpreter("nodejs22.x").path
