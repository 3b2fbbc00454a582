"""Writes docs/cli.md from the command line itself; ``--check`` fails when it is out of date."""

import argparse
import os
import sys
from pathlib import Path

from edgeproxy.cli.main import parser

PAGE = Path(__file__).parent / "cli.md"


def text() -> str:
    """The page: the help of every command."""
    os.environ["COLUMNS"] = "96"
    top = parser()
    parts = ["# Command line", "", "```", top.format_help().strip(), "```", ""]
    parts += _commands(top, "##", "")
    parts += [
        "Exit status: 0 success; 1 the thing checked or run failed; 2 the command line or the",
        "definition cannot be used (the message names file, place and remedy).",
        "",
        "The options of `dev` are also the keys of an `edgeproxy.toml` beside the definition, with",
        "`_` for `-`. An option on the command line wins over the file; relative paths in the file",
        "start from its own folder.",
        "",
    ]
    return "\n".join(parts)


def _commands(parser: argparse.ArgumentParser, heading: str, before: str) -> list[str]:
    """The help of each command of ``parser``, and of their own commands."""
    parts = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                title = f"{before}{name}"
                parts += [f"{heading} {title}", "", "```", command.format_help().strip(), "```", ""]
                parts += _commands(command, f"{heading}#", f"{title} ")
    return parts


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text("utf-8") == text() else "docs/cli.md is out of date")
    PAGE.write_text(text(), "utf-8")
