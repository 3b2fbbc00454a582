"""What ``--overlay`` adds to CloudFront's own error pages: the cause, for whoever looks at them.

Only where a browser opens a page, and only in what that viewer gets: the record of the request has
CloudFront's page, no cache sees the overlay, and browsers are told not to keep it. Everything in it
that is not this module's own is escaped: paths come from viewers, messages from functions.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from edgeproxy.app.sources import is_code_of, source_of
from edgeproxy.exchange.blame import CodePlace, place_of, remedy_of, troubles
from edgeproxy.exchange.model import Exchange, FunctionRun
from edgeproxy.exchange.text import visible
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.project.model import Project

__all__ = ["Overlay"]

_AROUND: Final = 4
"""Lines of code before and after the one that failed."""
_LONGEST_FILE: Final = 1_000_000
_END: Final = b"</BODY></HTML>"
_STYLE: Final = (
    "position:fixed;inset:0;overflow:auto;margin:0;padding:5vh 5vw;background:#1b1b1fee;"
    "color:#f2f2f2;font:15px/1.5 system-ui,sans-serif;z-index:2147483647"
)
_CODE: Final = (
    "font:13px/1.5 ui-monospace,monospace;background:#000;padding:1em;overflow:auto;tab-size:4;"
    "border-radius:4px"
)


class Overlay:
    """Puts the cause over an error page; ``inspector`` is the URL of the control listener."""

    def __init__(self, project: Callable[[], Project]) -> None:
        self._project = project
        self.inspector = ""

    def __call__(self, exchange: Exchange, request: Request, response: Response) -> Response:
        """The response with the overlay, or as it is where none belongs."""
        body = response.body
        if (
            not isinstance(body, BytesBody)
            or not body.data.endswith(_END)
            or response.status < 400
            or response.headers.get("Server") != "CloudFront"
            or not _opens_a_page(request)
        ):
            return response
        shown = self._page(exchange, response.status).encode("ascii", "xmlcharrefreplace")
        data = body.data.removesuffix(_END) + shown + _END
        headers = response.headers.with_set("Cache-Control", "no-store")
        if headers.get("Content-Length"):
            headers = headers.with_set("Content-Length", str(len(data)))
        return replace(response, headers=headers, body=BytesBody(data))

    def _page(self, exchange: Exchange, status: int) -> str:
        request = exchange.request
        link = f"{self.inspector}/#/exchange/{quote(exchange.id, safe='')}"
        asked = _text(f"{status} {request.method} {request.path}")
        parts = [f"<h1 style='font-size:20px'>{asked}</h1>"]
        failed = [run for run in exchange.functions if run.error]
        for run in failed:
            parts += self._run(run)
        if not failed:
            for why, remedy in troubles(exchange):
                parts += _told(why, remedy)
        parts.append(
            f"<p><a style='color:#8ab4ff' href='{escape(link)}'>Show it in the inspector</a></p>"
            "<p style='color:#aaa'>edgeproxy --overlay shows this over CloudFront's own page.</p>"
        )
        return f"<div role='alert' style='{_STYLE}'>{''.join(parts)}</div>\n"

    def _run(self, run: FunctionRun) -> Iterator[str]:
        document = run.error_document
        if isinstance(document, dict):
            message = f"{document.get('errorType', 'Error')}: {document.get('errorMessage', '')}"
            yield from _told(f"{run.name} failed: {message}", remedy_of(run))
        for finding in run.findings:
            yield from _told(f"{run.name}: {finding.message} [{finding.rule}]", finding.remedy)
        project = self._project()
        place, source = place_of(run), source_of(project, run)
        if place is not None:
            yield f"<p><b>{_text(str(place))}</b></p>"
            if is_code_of(project, run, Path(place.file)):
                yield _code(place)
        elif source is not None:
            yield f"<p><b>{_text(str(source))}</b></p>"


def _opens_a_page(request: Request) -> bool:
    if request.method != "GET":
        return False
    if destination := request.headers.get("Sec-Fetch-Dest"):
        return destination in ("document", "iframe", "frame")
    return "text/html" in request.headers.get("Accept")


def _told(what: str, remedy: str) -> Iterator[str]:
    yield f"<p style='color:#ff8a80;white-space:pre-wrap'>{_text(what)}</p>"
    if remedy:
        yield f"<p>&rarr; {_text(remedy)}</p>"


def _code(place: CodePlace) -> str:
    """The lines around it; nothing when the file cannot be shown."""
    file = Path(place.file)
    try:
        if file.stat().st_size > _LONGEST_FILE:
            return ""
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    first = max(place.line - _AROUND, 1)
    shown = [
        f"<span style='{'background:#5c1a1a' if number == place.line else ''}'>"
        f"{number:>4}  {_text(text)}</span>"
        for number, text in enumerate(lines[first - 1 : place.line + _AROUND], first)
    ]
    return f"<pre style='{_CODE}'>{chr(10).join(shown)}</pre>"


def _text(text: str) -> str:
    return escape("\n".join(map(visible, text.splitlines())))
