"""Mutual TLS with viewers: what a listener asks for, and who is let in (CDN-CFG-040).

The handshake has checked a certificate by the time a connection comes here. Where distributions
share a listener it may have asked viewers of all of them, and required nothing: what the
distribution that a viewer names does require is made up for.
"""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from edgeproxy.app.connection_functions import ConnectionFunctions
from edgeproxy.chance import Chance
from edgeproxy.distribution.model import Distribution
from edgeproxy.distribution.mutual_tls import ViewerMtls, ViewerMtlsMode
from edgeproxy.events.connection import certificate_headers, connection_event
from edgeproxy.http.messages import MutualTls, Viewer
from edgeproxy.server.authority import NamedContext, Presentation
from edgeproxy.server.listener import Admit

__all__ = ["DistributionOf", "Gate", "ask"]

DistributionOf: TypeAlias = Callable[[str], Distribution | None]
"""Which distribution is meant by the name that a viewer asks for; it is empty for an address."""


def ask(
    presentation: Presentation, distributions: Iterable[Distribution], which: DistributionOf
) -> None:
    """Have a listener of ``distributions`` ask for what they need."""
    demands = [_demand(each) for each in distributions]
    wanted = [each for each in demands if each is not None]
    mode = ssl.CERT_OPTIONAL if wanted else ssl.CERT_NONE
    if demands and all(each and each.mode is ViewerMtlsMode.REQUIRED for each in demands):
        mode = ssl.CERT_REQUIRED
    ignore_expiry = bool(wanted) and all(each.ignores_certificate_expiry for each in wanted)

    def anchors(name: str) -> str:
        distribution = which(name)
        demand = _demand(distribution) if distribution is not None else None
        return demand.trust_store.ca_bundle if demand is not None else ""

    presentation.ask_for_certificates(mode, anchors, ignore_expiry=ignore_expiry)


def _demand(distribution: Distribution) -> ViewerMtls | None:
    """What the handshake has to see to. Nothing in passthrough mode: OpenSSL as Python offers it
    takes no certificate without checking it."""
    mtls = distribution.viewer_mtls
    return None if mtls is None or mtls.mode is ViewerMtlsMode.PASSTHROUGH else mtls


class Gate:
    """Lets connections in. ``viewer_ip`` stands in for the address of all, when it is given."""

    def __init__(
        self,
        functions: ConnectionFunctions,
        chance: Chance,
        viewer_ip: str,
        tell: Callable[[str], None],
    ) -> None:
        self._functions = functions
        self._chance = chance
        self._viewer_ip = viewer_ip
        self.tell = tell

    def admit(self, which: DistributionOf) -> Admit:
        """For a listener."""
        return partial(self._admit, which)

    def _admit(self, which: DistributionOf, tls: ssl.SSLObject, viewer: Viewer) -> Viewer | None:
        name = tls.context.name if isinstance(tls.context, NamedContext) else ""
        distribution = which(name)
        if distribution is None or distribution.viewer_mtls is None:
            return viewer
        try:
            chain = [x509.load_der_x509_certificate(der) for der in _chain(tls)]
            if not chain and distribution.viewer_mtls.mode is ViewerMtlsMode.REQUIRED:
                self.tell("a viewer was turned away: it has shown no certificate")
                return None
            headers = certificate_headers(chain[0] if chain else None)
            connection_id = self._chance.request_id()
            if not self._function_lets_in(distribution, chain, viewer, connection_id):
                return None
        except (ValueError, UnsupportedAlgorithm) as error:
            self.tell(f"a viewer's certificate cannot be read: {error}")
            return None
        mutual_tls = MutualTls(distribution.logical_id, headers, connection_id)
        return replace(viewer, mutual_tls=mutual_tls)

    def _function_lets_in(
        self,
        distribution: Distribution,
        chain: list[x509.Certificate],
        viewer: Viewer,
        connection_id: str,
    ) -> bool:
        if not distribution.connection_function:
            return True
        event = connection_event(
            chain[0] if chain else None,
            chain[1:],
            client_ip=self._viewer_ip or viewer.ip,
            endpoint=distribution.domain_name,
            distribution_id=distribution.id_in_events,
            connection_id=connection_id,
        )
        return self._functions.lets_in(distribution.connection_function, event)


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """The viewer's certificates in DER, its own first; Python before 3.13 has no others."""
    chain: Callable[[], list[bytes]] | None = getattr(tls, "get_unverified_chain", None)
    if chain is not None:
        return chain()
    leaf = tls.getpeercert(binary_form=True)
    return [] if leaf is None else [leaf]
