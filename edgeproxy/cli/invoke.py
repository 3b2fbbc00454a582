"""``edgeproxy invoke``: run one function once."""

import argparse
import sys
from pathlib import Path

from edgeproxy.cli.command import Commands
from edgeproxy.cli.options import add_settings, settings_of
from edgeproxy.distribution.model import EventType
from edgeproxy.errors import Place, UsageError

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "invoke",
        help="run one function once",
        description="Run one function once with an event and print its result on standard "
        "output, its log on standard error. Nothing is checked, as in a console test; what "
        "CloudFront would refuse in an edge function's result is told on standard error. Exit "
        "status 1 when the function failed.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "function",
        metavar="FUNCTION",
        help="a function of the target, by name or logical ID, or a file FILE[:HANDLER]",
    )
    parser.add_argument("--target", metavar="TARGET", help="the definition that names the function")
    parser.add_argument(
        "--event",
        default=None,
        metavar="FILE",
        help="the event as JSON; - reads standard input; without it an edge function gets a "
        "sample of the event it is associated with, any other function {}",
    )
    parser.add_argument(
        "--event-type",
        choices=[each.value for each in EventType],
        help="without --event: a sample event of this type",
    )
    add_settings(parser, only=("state-dir", "image", "kvs", "seed"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.app.invoking import invoke_function

    settings = settings_of(options, options.target)
    event_type = options.event_type and EventType(options.event_type)
    event = _event(options.event)
    return invoke_function(options.function, options.target, settings, event, event_type)


def _event(source: str | None) -> bytes | None:
    """The event's text, None when none was given."""
    if source is None:
        return None
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the event cannot be read: {error.strerror}", place=Place(Path(source))
        ) from error
