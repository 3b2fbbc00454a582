"""The local certificate authority: what stands in for a distribution's certificate (CDN-CFG-154).

- It is made on first use and kept, so that a browser or ``curl --cacert`` is told of it once. Its
  private key can be read by the user alone and never leaves its folder.
- Viewers see a certificate for the name they ask for, made when it is first asked for and kept in
  memory; one that names nobody (an IP address) sees that of the listener's own names.
- OpenSSL takes whether a viewer is asked for a certificate, and whether its expiry counts, from the
  listener's context; whom to trust it takes from that of the name (CDN-CFG-040).
"""

import logging
import ssl
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import trustme
from cachetools import LRUCache

from edgeproxy.errors import Place, UsageError
from edgeproxy.server.client_hello import GreetedObject, keep_client_hello
from edgeproxy.server.negotiated import HTTP_1_1, HTTP_2

__all__ = ["Authority", "NamedContext", "Offer", "Presentation", "certificate_in"]

_log = logging.getLogger("edgeproxy")

_CERTIFICATE: Final = "authority.pem"
_KEY: Final = "authority-key.pem"
_BEFORE: Final = timedelta(days=1)
_LIFE: Final = timedelta(days=397)
"""The longest that every browser accepts."""
_NAMES_KEPT: Final = 256
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to viewers beside a certificate."""

    protocols: tuple[str, ...] = (HTTP_2, HTTP_1_1)
    """Over TLS, the best first."""
    ciphers: tuple[str, ...] = ()
    """Of TLS 1.2 and older, the best first; OpenSSL's own if there are none."""


class NamedContext(ssl.SSLContext):
    """What a viewer sees that asks for ``name``; empty for one that names nobody."""

    name: str = ""


class _Watched(GreetedObject):
    """A connection that tells why a viewer's certificate was not taken: nobody else hears of it."""

    tell: Callable[[str], None]

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            self.tell(f"a viewer's certificate was refused: {error.verify_message}")
            raise
        except ssl.SSLError as error:
            if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
                self.tell("a viewer was turned away: it has shown no certificate")
            raise


class Authority:
    """Certificates for whatever name a viewer asks for. ``now`` is real time."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Raises :class:`UsageError` when the authority can be neither read nor made."""
        self.certificate = folder / _CERTIFICATE
        try:
            self._made = _kept_in(folder)
        except OSError as error:
            raise UsageError(
                f"the local certificate authority cannot be used: {error.strerror}",
                place=Place(folder),
                remedy="make that folder readable and writable, or set XDG_DATA_HOME to another",
            ) from error
        except ValueError as error:
            raise UsageError(
                f"this is no certificate authority: {error}",
                place=Place(folder),
                remedy="remove the folder: a new authority is made, to be trusted anew",
            ) from error
        self._from = now - _BEFORE

    def present(self, names: Sequence[str], offer: Offer) -> NamedContext:
        """A context with a certificate for ``names``. Raises ``ValueError`` for what is no name."""
        context = NamedContext(ssl.PROTOCOL_TLS_SERVER)
        # TLS 1.0 and 1.1 need security level 0. Those of TLS 1.3 cannot be chosen from Python.
        context.set_ciphers(f"{':'.join(offer.ciphers) or 'DEFAULT'}:@SECLEVEL=0")
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(offer.protocols)
        leaf = self._made.issue_cert(
            *names,
            organization_name="edgeproxy",
            not_before=self._from,
            not_after=self._from + _LIFE,
        )
        leaf.configure_cert(context)
        return context


class Presentation:
    """What the viewers of one listener see; ``names`` are its own.

    ``tell`` hears of certificates that are refused.
    """

    def __init__(
        self, authority: Authority, names: Sequence[str], tell: Callable[[str], None]
    ) -> None:
        self._authority = authority
        self._names = names
        self._kept: LRUCache[str, NamedContext] = LRUCache(_NAMES_KEPT)
        self._anchors: Callable[[str], str] = lambda name: ""
        self.offer: Callable[[str], Offer] = lambda name: Offer()
        """What is offered to viewers who ask for a name; empty for one that names nobody."""
        self.answers: Callable[[str], bool] = lambda name: True
        """Whether there is a certificate for a name; without one the handshake fails."""
        self.context = authority.present(names, Offer())
        """For the listener. Its ``minimum_version`` holds for all names."""
        self.context.sni_callback = self._choose
        self._watched = type("Watched", (_Watched,), {"tell": staticmethod(tell)})

    def ask_for_certificates(
        self, mode: ssl.VerifyMode, anchors: Callable[[str], str], *, ignore_expiry: bool
    ) -> None:
        """From the next connection on.

        ``anchors`` gives, for the name that a viewer asks for, the certificates in PEM that its
        own has to come from.
        """
        context = self.context
        context.verify_mode = mode
        context.sslobject_class = GreetedObject if mode is ssl.CERT_NONE else self._watched
        # Each connection of mutual TLS begins with the certificate: no session is resumed.
        context.num_tickets = 2 if mode is ssl.CERT_NONE else 0
        if mode is not ssl.CERT_NONE:
            context.options |= ssl.OP_NO_TICKET
        context.verify_flags &= ~_NO_CHECK_TIME
        if ignore_expiry:
            context.verify_flags |= _NO_CHECK_TIME
        self._anchors = anchors
        self._kept.clear()

    def keep_client_hello(self) -> None:
        """From the next connection on: with what a viewer opened TLS can be asked for.

        :meth:`_choose` then goes on with another context, which hears of nothing that follows.
        """
        keep_client_hello(self.context)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        asked = name or ""
        if asked and not self.answers(asked):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if asked not in self._kept:
            try:
                names = [asked] if asked else self._names
                context = self._authority.present(names, self.offer(asked))
            except ValueError:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            context.name = asked
            if anchors := self._anchors(asked):
                context.load_verify_locations(cadata=anchors)
            self._kept[asked] = context
        connection.context = self._kept[asked]
        return None


def certificate_in(folder: Path) -> Path:
    """The certificate of the authority in ``folder``, if there is one."""
    return folder / _CERTIFICATE


def _kept_in(folder: Path) -> trustme.CA:
    if not (folder / _CERTIFICATE).exists():
        _make(folder)
    _close_to_others(folder, 0o700)
    _close_to_others(folder / _KEY, 0o600)
    return trustme.CA.from_pem((folder / _CERTIFICATE).read_bytes(), (folder / _KEY).read_bytes())


def _close_to_others(path: Path, mode: int) -> None:
    """Whoever reads the key can pose as any site to browsers that trust the authority."""
    if path.stat().st_mode & 0o077:
        path.chmod(mode)
        _log.warning(
            "%s was open to others, and no longer is; if somebody may have read the key, remove "
            "the folder: a new authority is made, to be trusted anew",
            path,
        )


def _make(folder: Path) -> None:
    """Both files at once: two edges that start together share one authority."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = trustme.CA(
        organization_name="edgeproxy", organization_unit_name="local certificate authority"
    )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        ready = Path(name, folder.name)
        ready.mkdir(mode=0o700)
        (ready / _CERTIFICATE).write_bytes(made.cert_pem.bytes())
        key = ready / _KEY
        key.touch(mode=0o600)
        key.write_bytes(made.private_key_pem.bytes())
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / _CERTIFICATE).exists():
                raise
