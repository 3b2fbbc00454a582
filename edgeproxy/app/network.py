"""How other machines of the network find the edge, for who serves them with ``--host``."""

import io
import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

__all__ = ["from_here", "told_to_network"]

_ELSEWHERE: Final = ("192.0.2.1", 9)
"""An address for documents (RFC 5737): the way to it is looked up, and nothing is sent."""


def told_to_network(host: str, url: str | None) -> list[str]:
    """The viewer listener's ``url`` as other machines see it, and as a code for cameras.

    Empty unless ``host`` is every address of this machine. The code needs the extra ``qr``.
    """
    if url is None or not _is_every_address(host) or (address := _own_address()) is None:
        return []
    there = f"http://{address}:{urlsplit(url).port}"
    lines = [f"on your network: {there}"]
    try:
        import segno
    except ImportError:
        return lines
    code = io.StringIO()
    segno.make(there, error="l").terminal(code, compact=True, border=2)
    return lines + [f"    {line}" for line in code.getvalue().splitlines()]


def from_here(url: str) -> str:
    """``url`` for a browser of this machine, for which "every address" is none."""
    parts = urlsplit(url)
    if not _is_every_address(parts.hostname or ""):
        return url
    own = "[::1]" if ":" in str(parts.hostname) else "127.0.0.1"
    return parts._replace(netloc=f"{own}:{parts.port}").geturl()


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_ELSEWHERE)
        except OSError:
            return None  # There is no network.
        return str(asking.getsockname()[0])
