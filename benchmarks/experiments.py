"""Measures `edgeproxy experiment run`: how long 10,000 visitors take, memory, what it finds.

The sample `functions/experiments/lambda_at_edge` has Python functions at viewer-request and
viewer-response; visitors, edge, functions and origin share the machine. `--quick` sends few
visitors.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edges import COMMAND
from machine import free_port
from servers import listening

_ROOT = Path(__file__).resolve().parent.parent
_SAMPLE = _ROOT / "functions" / "experiments" / "lambda_at_edge"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run; memory is the most that the process with the visitors had."""

    took_s: float
    memory_mb: float
    report: dict[str, Any]


def run(folder: Path, origin: str, visitors: int, *options: str) -> Ran:
    """All visitors with five requests each through an edge of the run's own."""
    file = folder / "report.json"
    command = [
        *COMMAND, "experiment", "run", _SAMPLE.name, "--file", str(_SAMPLE / "experiments.yaml"),
        "--target", str(_SAMPLE / "template.yaml"), "--visitors", str(visitors), "--requests", "5",
        "--seed", "1", "--quiet", "--json", str(file), "--with", f"--origin Web={origin}", *options,
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if not file.exists():
        raise SystemExit(f"the run ended with status {process.returncode}")
    return Ran(took_s, usage.ru_maxrss / 1024, json.loads(file.read_text("utf-8")))


@contextmanager
def _origin(*options: str) -> Iterator[str]:
    port = free_port()
    script = str(_ROOT / "origins" / "variants.py")
    with listening([sys.executable, script, "--port", str(port), *options], port):
        yield f"http://127.0.0.1:{port}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few visitors")
    visitors = 200 if parser.parse_args().quick else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _origin() as origin:
            few = run(folder, origin, visitors // 10, "--no-early-stop")
            all_of_them = run(folder, origin, visitors, "--no-early-stop")
        with _origin("--leak-one-in", "1000", "--max-age", "0") as origin:
            leaking = run(folder, origin, visitors)
    report = all_of_them.report
    growth = all_of_them.memory_mb - few.memory_mb
    print(f"{visitors:,} visitors with 5 requests  {all_of_them.took_s:8.1f} s   (limit 60)")
    print(f"memory                         {all_of_them.memory_mb:8.1f} MB, {growth:+.1f} MB "
          f"over that for {visitors // 10:,}")  # fmt: skip
    off = max(abs(each["share"] - 0.5) for each in report["variants"].values())
    print(f"a share of 50 % is off by      {100 * off:8.2f} points   (limit 1.5)")
    print(f"leaks found of 1 in 1,000      {leaking.report['leaks']['responses']:8}"
          f"   after {leaking.report['visitors']['made']:,} visitors")  # fmt: skip


if __name__ == "__main__":
    main()
