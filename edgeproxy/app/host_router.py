"""The viewer listener's choice of a distribution when there are several."""

from collections.abc import Callable, Mapping

from edgeproxy.distribution.matching import match_host
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.http.messages import Request, Response

__all__ = ["HostRouter"]


class HostRouter:
    """A Handler that picks by ``Host`` (CDN-BEH-01), or refuses as CloudFront does (CDN-BEH-04)."""

    def __init__(
        self,
        locations: Mapping[str, EdgeLocation],
        refuse: Callable[[int, str, str], Response],
    ) -> None:
        self._locations = locations
        self._refuse = refuse

    async def __call__(self, request: Request) -> Response:
        distributions = [location.distribution for location in self._locations.values()]
        distribution = match_host(distributions, request.host)
        if distribution is None:
            return self._refuse(403, "", f"no distribution answers to {request.host}")
        return await self._locations[distribution.logical_id](request)
