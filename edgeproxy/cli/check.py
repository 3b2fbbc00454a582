"""``edgeproxy check``: what AWS would refuse, or deploy and then fail."""

import argparse

from edgeproxy.cli.command import Commands
from edgeproxy.cli.options import add_settings, settings_of

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "check",
        help="validate a definition and its functions against AWS's rules",
        description="Validate a definition and its functions against AWS's rules. Each finding "
        "has a rule ID, a place and a remedy. Exit status 1 when AWS would refuse or later fail "
        "something, 2 when the definition cannot be read.",
        allow_abbrev=False,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET")
    parser.add_argument("--json", action="store_true", help="print findings and report as JSON")
    add_settings(
        parser,
        only=(
            "viewer-request",
            "origin-request",
            "origin-response",
            "viewer-response",
            "viewer-request-cff",
            "viewer-response-cff",
            "include-body",
            "cache-policy",
            "origin-request-policy",
            "kvs",
            "function-url",
            "alb",
            "multi-value-headers",
            "state-dir",
            "verbose",
        ),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.app.checking import check_target

    settings = settings_of(options, options.target)
    return check_target(options.target, settings, as_json=options.json)
