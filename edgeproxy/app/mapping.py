"""Where every origin's bytes come from: the options win over the definition."""

from collections.abc import Callable
from dataclasses import replace

from edgeproxy.distribution.model import Origin
from edgeproxy.http.messages import Delivered, Handler, Request, Response
from edgeproxy.origins.destinations import Destinations, parse_mapping
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.settings import Settings

__all__ = ["destinations_of"]


def destinations_of(
    loaded: Loaded,
    settings: Settings,
    inner_door: Callable[[str], Handler | None],
    tell: Callable[[str], None],
) -> Destinations:
    """The destinations of what was loaded.

    ``inner_door`` gives the door of the same project that a target like ``function-url:ApiUrl``
    names, None for other targets; ``tell`` hears of an ``--origin`` that names nothing.
    """
    declared = [
        origin
        for distribution in loaded.project.distributions.values()
        for origin in distribution.origins.values()
    ]
    mapping = dict(loaded.origins)
    for option in settings.origin:
        name, target = parse_mapping(option)
        hosts = [host for host, logical_id in loaded.stand_ins.items() if logical_id == name]
        mapping |= dict.fromkeys([name, *hosts], target)
        _tell_unknown(name, declared, loaded, tell)
    handlers: dict[str, Handler] = {}
    for name, target in list(mapping.items()):
        door = inner_door(target)
        if door is not None:
            handlers[name] = _as_origin(door)
            del mapping[name]
    return Destinations(
        mapping,
        handlers=handlers,
        origin_hosts=frozenset(settings.origin_host),
        declared=declared,
    )


def _tell_unknown(
    name: str, declared: list[Origin], loaded: Loaded, tell: Callable[[str], None]
) -> None:
    """Tell when an ``--origin`` names nothing that is declared.

    A domain name or address is left alone: a function may send requests there (LE-ORG-02), or
    a load balancer.
    """
    ids = {origin.id for origin in declared} | set(loaded.stand_ins.values())
    domains = {origin.domain_name.lower() for origin in declared}
    may_be_host = "." in name or ":" in name
    if not may_be_host and name not in ids and name.lower() not in domains:
        there = ", ".join(sorted(ids | domains)) or "none"
        tell(f"no origin has the ID or domain name {name!r} (there is {there})")


def _as_origin(door: Handler) -> Handler:
    """A door of the project as an origin: its own record ends when the edge has its answer."""

    async def ask(request: Request) -> Response:
        response = await door(request)
        if response.on_delivered is not None:
            response.on_delivered(Delivered(response.body.length or 0))
        return replace(response, on_delivered=None)

    return ask
