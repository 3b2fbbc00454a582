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
        description="Tell why a URL would hit or miss: distribution, behavior, functions, the "
        "parts of the cache key, what is stored, what decides the TTL, and what goes to the "
        "origin and why. Asks a running edge, or reads --target without one. Functions are "
        "not run.",
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
    parser.add_argument(
        "--answer-header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="suppose that the origin answers with this header: whether and for how long the "
        "answer would be stored; repeatable",
    )
    parser.add_argument(
        "--answer-status",
        type=_status,
        metavar="STATUS",
        help="suppose that the origin answers with this status (default 200)",
    )
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    add_control_options(parser)
    viewer = ("viewer-country", "viewer-ip", "viewer-location", "geo-database")
    add_settings(parser, only=("public-key", "field-level-encryption", *viewer))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    headers = [_pair(text, "--header") for text in options.header]
    supposed = [_pair(text, "--answer-header") for text in options.answer_header]
    status = options.answer_status or (200 if supposed else None)
    if options.target is None:
        question: dict[str, object] = {
            "url": options.url,
            "method": options.method,
            "headers": headers,
        }
        if status is not None:
            question["answer"] = {"status": status, "headers": supposed}
        answer = post(control_url(options), "/api/explain", question)
    else:
        from edgeproxy.app.invoking import explain_target
        from edgeproxy.edge.explain import Question
        from edgeproxy.http.headers import Headers
        from edgeproxy.http.messages import Response

        supposition = None if status is None else Response(status, Headers(supposed))
        answer = explain_target(
            options.target,
            settings_of(options, options.target),
            Question(options.url, options.method, tuple(headers), supposition),
        )
    print(json.dumps(answer, indent=2) if options.json else "\n".join(map(visible, _lines(answer))))
    return 0


def _status(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 100 <= int(text) <= 999):
        raise argparse.ArgumentTypeError(f"{text!r} is not a status from 100 to 999")
    return int(text)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"{option} {text!r} is not of the form 'NAME: VALUE'")
    return name.strip(), value.strip()


def _choice(choice: dict[str, object] | None) -> list[str]:
    """What a continuous deployment policy made of the request."""
    return [] if choice is None else [f"              {choice['policy']}: {choice['why']}"]


def _lines(answer: dict[str, object]) -> list[str]:
    """The answer for people: one fact a line, lists indented below their heading."""
    document: dict[str, dict[str, object]] = answer  # type: ignore[assignment]
    distribution, behavior = document["distribution"], document["behavior"]
    lines = [
        f"distribution  {distribution['logical_id']} ({distribution['domain_name']})",
        *_choice(document.get("continuous_deployment")),
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
    if functions:
        lines.append("              (not run: what they would change is not in what follows)")
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
        if found := cache["now"]:
            lines.append(f"now           {found['lookup']}: {found['why']}")  # type: ignore[index]
        lines.append(f"fresh for     {cache['ttl_source']}")
    if supposed := document.get("answer"):
        lines.append(f"that answer   {_outcome(supposed)}")
    forwarded = document["forwarded"]
    lines.append(
        f"origin gets   {forwarded['method']} {forwarded['target']} at {forwarded['domain_name']}"
    )
    sent: list[dict[str, str]] = forwarded["headers"]  # type: ignore[assignment]
    lines += [f"  {line['name']}: {line['value']}  ({line['because']})" for line in sent]
    if forwarded["signed_by"]:
        lines.append(f"  and the signature of AWS  ({forwarded['signed_by']})")
    passed: list[dict[str, str]] = forwarded["passed"]  # type: ignore[assignment]
    lines += [f"  with {item['part']}  ({item['because']})" for item in passed]
    withheld: list[dict[str, str]] = forwarded["withheld"]  # type: ignore[assignment]
    lines += [f"  without {item['part']}  ({item['because']})" for item in withheld]
    return lines


def _outcome(supposed: dict[str, object]) -> str:
    """What would become of an answer of the origin."""
    if not supposed["stored"]:
        return f"would not be stored: {supposed['why']}"
    text = f"would be stored, fresh for {supposed['ttl_s']} s: {supposed['why']}"
    if supposed["stale_while_revalidate_s"]:
        text += f"; then stale-while-revalidate for {supposed['stale_while_revalidate_s']} s"
    if supposed["stale_if_error_s"]:
        text += f"; stale-if-error for {supposed['stale_if_error_s']} s"
    return text
