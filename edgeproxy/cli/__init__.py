"""The command line: one module for each command."""

from edgeproxy.cli.main import main

__all__ = ["main"]
