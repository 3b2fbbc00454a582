"""Finds a running edge and talks to its control listener."""

import argparse
import http.client
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

from edgeproxy.errors import Place, UsageError

__all__ = ["add_control_options", "control_url", "post"]

DEFAULT_CONTROL_URL = "http://127.0.0.1:8081"


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the running edge is."""
    parser.add_argument(
        "--control",
        metavar="URL",
        help=f"control listener of the running edge (default {DEFAULT_CONTROL_URL})",
    )
    parser.add_argument(
        "--endpoints-file",
        type=Path,
        metavar="PATH",
        help="the endpoints file that the running edge wrote",
    )


def control_url(options: argparse.Namespace) -> str:
    """Where the running edge's control listener is: ``--control``, the endpoints file, default."""
    if options.control:
        url = str(options.control)
        if not re.match(r"https?://[^/]", url):
            raise UsageError(f"--control {url!r} is not a URL", remedy="http://HOST:PORT")
        return url.rstrip("/")
    path: Path | None = options.endpoints_file
    if path is None:
        return DEFAULT_CONTROL_URL
    try:
        control = json.loads(path.read_text("utf-8"))["control"]
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}",
            place=Place(path),
            remedy="is the edge running with --endpoints-file?",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("is not an endpoints file", place=Place(path)) from error
    if not isinstance(control, str):
        raise UsageError("is not an endpoints file", place=Place(path))
    return control


def post(control: str, path: str, document: dict[str, object]) -> dict[str, object]:
    """The JSON answer of a call to the control listener. Raises :class:`UsageError`."""
    # The control listener is on this machine: no proxy of the environment has a say.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(
            control + path,
            json.dumps(document).encode(),
            {"Content-Type": "application/json"},
        )
        with opener.open(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        try:
            message = json.load(error)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"{control} answered {error.code}"
        raise UsageError(str(message)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _no_edge(control) from error
    if not isinstance(answer, dict):
        raise _no_edge(control)
    return answer


def _no_edge(control: str) -> UsageError:
    return UsageError(
        f"no running edge answers at {control}",
        remedy="start one with `edgeproxy dev`, or name it with --control URL",
    )
