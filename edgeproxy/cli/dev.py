"""``edgeproxy dev``: run everything a target defines until SIGINT or SIGTERM."""

import argparse
import gc
import ssl

from edgeproxy.cli.command import Commands
from edgeproxy.cli.options import add_settings, settings_of

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "dev",
        help="run everything TARGET defines, reloading on change",
        description="Run the distributions, functions, function URLs and load balancers that "
        "TARGET defines, until Ctrl-C. TARGET is a URL (an origin), a directory (served the way "
        "an S3 origin answers) or a definition file; without it, the first of edgeproxy.yaml, "
        "template.yaml, template.yml, cdk.out in the current folder. Options may also stand in "
        "an edgeproxy.toml beside the definition, with _ for -.",
        allow_abbrev=False,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET")
    add_settings(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    # What is imported stays: to look through it for garbage takes a tenth of the start.
    gc.disable()
    _import_aiohttp()
    from edgeproxy.app.running import run_until_signal

    gc.enable()
    gc.freeze()
    # Requests leave no cycles behind, and what is stored and recorded stays for a while: to look
    # through it after each few hundred objects takes a sixth of the way to an origin.
    gc.set_threshold(10_000)
    return run_until_signal(options.target, settings_of(options, options.target))


def _import_aiohttp() -> None:
    """Import it without the authorities that the machine trusts.

    It reads them twice, for contexts of its own, which takes a tenth of the start. Whoever speaks
    TLS here brings a context: with aiohttp's, which now trust nobody, every handshake would fail.
    """
    ssl.SSLContext.set_default_verify_paths = lambda self: None  # type: ignore[method-assign]
    try:
        import aiohttp  # noqa: F401
    finally:
        del ssl.SSLContext.set_default_verify_paths
