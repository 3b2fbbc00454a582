"""The names inside aiohttp that the listener builds on, and the check that they are there.

aiohttp offers no public way to answer a request without its own response classes, so
:mod:`edgeproxy.server.http1` replaces the loop of its per-connection class. Everything private
that this uses is listed here and nowhere else; pyproject.toml pins the minor version. Where
something is missing, :mod:`edgeproxy.server.plain` serves instead. Connections to origins use such
names of ``BaseProtocol`` and ``TCPConnector``, too: for them nothing stands in.
"""

from typing import Final

from aiohttp import http_parser, web, web_protocol

__all__ = ["CONNECTION_NAMES", "MODULE_NAMES", "missing_from_aiohttp"]

CONNECTION_NAMES: Final = (
    "_buffer_paused",
    "_drain_helper",
    "_loop",
    "_message_tail",
    "_messages",
    "_max_msg_queue_size",
    "_msg_queue_resume_size",
    "_parser",
    "_paused",
    "_payload_parser",
    "_request_count",
    "_resume_reading_if_drained",
    "_upgraded",
    "_waiter",
)
"""Attributes and methods of ``web.RequestHandler``."""
MODULE_NAMES: Final = ("_ErrInfo",)
"""Names in ``aiohttp.web_protocol``."""


def missing_from_aiohttp() -> tuple[str, ...]:
    """What this aiohttp lacks of that the fast connections are built on; empty: nothing.

    Its parser in C is needed too: the refusal of ambiguous messages was proven with it, and the
    one in Python, which stands in where no compiler was at hand, draws other lines.
    """
    missing = [name for name in CONNECTION_NAMES if not hasattr(web.RequestHandler, name)]
    missing += [name for name in MODULE_NAMES if not hasattr(web_protocol, name)]
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        missing.append("parser in C")
    return tuple(missing)
