"""Finds the command and runs it; every error of the user's becomes one clear line and status 2."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from edgeproxy import __version__
from edgeproxy.cli import check, dev, event, experiment, explain, invalidate, invoke, trust
from edgeproxy.errors import EdgeproxyError
from edgeproxy.exchange.text import visible

__all__ = ["main", "parser"]

_COMMANDS = (dev, check, invoke, event, explain, invalidate, experiment, trust)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in two lines, where argparse would list every option first."""

    def error(self, message: str) -> NoReturn:
        if message.endswith("expected one argument"):
            message += " (one that begins with - is written after =, as in --with='--quiet')"
        self.exit(2, f"{self.prog}: {message}\n  try: {self.prog} --help\n")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            prog = f"{self.prog} {options.command}"
            self.exit(2, f"{prog}: takes no {' '.join(unknown)}\n  try: {prog} --help\n")
        return options


def parser() -> argparse.ArgumentParser:
    """The whole command line, for parsing and for the reference in the documentation."""
    top = _Parser(
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
