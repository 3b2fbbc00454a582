"""What is told to other machines of the network."""

import socket
import urllib.request
from pathlib import Path

import pytest

from edgeproxy.app.network import from_here, told_to_network
from tests.support.command import dev


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "192.0.2.7"])
def test_nothing_unless_every_address_was_asked_for(host: str) -> None:
    assert told_to_network(host, f"http://{host}:8080") == []
    assert told_to_network("0.0.0.0", None) == []


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://[::]:8081/", "http://[::1]:8081/"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://192.0.2.7:8080/", "http://192.0.2.7:8080/"),
    ],
)
def test_a_browser_here_opens_an_address_of_this_machine(url: str, opened: str) -> None:
    assert from_here(url) == opened


def test_without_a_network_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", type("Socket", (socket.socket,), {"connect": connect}))
    assert told_to_network("0.0.0.0", "http://0.0.0.0:8080") == []


def test_the_address_is_one_that_answers(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("hello")
    with dev(".", "--host", "0.0.0.0", cwd=tmp_path) as edge:
        told = told_to_network("0.0.0.0", edge.endpoints["viewer"])
        console = edge.wait_for("inspector")
        if told:  # There is a network.
            assert told[0] in console
            url = told[0].partition(": ")[2]
            with urllib.request.urlopen(f"{url}/index.html", timeout=20) as answer:
                assert answer.read() == b"hello"
            assert "\u2588" in told[1]
        else:
            assert "on your network" not in console
