"""A running program as a process: what is logged inside reaches the console, harmless."""

import io
import logging

from edgeproxy.app.running import LogToConsole
from edgeproxy.observe.console import Console


def test_what_is_logged_is_shown_and_never_obeyed() -> None:
    text = io.StringIO()
    log = logging.Logger("test")
    log.addHandler(LogToConsole(Console(text)))
    log.info("nobody needs to know")
    log.error("%s failed", "/\x9b2J\x1b[31m")
    assert text.getvalue() == "! /\\x9b2J\\x1b[31m failed\n"
