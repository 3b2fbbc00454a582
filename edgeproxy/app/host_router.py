"""The viewer listener's choice of a distribution when there are several."""

from collections.abc import Callable, Mapping

from edgeproxy.app.continuous_deployment import Entrance
from edgeproxy.distribution.matching import local_name, match_host
from edgeproxy.distribution.model import Distribution
from edgeproxy.http.messages import Request, Response

__all__ = ["HostRouter"]


class HostRouter:
    """A Handler that picks by ``Host`` (CDN-BEH-01), or refuses as CloudFront does (CDN-BEH-04).

    ``urls`` are the distributions' own, for who sends another Host.
    """

    def __init__(
        self,
        entrances: Mapping[str, Entrance],
        urls: Mapping[str, str],
        refuse: Callable[[int, str, str], Response],
    ) -> None:
        self._entrances = entrances
        self._urls = urls
        self._refuse = refuse

    async def __call__(self, request: Request) -> Response:
        distributions = [each.distribution for each in self._entrances.values()]
        distribution = match_host(distributions, request.host)
        if distribution is None:
            return self._refuse(403, "", self._why_not(request.host, distributions))
        if _came_in_for_another(request, distribution):
            why = f"the connection was not opened for {request.host}, which has mutual TLS"
            return self._refuse(421, "", why)
        return await self._entrances[distribution.logical_id](request)

    def _why_not(self, host: str, distributions: list[Distribution]) -> str:
        ways = [
            f"{self._urls[one.logical_id]} or -H 'Host: {local_name(one)}' for {one.logical_id}"
            for one in distributions
            if one.enabled
        ]
        return f"no distribution answers to {host}; use {', '.join(ways)}"


def _came_in_for_another(request: Request, distribution: Distribution) -> bool:
    """Whether the viewer has shown no certificate, or one that another distribution asked for."""
    viewer = request.viewer
    if distribution.viewer_mtls is None or viewer.scheme == "http":
        return False
    return viewer.mutual_tls is None or viewer.mutual_tls.distribution != distribution.logical_id
