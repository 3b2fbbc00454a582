"""``edgeproxy explain``: what the edge would do with a URL."""

import argparse
import json

from edgeproxy.cli.command import Commands
from edgeproxy.cli.options import add_settings, settings_of
from edgeproxy.cli.running import add_control_options, control_url, post
from edgeproxy.errors import UsageError
from edgeproxy.exchange.text import visible

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "explain",
        help="tell which behavior, functions, cache key and headers a URL would get",
        description="Tell which distribution, behavior, functions, cache key, TTL source and "
        "forwarded headers a URL would get: asks a running edge, or reads --target without one. "
        "Functions are not run.",
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", help="a whole URL, or a path such as /app.css?v=1")
    parser.add_argument("--target", metavar="TARGET", help="read this definition instead")
    parser.add_argument("--method", default="GET", metavar="METHOD", help="default GET")
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header of the request; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    add_control_options(parser)
    add_settings(parser, only=("public-key", "viewer-country", "viewer-ip"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    headers = [_pair(text) for text in options.header]
    if options.target is None:
        question = {"url": options.url, "method": options.method, "headers": headers}
        answer = post(control_url(options), "/api/explain", question)
    else:
        from edgeproxy.app.invoking import explain_target

        settings = settings_of(options, options.target)
        answer = explain_target(options.target, settings, options.url, options.method, headers)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(map(visible, _lines(answer))))
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {text!r} is not of the form 'NAME: VALUE'")
    return name.strip(), value.strip()


def _lines(answer: dict[str, object]) -> list[str]:
    """The answer for people: one fact a line, lists indented below their heading."""
    document: dict[str, dict[str, object]] = answer  # type: ignore[assignment]
    distribution, behavior = document["distribution"], document["behavior"]
    lines = [
        f"distribution  {distribution['logical_id']} ({distribution['domain_name']})",
        f"behavior      {behavior['path_pattern']} -> {behavior['target_origin_id']}",
    ]
    lines += [
        f"              {key.replace('_', ' ')} {behavior[key]}"
        for key in ("cache_policy", "origin_request_policy", "response_headers_policy")
        if behavior[key]
    ]
    functions: list[dict[str, object]] = answer["functions"]  # type: ignore[assignment]
    lines.append("functions     " + ("" if functions else "none"))
    lines += [f"              {f['event_type']:<16} {f['name']} ({f['kind']})" for f in functions]
    if not answer["admitted"]:
        refused = document["refused"]
        return [*lines, f"refused       {refused['status']}: {refused['why']}"]
    cache = document["cache"]
    if not cache["cacheable"]:
        lines.append(f"cache         never: {cache['why']}")
    else:
        lines.append("cache key")
        parts: list[dict[str, object]] = cache["key"]  # type: ignore[assignment]
        lines += [f"  {p['part']}: {p['value']!s}  ({p['because']})" for p in parts]
        lines.append(f"fresh for     {cache['ttl_source']}")
    forwarded = document["forwarded"]
    lines.append(
        f"origin gets   {forwarded['method']} {forwarded['target']} at {forwarded['domain_name']}"
    )
    sent: list[tuple[str, str]] = forwarded["headers"]  # type: ignore[assignment]
    lines += [f"  {name}: {value}" for name, value in sent]
    return lines
