"""``edgeproxy experiment``: A/B experiments, run with synthetic visitors and judged."""

import argparse
import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeproxy.cli.command import Commands
from edgeproxy.cli.running import add_control_options, control_url
from edgeproxy.errors import Place, UsageError, reason
from edgeproxy.exchange.text import visible

if TYPE_CHECKING:
    from edgeproxy.experiments.model import Experiment
    from edgeproxy.experiments.traffic import Plan, Run

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "experiment",
        help="run an A/B experiment with synthetic visitors and judge it",
        description="A/B experiments at the edge. They are declared in experiments.yaml.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_init(actions)
    _add_run(actions)
    _add_diff(actions)


def _add_init(actions: Commands) -> None:
    parser = actions.add_parser(
        "init",
        help="propose a declaration from what a running edge has seen",
        description="Look at the newest requests of a running edge for cookies that split "
        "visitors: set by answers, with few values that come again. Prints an experiments.yaml, or "
        "writes it with --output. Browse the site a little before, as two visitors.",
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file that is not there yet")
    add_control_options(parser)
    parser.set_defaults(run=init)


def _add_run(actions: Commands) -> None:
    parser = actions.add_parser(
        "run",
        help="send synthetic visitors through a running edge",
        description="Send synthetic visitors through a running edge, over sockets, each with "
        "cookies, an address, country, device and language of its own, and report shares, visitors "
        "who changed sides, answers made for one side that the other got, hits and times. The "
        "edge's clock moves while it runs, and goes back at the end. Exit status 1 when something "
        "that must hold does not, or the run is partial.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", help="the experiment")
    _add_plan(parser)
    parser.add_argument(
        "--no-early-stop",
        action="store_true",
        help="go on to the last visitor although it is certain that something does not hold",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page with plots")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write it for CI")
    add_control_options(parser)
    parser.add_argument(
        "--target",
        metavar="TARGET",
        help="start an edge for this run only, that serves TARGET as `edgeproxy dev` does",
    )
    parser.set_defaults(run=run)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """The options that say which traffic there is."""
    parser.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        help="where it is declared: YAML, JSON or TOML (default experiments.yaml beside TARGET, "
        "else in the current folder)",
    )
    parser.add_argument(
        "--visitors", type=_positive, default=10_000, metavar="N", help="how many (default 10000)"
    )
    parser.add_argument(
        "--requests",
        type=_positive,
        metavar="N",
        help="of each visitor (default 5, or those of the session)",
    )
    parser.add_argument(
        "--session",
        type=Path,
        metavar="FILE.har",
        help="have visitors ask for what was recorded there, in its order",
    )
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=32,
        metavar="N",
        help="requests at once (default 32)",
    )
    parser.add_argument(
        "--pause",
        type=_time,
        default=60.0,
        metavar="TIME",
        help="between two requests of a visitor, such as 30s, 5m or 1d (default 1m)",
    )
    parser.add_argument(
        "--span",
        type=_time,
        default=86_400.0,
        metavar="TIME",
        help="how much of the edge's time all visits take, such as 12h or 7d (default 1d)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="the same seed: the same visitors, and the same choices of an edge of --target",
    )
    parser.add_argument(
        "--with",
        dest="dev_options",
        type=shlex.split,
        default=[],
        metavar="'OPTION ...'",
        help="with --target: options of `edgeproxy dev`, such as '--origin web=http://…'",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _add_diff(actions: Commands) -> None:
    parser = actions.add_parser(
        "diff",
        help="tell what changed between two runs beyond chance",
        description="Compare two reports that `edgeproxy experiment run --json` wrote: shares, "
        "hits, errors, leaks and switches by Fisher's exact test, corrected for the number of "
        "comparisons; times by their intervals. With --run, A and B are revisions of the git "
        "repository that TARGET lies in: the experiment runs on both. Exit status 1 when something "
        "differs beyond chance.",
        allow_abbrev=False,
    )
    parser.add_argument("first", metavar="A", help="a report, or a revision")
    parser.add_argument("second", metavar="B", help="a report, or a revision")
    parser.add_argument("--run", dest="name", metavar="NAME", help="run this experiment on both")
    parser.add_argument("--target", metavar="TARGET", help="with --run: the definition, a file")
    _add_plan(parser)
    parser.set_defaults(run=diff)


def init(options: argparse.Namespace) -> int:
    from edgeproxy.experiments.carrying_out import recorded
    from edgeproxy.experiments.proposal import as_yaml, proposals

    records = asyncio.run(recorded(control_url(options)))
    found = proposals(records)
    if not found:
        print(
            f"edgeproxy: no cookie splits visitors in the {len(records)} newest requests: none is "
            "set by answers with two to five values that each came twice",
            file=sys.stderr,
        )
        return 1
    text = as_yaml(found)
    if options.output is None:
        print(text, end="")
        return 0
    try:
        with options.output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {reason(error)}", place=Place(options.output)
        ) from error
    return 0


def run(options: argparse.Namespace) -> int:
    from edgeproxy.experiments.junit import junit_of
    from edgeproxy.experiments.report_html import page_of
    from edgeproxy.experiments.report_text import report_lines

    experiment = _declared(options)
    if options.dev_options and options.target is None:
        raise UsageError("--with is for the edge that --target starts")
    if options.target is not None and (options.control or options.endpoints_file):
        raise UsageError("--control is for an edge that runs, and --target starts one")
    for path in filter(None, (options.json, options.html, options.junit)):
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError("cannot be written: it has no folder, or is one", place=Place(path))
    report = _report(options, experiment, options.target)
    print("\n".join(map(visible, report_lines(report))))
    forms: tuple[tuple[Path | None, Callable[[dict[str, Any]], bytes]], ...] = (
        (options.json, lambda document: json.dumps(document, indent=2).encode() + b"\n"),
        (options.html, lambda document: page_of(document).encode()),
        (options.junit, junit_of),
    )
    for path, form in forms:
        if path is not None:
            _write(path, form(report))
    return 0 if report["holds"] else 1


def diff(options: argparse.Namespace) -> int:
    from edgeproxy.experiments.comparison import caveats, compared, comparison_lines

    if options.name is None:
        reports = [_read(Path(name)) for name in (options.first, options.second)]
    else:
        reports = [_of_revision(options, each) for each in (options.first, options.second)]
    differences = compared(*reports)
    lines = [*comparison_lines(options.first, options.second, differences)]
    for name, report in zip((options.first, options.second), reports, strict=True):
        lines += caveats(name, report)
    print("\n".join(map(visible, lines)))
    return int(any(each.beyond_chance for each in differences))


def _of_revision(options: argparse.Namespace, revision: str) -> dict[str, Any]:
    from edgeproxy.experiments.revisions import checked_out

    if options.target is None or not Path(options.target).is_file():
        raise UsageError("--run needs the file of a definition", remedy="--target template.yaml")
    experiment = _declared(options)
    with checked_out(Path(options.target), revision) as target:
        report = _report(options, experiment, str(target))
    if report["partial"]:
        raise UsageError(f"the run on {revision} is partial: {report['stopped']}")
    return report


def _declared(options: argparse.Namespace) -> "Experiment":
    from edgeproxy.app.experiment_checks import declaration_beside
    from edgeproxy.experiments.declaration import experiment_of

    return experiment_of(options.file or declaration_beside(options.target), options.name)


def _plan(options: argparse.Namespace) -> "Plan":
    from edgeproxy.experiments.sessions import read_session
    from edgeproxy.experiments.traffic import Plan

    session = () if options.session is None else read_session(options.session)
    return Plan(
        options.visitors,
        options.requests or len(session) or 5,
        options.concurrency,
        options.seed,
        options.pause,
        options.span,
        not getattr(options, "no_early_stop", True),
        session,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {reason(error)}", place=Place(path)) from error
    if not isinstance(report, dict) or "share_test" not in report:
        raise UsageError(
            "is not the report of an experiment",
            place=Place(path),
            remedy="`edgeproxy experiment run NAME --json FILE` writes one",
        )
    return report


def _report(
    options: argparse.Namespace, experiment: "Experiment", target: str | None
) -> dict[str, Any]:
    tell = _ignore if options.quiet or not sys.stderr.isatty() else _progress
    try:
        return asyncio.run(_carried_out(options, experiment, target, tell))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None  # A signal came before the first request.
    finally:
        if tell is _progress:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def _carried_out(
    options: argparse.Namespace,
    experiment: "Experiment",
    target: str | None,
    tell: "Callable[[Run], None]",
) -> dict[str, Any]:
    from edgeproxy.experiments.carrying_out import carry_out
    from edgeproxy.experiments.own_edge import own_edge

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The edge that was started ends with the run, and clocks go back. As for ``dev``, Ctrl-C
        # is heard also where a script's background has it ignored; a hang-up with nohup is not.
        if number is not signal.SIGHUP or signal.getsignal(number) is signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    plan = _plan(options)
    if target is None:
        return await carry_out(experiment, plan, control_url(options), tell)
    async with own_edge(target, options.seed, options.dev_options) as control:
        return await carry_out(experiment, plan, control, tell)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot be written: {reason(error)}", place=Place(path)) from error


def _ignore(run: "Run") -> None:
    return None


def _progress(run: "Run") -> None:
    """One line that is written over again and again."""
    done, planned = run.visitors, run.plan.visitors
    bar = ("#" * (30 * done // planned)).ljust(30, ".")
    troubles = f"{run.tally.leaked} leaks, {run.tally.switches} switches"
    print(f"\r\x1b[K[{bar}] {done}/{planned} visitors, {troubles}", end="", file=sys.stderr,
          flush=True)  # fmt: skip


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _time(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit() and int(number) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30m, 12h or 7d")
    return float(int(number) * _UNITS[unit])
