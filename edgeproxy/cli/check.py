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
        "has a rule ID, a place and a remedy. The definition and the code are read, then each edge "
        "function is run once for each of its associations, with a made-up event, and its result "
        "judged; other functions are loaded. Your origins are not asked, but the functions "
        "themselves run for real: what they write or send, they write or send. Exit status 1 when "
        "AWS would refuse or later fail something, 2 when the definition cannot be read; warnings "
        "alone are 0.",
        allow_abbrev=False,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET")
    parser.add_argument("--json", action="store_true", help="print findings and report as JSON")
    parser.add_argument(
        "--no-dry-run", action="store_true", help="only read: run and load no function"
    )
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
            "image",
            "kvs",
            "public-key",
            "trust-store",
            "field-level-encryption",
            "function-url",
            "alb",
            "multi-value-headers",
            "state-dir",
            "verbose",
            "strict",
            "lenient",
        ),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.app.checking import check_target

    settings = settings_of(options, options.target)
    return check_target(
        options.target, settings, as_json=options.json, dry_runs=not options.no_dry_run
    )
