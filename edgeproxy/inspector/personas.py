"""Viewers that a person plays: each has a host name of its own, ``NAME.viewer.localhost``.

Browsers resolve such names to this machine and keep cookies apart by them, so that each tab can be
another viewer. The name is taken away before anything else sees the request: out of ``Host``,
``Origin`` and ``Referer``. It is put back where the answer would lead the browser away from it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from edgeproxy.errors import UsageError
from edgeproxy.http.forced import Forced
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Played, Request, Response
from edgeproxy.server.listener import ViewerFrom
from edgeproxy.server.reading import Refused

__all__ = ["Persona", "Personas", "Side", "without_persona"]

_MOST: Final = 100
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_HOST: Final = re.compile(r"([a-z0-9-]+)\.viewer\.(.+)", re.IGNORECASE)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::", "localhost"})
_LED_AWAY: Final = ("Location", "Access-Control-Allow-Origin")
_VERSIONS: Final[Mapping[str, Literal["1.1", "2.0"] | None]] = {
    "1.1": "1.1",
    "2": "2.0",
    "any": None,
}
_USER_AGENTS: Final = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "tv": "Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/7.0 TV Safari/537.36",
}


@dataclass(frozen=True, slots=True)
class Side:
    """The side of an experiment that a viewer is put on, and by what."""

    experiment: str
    variant: str
    forced: Forced


@dataclass(frozen=True, slots=True)
class Persona:
    """A viewer; an empty text leaves things as the browser and the options have them."""

    name: str
    country: str = ""
    city: str = ""
    device: str = ""
    """``desktop``, ``mobile``, ``tablet`` or ``tv``: told by another ``User-Agent``."""
    ip: str = ""
    language: str = ""
    """The value of ``Accept-Language``."""
    http_version: str = "any"
    """``1.1`` or ``2``: what the edge takes the connection for. Under the name of a viewer of 1.1
    it offers no HTTP/2."""
    side: Side | None = None

    @property
    def played(self) -> Played:
        """What the edge and its records know of it."""
        if self.side is None:
            return Played(self.name)
        forced = self.side.forced
        version = (forced.name, forced.value) if forced.kind == "function version" else None
        return Played(self.name, self.side.experiment, self.side.variant, version)

    @property
    def told(self) -> list[tuple[str, str]]:
        """The headers that say the same of one request."""
        known = {"ip": self.ip, "country": self.country, "city": self.city}
        return [(f"x-edgeproxy-viewer-{name}", value) for name, value in known.items() if value]

    def url(self, door: str) -> str:
        """Where the viewer finds a door."""
        parts = urlsplit(door)
        host = parts.hostname or ""
        host = "localhost" if host in _LOOPBACK else host
        port = "" if parts.port is None else f":{parts.port}"
        return f"{parts.scheme}://{self.name}.viewer.{host}{port}"


_TEXTS: Final = tuple(name for name in Persona.__dataclass_fields__ if name != "side")


class Personas:
    """All of them. ``viewer`` tells a request's viewer by its headers; ``ports`` are those of the
    doors, to which alone an answer leads back by a persona's name."""

    def __init__(self, viewer: ViewerFrom, ports: Callable[[], Collection[int]]) -> None:
        self._viewer = viewer
        self._ports = ports
        self._personas: dict[str, Persona] = {}
        self.forced: Callable[[str, str], Forced] = _no_experiments
        """What puts a viewer on a variant of an experiment; raises :class:`UsageError`."""

    @property
    def all(self) -> Collection[Persona]:
        return self._personas.values()

    def get(self, name: str) -> Persona | None:
        """The one of that name."""
        return self._personas.get(name)

    def put(self, document: Mapping[str, object]) -> Persona:
        """Make or change a persona. Raises :class:`UsageError`."""
        values: dict[str, str] = {}
        for name, value in document.items():
            if name == "variant":
                continue
            if name not in _TEXTS:
                known = ", ".join((*_TEXTS, "variant"))
                raise UsageError(f"a viewer has no {name!r}", remedy=known)
            if not isinstance(value, str | None):
                raise UsageError(f"{name} must be a string")
            if value:
                values[name] = value.strip()
        side = self._side(document.get("variant"))
        persona = Persona(**{"name": "", **values}, side=side)
        self._check(persona)
        if len(self._personas) >= _MOST and persona.name not in self._personas:
            raise UsageError(f"there are {_MOST} viewers already", remedy="delete one")
        self._personas[persona.name] = persona
        return persona

    def remove(self, name: str) -> bool:
        """Forget a persona; whether there was one."""
        return self._personas.pop(name, None) is not None

    def version_at(self, host: str) -> str | None:
        """The version of HTTP that the viewer with that host name wants; None for any."""
        persona = self._personas.get(without_persona(host)[0])
        return None if persona is None else _VERSIONS[persona.http_version]

    async def answer(self, request: Request, handler: Handler) -> Response:
        """What ``handler`` answers to the persona whose name the request's host has, if any."""
        name, host = without_persona(request.host)
        persona = self._personas.get(name)
        if persona is None:
            response = await handler(request)
            # The next request may be that of a persona of this name.
            return replace(response, repeat=None) if name else response
        response = await handler(self._as(persona, request, host))
        # What would be repeated is not known by the persona's own request.
        return self._led_back(name, host, replace(response, repeat=None))

    def _side(self, document: object) -> Side | None:
        match document:
            case None:
                return None
            case {"experiment": str(experiment), "variant": str(variant)}:
                return Side(experiment, variant, self.forced(experiment, variant))
            case _:
                raise UsageError('variant must be {"experiment": NAME, "variant": NAME}')

    def _check(self, persona: Persona) -> None:
        if not _NAME.fullmatch(persona.name):
            raise UsageError(
                f"{persona.name!r} cannot be part of a host name",
                remedy="small letters, digits and hyphens, 40 at most",
            )
        if persona.device and persona.device not in _USER_AGENTS:
            raise UsageError(f"device must be one of {', '.join(_USER_AGENTS)}")
        if persona.http_version not in _VERSIONS:
            raise UsageError(f"http_version must be one of {', '.join(_VERSIONS)}")
        if not re.fullmatch(r"[ -~]{0,200}", persona.language):
            raise UsageError("language must be the value of an Accept-Language header")
        try:
            self._viewer("127.0.0.1", 0, Headers(persona.told))
        except Refused as refused:
            raise UsageError(refused.detail.removeprefix("x-edgeproxy-viewer-")) from refused

    def _as(self, persona: Persona, request: Request, host: str) -> Request:
        """The request of the persona, without its name."""
        headers = request.headers.with_set("Host", host)
        for name in ("Origin", "Referer"):
            if name in headers:
                value = headers.get(name).replace(f"//{request.host}", f"//{host}", 1)
                headers = headers.with_set(name, value)
        if persona.device:
            headers = headers.with_set("User-Agent", _USER_AGENTS[persona.device])
        if persona.language:
            headers = headers.with_set("Accept-Language", persona.language)
        viewer = request.viewer
        # What the request says of its viewer itself comes first.
        told = self._viewer(viewer.ip, viewer.port, Headers([*headers, *persona.told]))
        viewer = replace(
            viewer,
            ip=told.ip,
            country=told.country,
            location=told.location,
            played=persona.played,
        )
        version = _VERSIONS[persona.http_version] if not request.upgrade else None
        request = replace(request, viewer=viewer, version=version or request.version)
        request = request.with_headers(headers)
        return request if persona.side is None else persona.side.forced.applied_to(request)

    def _led_back(self, name: str, host: str, response: Response) -> Response:
        own = urlsplit(f"//{host}").hostname
        headers = response.headers
        for header in _LED_AWAY:
            value = headers.get(header)
            try:
                parts = urlsplit(value)
                leads_away = parts.hostname == own and (parts.port or 0) in self._ports()
            except ValueError:
                continue
            if leads_away:
                there = value.replace("//", f"//{name}.viewer.", 1)
                headers = headers.with_set(header, there)
        return response if headers is response.headers else replace(response, headers=headers)


def _no_experiments(experiment: str, variant: str) -> Forced:
    raise UsageError(f"there is no experiment {experiment!r}")


def without_persona(host: str) -> tuple[str, str]:
    """The persona's name in a host name, and the rest; no name where there is none."""
    found = _HOST.fullmatch(host)
    return ("", host) if found is None else (found[1].lower(), found[2])
