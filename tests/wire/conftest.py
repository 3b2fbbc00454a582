"""Wire tests run over both event loops that there may be, most over both kinds of connections."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.app.running import loop_factory
from edgeproxy.server import inside_aiohttp

NOT_ON_PLAIN_AIOHTTP = {
    # Every request goes to the handler.
    "test_hits.py",
    "test_reruns.py",
    # It has connections of its own.
    "test_http2.py",
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All else holds for both kinds of connections."""
    file = metafunc.definition.path.name
    kinds = ["private", "plain"]
    if {file, metafunc.function.__name__} & NOT_ON_PLAIN_AIOHTTP:
        kinds = ["private"]
    elif file == "test_plain.py":
        kinds = ["plain"]
    metafunc.parametrize("connections", kinds, indirect=True)


@pytest.fixture(autouse=True)
def connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Served as with the aiohttp that is built on, or as with another one."""
    if request.param == "plain":
        monkeypatch.setattr(inside_aiohttp, "CONNECTION_NAMES", ("_gone",))


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context that trust each other, for the name ``localhost``."""
    folder: Path = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


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
