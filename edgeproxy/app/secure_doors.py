"""The HTTPS listeners of a running program: ``--https-port``, and one more a distribution."""

import ssl
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edgeproxy.app.connection_functions import ConnectionFunctions
from edgeproxy.app.continuous_deployment import Entrance
from edgeproxy.app.doors import Doors
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.matching import match_host
from edgeproxy.distribution.model import WITH_HTTP_2, Distribution
from edgeproxy.distribution.security_policies import CIPHERS, oldest_version
from edgeproxy.distribution.viewer_headers import FINGERPRINTS
from edgeproxy.edge.admission import HTTPS_PORT
from edgeproxy.http.messages import Handler
from edgeproxy.inspector.personas import Personas, without_persona
from edgeproxy.server.negotiated import HTTP_1_1, HTTP_2
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.app.mutual_tls import DistributionOf, Gate
    from edgeproxy.server.authority import Authority, Offer, Presentation

__all__ = ["SecureDoors", "authority_folder", "secure_doors"]

_VIEWER: Final = "https viewer"
_MINIMUM: Final = {
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def authority_folder() -> Path:
    """Where the user's local certificate authority is, or will be."""
    import platformdirs

    return platformdirs.user_data_path("edgeproxy", appauthor=False) / "authority"


def secure_doors(
    settings: Settings,
    clock: Clock,
    chance: Chance,
    functions: ConnectionFunctions,
    tell: Callable[[str], None],
) -> "SecureDoors | None":
    """What opens the HTTPS listeners, None when there are none.

    Raises ``UsageError`` when the local certificate authority can be neither read nor made.
    """
    if settings.https_port is None:
        return None
    # Only who serves HTTPS pays for these imports.
    from edgeproxy.app.mutual_tls import Gate
    from edgeproxy.server.authority import Authority

    gate = Gate(functions, chance, settings.viewer_ip, tell)
    return SecureDoors(
        Authority(authority_folder(), clock.utc()), gate, settings.host, settings.https_port
    )


class SecureDoors:
    """Opens the HTTPS listeners and tells each location where viewers find it over TLS."""

    def __init__(self, authority: "Authority", gate: "Gate", host: str, port: int) -> None:
        self._authority = authority
        self._gate = gate
        self._names = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *_names_of(host)]))
        self._port = port
        self._presented: dict[str, Presentation] = {}
        self._distributions: Mapping[str, Distribution] = {}

    @property
    def authority(self) -> Path:
        """The file of the authority's certificate."""
        return self._authority.certificate

    async def open(
        self,
        doors: Doors,
        viewer: Handler,
        locations: Mapping[str, Entrance],
        distributions: Mapping[str, Distribution],
    ) -> dict[str, str]:
        """The URLs by the doors' keys. ``viewer`` is behind ``--https-port`` itself.

        ``distributions`` are what ``locations`` serve from now on.
        """
        self._distributions = distributions
        urls = {_VIEWER: await self._open(doors, _VIEWER, viewer, self._named, "--https-port")}
        for logical_id, location in locations.items():
            key = f"https distribution {logical_id}"
            url = urls[_VIEWER]
            if len(locations) > 1:
                which = partial(self._of, logical_id)
                url = await self._open(doors, key, location, which, logical_id)
            urls[key] = url
            location.https_port = urlsplit(url).port or HTTPS_PORT
        return urls

    def context(self, key: str) -> ssl.SSLContext:
        """For a door that is no distribution's: a certificate for whatever name is asked for."""
        from edgeproxy.server.authority import Presentation

        if key not in self._presented:
            self._presented[key] = Presentation(self._authority, self._names, self._gate.tell)
        return self._presented[key].context

    async def _open(
        self, doors: Doors, key: str, handler: Handler, which: "DistributionOf", name: str
    ) -> str:
        port = self._port if key == _VIEWER else None
        tls = self._context(key, which, doors.personas)
        return await doors.open(key, handler, name, port, tls=tls, admit=self._gate.admit(which))

    def _named(self, name: str) -> Distribution | None:
        """Who is meant on the listener of all distributions."""
        distributions = list(self._distributions.values())
        if len(distributions) == 1:
            return distributions[0]
        return match_host(distributions, without_persona(name)[1])

    def _of(self, logical_id: str, name: str) -> Distribution | None:
        """Who is meant on the listener of that distribution, whatever name is asked for."""
        return self._distributions.get(logical_id)

    def _context(self, key: str, which: "DistributionOf", personas: Personas) -> ssl.SSLContext:
        """With the oldest protocol that any of the distributions behind it takes (CDN-CFG-153)."""
        from edgeproxy.app.mutual_tls import ask
        from edgeproxy.server.authority import Presentation

        if key not in self._presented:
            self._presented[key] = Presentation(self._authority, self._names, self._gate.tell)
        presented = self._presented[key]
        # CDN-VPP-11: a name of no distribution has no certificate.
        presented.answers = lambda name: name in self._names or which(name) is not None
        presented.offer = lambda name: _offer(
            name, which(name), may_have_http_2=personas.version_at(name) != "1.1"
        )
        # Who is meant is known only after the handshake has begun.
        own = which("")
        distributions = [own] if key != _VIEWER and own else list(self._distributions.values())
        ask(presented, distributions, which)
        if any(map(_asks_for_fingerprints, distributions)):
            presented.keep_client_hello()
        with warnings.catch_warnings():
            # Python would rather not speak TLS 1.1; whoever asks for it means it.
            warnings.simplefilter("ignore", DeprecationWarning)
            presented.context.minimum_version = min(map(_minimum, distributions))
        return presented.context


def _asks_for_fingerprints(distribution: Distribution) -> bool:
    plans = map(plan_of, distribution.all_behaviors)
    return any(not FINGERPRINTS.isdisjoint(plan.generated) for plan in plans)


def _names_of(host: str) -> list[str]:
    """The names of a listener's host; ``0.0.0.0`` and ``::`` stand for whatever is asked for."""
    return [] if host in ("", "0.0.0.0", "::") else [host]


def _minimum(distribution: Distribution) -> ssl.TLSVersion:
    oldest = oldest_version(distribution.minimum_protocol_version)
    return _MINIMUM.get(oldest, ssl.TLSVersion.MINIMUM_SUPPORTED)


def _offer(name: str, distribution: Distribution | None, *, may_have_http_2: bool) -> "Offer":
    """What ``distribution`` offers a viewer who asks for ``name``; without one, anything.

    HTTP/2 needs a name (CDN-VER-02). HTTP/3 is not spoken, and whoever may have it may have less.
    """
    from edgeproxy.server.authority import Offer

    if distribution is None:
        return Offer()
    ciphers = CIPHERS[distribution.minimum_protocol_version]
    if not (name and may_have_http_2 and distribution.http_version in WITH_HTTP_2):
        return Offer((HTTP_1_1,), ciphers)
    return Offer((HTTP_2, HTTP_1_1), ciphers)
