"""``edgeproxy event``: print a sample event of a service."""

import argparse
import sys

import orjson

from edgeproxy.cli.command import Commands
from edgeproxy.errors import UsageError

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "event",
        help="print a sample event of a service",
        description="Print the event that a service would invoke a function with, to be read by "
        "`edgeproxy invoke FUNCTION --event -`. Without KIND: which kinds the service has, and "
        "their parameters; without SERVICE: of every service. The events of CloudFront are made "
        "for a distribution: `edgeproxy invoke FUNCTION --event-type TYPE`.",
        allow_abbrev=False,
    )
    parser.add_argument("service", metavar="SERVICE", nargs="?", help="for instance sqs")
    parser.add_argument("kind", metavar="KIND", nargs="?", help="for instance receive")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a value in the event, for instance body=hello; repeatable",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.events.samples import SAMPLES, find_sample, kinds_of

    chosen = dict(map(_parameter, options.param))
    if options.kind is not None:
        event = find_sample(options.service, options.kind).event(chosen)
        sys.stdout.buffer.write(orjson.dumps(event, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    if chosen:
        raise UsageError("--param needs an event to stand in", remedy="name SERVICE and KIND")
    services = SAMPLES.values() if options.service is None else [kinds_of(options.service)]
    for kinds in services:
        for sample in kinds.values():
            print(f"{sample.service} {sample.kind}: {sample.meaning}")
            for name, value in sample.parameters.items():
                print(f"    {name}={value}")
    return 0


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--param {text}: not NAME=VALUE")
    return name, value
