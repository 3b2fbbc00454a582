"""``edgeproxy invoke``: run one function once."""

import argparse
import sys
from pathlib import Path

from edgeproxy.cli.command import Commands
from edgeproxy.cli.options import add_settings, settings_of
from edgeproxy.errors import Place, UsageError

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "invoke",
        help="run one function once",
        description="Run one function once with an event and print its result on standard "
        "output, its log on standard error. Exit status 1 when the function failed.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "function",
        metavar="FUNCTION",
        help="a function of the target, by name or logical ID, or a file FILE[:HANDLER]",
    )
    parser.add_argument("--target", metavar="TARGET", help="the definition that names the function")
    parser.add_argument(
        "--event", default=None, metavar="FILE", help="the event as JSON; - reads standard input"
    )
    add_settings(parser, only=("state-dir", "kvs", "seed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.app.invoking import invoke_function

    settings = settings_of(options, options.target)
    return invoke_function(options.function, options.target, settings, _event(options.event))


def _event(source: str | None) -> bytes:
    """The event's text; an empty object when none was given."""
    if source is None:
        return b"{}"
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the event cannot be read: {error.strerror}", place=Place(Path(source))
        ) from error
