"""Finds the command and runs it; every error of the user's becomes one clear line and status 2."""

import argparse
import os
import sys
from collections.abc import Sequence

from edgeproxy import __version__
from edgeproxy.cli import check, dev, explain, invalidate, invoke
from edgeproxy.errors import EdgeproxyError
from edgeproxy.exchange.text import visible

__all__ = ["main", "parser"]

_COMMANDS = (dev, check, invoke, explain, invalidate)


def parser() -> argparse.ArgumentParser:
    """The whole command line, for parsing and for the reference in the documentation."""
    top = argparse.ArgumentParser(
        prog="edgeproxy",
        description="CloudFront and Lambda@Edge on your own machine.",
        epilog="`edgeproxy COMMAND --help` tells more about a command.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"edgeproxy {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the result is the exit status (0, 1 or 2)."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except EdgeproxyError as error:
        print("edgeproxy: " + "\n".join(map(visible, str(error).splitlines())), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status
