"""``edgeproxy invalidate``: drop objects from a running edge's cache."""

import argparse

from edgeproxy.cli.command import Commands
from edgeproxy.cli.running import add_control_options, control_url, post

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "invalidate",
        help="drop objects from a running edge's cache",
        description="Invalidate paths on a running edge. A * at the end stands for any rest, a # "
        "at the beginning for a cache tag; quote both from the shell.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="such as /index.html, '/img/*' or '#tag'"
    )
    parser.add_argument(
        "--distribution",
        default="",
        metavar="NAME",
        help="logical ID or ID; needed when the edge serves several",
    )
    add_control_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    answer = post(
        control_url(options),
        "/api/invalidations",
        {"distribution": options.distribution, "paths": options.paths},
    )
    dropped = answer["dropped"]
    print(f"{dropped} {'object' if dropped == 1 else 'objects'} dropped")
    return 0
