"""Wire tests run over both event loops that there may be, most over both kinds of connections."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.app.running import loop_factory
from edgeproxy.server import inside_aiohttp
from tests.wire import raw
from tests.wire.http2 import contexts

NOT_ON_PLAIN_AIOHTTP = {
    # Every request goes to the handler.
    "test_hits.py",
    "test_reruns.py",
    # It has connections of its own.
    "test_http2.py",
    "test_http2_hits.py",
    # aiohttp refuses these targets.
    "test_a_target_may_have_bytes_beyond_ascii",
    "test_bytes_beyond_ascii_count_towards_the_length_of_a_url",
    # What comes in one piece with bytes that cannot be understood is lost.
    "test_more_pipelined_requests_than_are_kept_at_once",
    "test_a_good_request_before_a_bad_one_is_answered",
    # A head that does not end is cut.
    "test_a_head_without_end_is_not_collected",
    # A malformed body is one that stops coming.
    "test_ambiguous_body",
    # aiohttp drops what comes in one piece with an upgrade that it does not know.
    "test_what_is_no_handshake",
}
"""Files and tests; what happens instead is in test_plain.py."""


ALSO_OVER_HTTP_2 = {
    "test_head_has_no_body",
    "test_a_header_cannot_break_out",
    "test_a_failing_handler_is_logged_and_answered",
    "test_a_handler_outlives_its_viewer",
    "test_what_does_not_finish_is_cut",
    "test_100_continue_comes_with_the_first_read",
    "test_a_viewer_that_leaves_breaks_its_request_body",
    "test_body_size",
    "test_a_handler_may_take_longer_than_any_viewer",
}
"""Tests that say nothing of what HTTP/1.1 alone has: lines, chunks, the end of the connection."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All else holds for both kinds of connections."""
    file = metafunc.definition.path.name
    kinds = ["private", "plain"]
    if {file, metafunc.function.__name__} & NOT_ON_PLAIN_AIOHTTP:
        kinds = ["private"]
    elif file == "test_plain.py":
        kinds = ["plain"]
    elif metafunc.function.__name__ in ALSO_OVER_HTTP_2:
        kinds = [*kinds, "http2"]
    metafunc.parametrize("connections", kinds, indirect=True)


@pytest.fixture(autouse=True)
def connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Served as with the aiohttp that is built on, or as with another one, or over HTTP/2."""
    if request.param == "plain":
        monkeypatch.setattr(inside_aiohttp, "CONNECTION_NAMES", ("_gone",))
    elif request.param == "http2":
        pair = contexts(request.getfixturevalue("certificate"))
        monkeypatch.setattr(raw, "over_http2", [pair])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a certificate for the name ``localhost``, and its key."""
    folder: Path = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def both(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context for HTTP/2."""
    return contexts(certificate)


@pytest.fixture(scope="session")
def tls(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context that trust each other."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return server, ssl.create_default_context(cafile=str(certificate / "cert.pem"))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test over both event loops that the program may run on."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    if uvloop := loop_factory():
        factories["uvloop"] = uvloop
    return factories
