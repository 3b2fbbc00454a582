"""What the start of a program must not wait for."""

import subprocess
import sys
from pathlib import Path

_LATE = (
    # APIs, the queue, and what they need
    "edgeproxy.entrypoints.lambda_api.api",
    "edgeproxy.entrypoints.cloudfront_api.api",
    "edgeproxy.entrypoints.cloudfront_api.key_values",
    "edgeproxy.awslambda.queue",
    "edgeproxy.awslambda.destinations",
    "edgeproxy.awslambda.aws_calls",
    "sqlite3",
    # what is made of recorded requests
    "edgeproxy.inspector.again",
    "edgeproxy.inspector.har",
    "edgeproxy.inspector.recorded_events",
    "importlib.resources",
    "importlib.metadata",
    # functions
    "edgeproxy.events.lambda_edge",
    "edgeproxy.edge.lambda_hook",
    "edgeproxy.edge.cloudfront_hook",
    "edgeproxy.runtimes.environment",
    "edgeproxy.runtimes.cloudfront_js.engine",
    "quickjs",
    "tree_sitter",
    # doors
    "edgeproxy.entrypoints.alb",
    "edgeproxy.entrypoints.alb_health",
    "edgeproxy.entrypoints.function_url",
    "edgeproxy.loadbalancing.model",
    # definitions
    "edgeproxy.project.loaders.definitions",
    "edgeproxy.project.loaders.template",
    "yaml",
)


def test_what_a_folder_does_not_need_is_not_imported(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from edgeproxy.app.running import Running
from edgeproxy.observe.console import Console
from edgeproxy.settings import Settings
async def main():
    settings = Settings(port=0, control_port=0)
    console = Console(sys.stderr, as_json=False, verbose=False, quiet=True)
    async with Running({str(tmp_path)!r}, settings, console):
        print([name for name in {_LATE!r} if name in sys.modules])
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
